using ClipGen.Kernels;
using ClipGen.Tensors.Nn;

namespace ClipGen.Tensors.Tests;

public sealed class WeightLoaderTests : TensorTest
{
    [Fact]
    public void PathsFollowTheModules()
    {
        var source = new DictionaryWeights().Add("blocks.3.ln.weight", [2], [5, 6]);
        var loader = new WeightLoader(Device, source).In("blocks").In("3").In("ln");
        Assert.Equal("blocks.3.ln", loader.Path);
        Assert.Equal("blocks.3.ln.weight", loader.NameOf("weight"));
        Assert.True(loader.Has("weight"));
        Assert.False(loader.Has("bias"));
        Assert.Equal([2], loader.ShapeOf("weight", 1));
        // Weights belong to their module, not to the scope that happens to be open while loading.
        Tensor weight;
        using (new TensorScope()) weight = loader.Tensor("weight", 2);
        Assert.Equal([5, 6], weight.ToFloats());
        weight.Dispose();
    }

    [Fact]
    public void MissingAndMisshapenWeightsAreNamed()
    {
        var loader = new WeightLoader(Device, new DictionaryWeights().Add("fc.weight", [4, 3], new float[12])).In("fc");
        Says("model.pt: tensor 'fc.bias' is missing", () => loader.Tensor("bias", 4));
        Says("model.pt: tensor 'fc.weight' has shape [4, 3], expected [3, 4]", () => loader.Matrix("weight", 3, 4));
        Says("model.pt: tensor 'fc.weight' has shape [4, 3], expected [3, 4]", () => loader.TransposedMatrix("weight", 3, 4));
        Says("model.pt: tensor 'fc.weight' has shape [4, 3], expected [4, 3, 1, 1]", () => loader.Filter("weight", 4, 3, 1));
        Says("model.pt: tensor 'fc.weight' has shape [4, 3], expected [12]", () => loader.Tensor("weight", 12));
        Says("model.pt: tensor 'fc.other' is missing", () => loader.ShapeOf("other", 1));
        Assert.Contains("expected [?, ?, ?, ?]", Assert.Throws<WeightException>(() => new Nn.Conv2d(loader, 3)).Message);
        Assert.Equal(0, Device.Memory.LiveBlocks);
    }

    [Fact]
    public void AFailedReadFreesAndKeepsItsMessage()
    {
        var loader = new WeightLoader(Device, new DictionaryWeights { Broken = "w" }.Add("w", [2, 2, 1, 1], new float[4]).Add("m", [2, 2], new float[4]));
        Assert.Equal("w: the disk is gone", Assert.Throws<IOException>(() => loader.Tensor("w", 2, 2, 1, 1)).Message);
        Assert.Equal("w: the disk is gone", Assert.Throws<IOException>(() => loader.Filter("w", 2, 2, 1)).Message);
        var matrix = new WeightLoader(Device, new DictionaryWeights { Broken = "m" }.Add("m", [2, 2], new float[4]));
        Assert.Throws<IOException>(() => matrix.Matrix("m", 2, 2));
        Assert.Throws<IOException>(() => matrix.TransposedMatrix("m", 2, 2));
        Assert.Equal(0, Device.Memory.LiveBlocks);
    }

    [Fact]
    public void FiltersGoFromOihwToOhwi()
    {
        // w[o, i, y, x] = 1000 o + 100 i + 10 y + x names its own place.
        var values = new float[2 * 3 * 2 * 2];
        for (int o = 0, at = 0; o < 2; o++)
            for (var i = 0; i < 3; i++)
                for (var y = 0; y < 2; y++)
                    for (var x = 0; x < 2; x++) values[at++] = 1000 * o + 100 * i + 10 * y + x;
        using var filter = new WeightLoader(Device, new DictionaryWeights().Add("w", [2, 3, 2, 2], values)).Filter("w", 2, 3, 2);
        Assert.Equal((2, 12), (filter.N, filter.K));
        Assert.Equal([0, 100, 200, 1, 101, 201, 10, 110, 210, 11, 111, 211], Rows(filter)[0]);
        Assert.Equal([1000, 1100, 1200, 1001, 1101, 1201, 1010, 1110, 1210, 1011, 1111, 1211], Rows(filter)[1]);
    }

    [Fact]
    public void MatricesAndTheirTransposes()
    {
        float[] values = [1, 2, 3, 4, 5, 6];
        var loader = new WeightLoader(Device, new DictionaryWeights().Add("w", [2, 3], values));
        using var matrix = loader.Matrix("w", 2, 3);
        Assert.Equal([[1, 2, 3], [4, 5, 6]], Rows(matrix));
        using var transposed = loader.TransposedMatrix("w", 2, 3);
        Assert.Equal([[1, 4], [2, 5], [3, 6]], Rows(transposed));
    }

    [Fact]
    public void WeightsLongerThanOnePieceArriveWhole()
    {
        // Pieces are about a million floats: three of them for each, the last one short.
        const int n = 5, k = 500_000;
        var values = new float[n * k];
        for (var i = 0; i < values.Length; i++) values[i] = i % 8191;
        var loader = new WeightLoader(Device, new DictionaryWeights().Add("t", [n * k], values).Add("m", [n, k], values).Add("f", [n, k, 1, 1], values));
        using var tensor = loader.Tensor("t", n * k);
        Assert.Equal(values, tensor.ToFloats());
        using var matrix = loader.Matrix("m", n, k);
        using var filter = loader.Filter("f", n, k, 1);
        foreach (var weight in new[] { matrix, filter })
            foreach (var column in new[] { 0, 262_143, 262_144, k - 1 })
                Assert.Equal(Enumerable.Range(0, n).Select(row => values[row * k + column]), Column(weight, column));
    }

    [Fact]
    public void ModulesLoadRunAndFree()
    {
        var source = new DictionaryWeights()
            .Add("fc.weight", [2, 3], [1, 0, 0, 0, 1, 0]).Add("fc.bias", [2], [10, 20])
            .Add("conv.weight", [1, 2, 1, 1], [2, 3])
            .Add("ln.weight", [2], [1, 1]).Add("ln.bias", [2], [0, 5])
            .Add("gn.weight", [2], [1, 1]).Add("gn.bias", [2], [0, 0]).State("groups", 1)
            .Add("bn.weight", [2], [2, 2]).Add("bn.bias", [2], [1, 1]).Add("bn.running_mean", [2], [0, 1]).Add("bn.running_var", [2], [1, 1]);
        var loader = new WeightLoader(Device, source);
        using var fc = new Linear(loader.In("fc"), 3, 2);
        using var conv = new Nn.Conv2d(loader.In("conv"), 1, hasBias: false);
        using var ln = new Nn.LayerNorm(loader.In("ln"), 2);
        using var gn = new Nn.GroupNorm(loader.In("gn"));
        using var bn = new BatchNorm2d(loader.In("bn"));
        Assert.Equal(("fc", 2, 2, 1), (fc.Path, fc.Outputs, conv.InChannels, conv.OutChannels));
        using var scope = new TensorScope();
        Assert.Equal([10, 21], fc.Forward(Counting(1, 3)).ToFloats());
        Assert.Equal([3, 13], conv.Forward(Counting(1, 1, 2, 2)).ToFloats());
        // Rows 0, 1 have mean ½ and deviation ½: −1 and 1, but for eps.
        Close([-1, 6, -1, 6], ln.Forward(Counting(2, 2)).ToFloats());
        Close([-1, 1], gn.Forward(Counting(1, 1, 2)).ToFloats());
        Close([1, 1], bn.Forward(Counting(1, 2)).ToFloats());
    }

    // eps 1e-5 beside a variance of ¼ takes 2e-5 off a value of one.
    private static void Close(float[] expected, float[] found)
    {
        Assert.Equal(expected.Length, found.Length);
        for (var i = 0; i < expected.Length; i++) Assert.True(Math.Abs(expected[i] - found[i]) <= 3e-5, $"element {i}: {found[i]}, expected {expected[i]}");
    }

    private static void Says(string message, Action call) => Assert.Equal(message, Assert.Throws<WeightException>(call).Message);

    private float[][] Rows(Weight weight)
    {
        var columns = Enumerable.Range(0, weight.K).Select(column => Column(weight, column)).ToArray();
        return [.. Enumerable.Range(0, weight.N).Select(row => columns.Select(column => column[row]).ToArray())];
    }

    /// <summary>A column of the weight: its product with a unit vector, exact for these whole numbers.</summary>
    private float[] Column(Weight weight, int column)
    {
        var unit = new float[weight.K];
        unit[column] = 1;
        using var x = Device.From(unit, new Shape(1, weight.K));
        using var y = weight.Multiply(x);
        return y.ToFloats();
    }
}
