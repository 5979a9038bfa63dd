using ClipGen.Kernels;
using ClipGen.Tensors.Nn;

namespace ClipGen.Tensors.Tests.Autograd;

/// <summary>Weights that are trained: their order, their two layouts, and which of them need gradients in which form.</summary>
public sealed class ParameterTests : TensorTest
{
    private static readonly float[] FilterValues = [.. Enumerable.Range(0, 2 * 3 * 2 * 2).Select(i => (float)i)];
    private static readonly float[] ProjectionValues = [1, 2, 3, 4, 5, 6];

    [Fact]
    public void TheyStandInTheOrderInWhichTheyAreAskedFor()
    {
        using var model = Load(WeightForm.Trainable);
        Assert.Equal(["conv.weight", "conv.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked", "proj"], model.Parameters.Select(p => p.Name));
        Assert.Equal(["bn.running_mean", "bn.running_var", "bn.num_batches_tracked"], model.Parameters.Where(p => p.IsBuffer).Select(p => p.Name));
        Assert.All(model.Parameters, p => Assert.Equal(!p.IsBuffer, p.Value.RequiresGrad));
        Assert.Equal("conv.weight [2, 3, 2, 2]", model.Parameters[0].ToString());
    }

    [Theory]
    [InlineData(WeightForm.Packed)]
    [InlineData(WeightForm.Plain)]
    public void OtherFormsHaveNone(WeightForm form)
    {
        using var model = Load(form);
        Assert.Empty(model.Parameters);
    }

    [Fact]
    public void FiltersAreHeldByPixelAndStoredByChannel()
    {
        using var model = Load(WeightForm.Trainable);
        var filter = model.Parameters[0];
        Assert.Equal((ParameterLayout.Filter, new Shape(2, 12)), (filter.Layout, filter.Value.Shape));
        // Of [O, I, 2, 2] counted through, the first output's: pixel by pixel its three channels.
        Assert.Equal([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11], filter.Value.ToFloats()[..12]);
        Assert.Equal(FilterValues, filter.ToStored());
        Assert.Equal(filter.Value.ToFloats(), filter.FromStored(FilterValues));
    }

    [Fact]
    public void ProjectionsAreHeldTransposed()
    {
        using var model = Load(WeightForm.Trainable);
        var projection = model.Parameters[^1];
        Assert.Equal((ParameterLayout.Transposed, new Shape(3, 2)), (projection.Layout, projection.Value.Shape));
        Assert.Equal([1, 4, 2, 5, 3, 6], projection.Value.ToFloats());
        Assert.Equal(ProjectionValues, projection.ToStored());
        Assert.Equal(projection.Value.ToFloats(), projection.FromStored(ProjectionValues));
    }

    [Fact]
    public void AStoredGradientIsThatOfTheStoredWeight()
    {
        using var model = Load(WeightForm.Trainable);
        using var scope = new TensorScope();
        using var tape = new Tape();
        // Σ g · (x · W) with W [2, 3] as stored: dW[k, n] = x[k] · g[n].
        tape.Backward(model.Project(Device.From([2f, 3], new Shape(1, 2))), Device.From([1f, 10, 100], new Shape(1, 3)));
        var projection = model.Parameters[^1];
        Assert.Equal([2, 20, 200, 3, 30, 300], projection.ToStored(projection.Value.Gradient!.ToFloats()));
    }

    [Fact]
    public void AFrozenParameterGetsNoGradientAndLetsOthersHaveTheirs()
    {
        using var model = Load(WeightForm.Trainable);
        using var scope = new TensorScope();
        using var tape = new Tape();
        var (filter, bias) = (model.Parameters[0].Value, model.Parameters[1].Value);
        var x = Counting(1, 2, 2, 3);
        filter.RequiresGrad = false;
        tape.Backward(model.Convolve(x), Counting(1, 1, 1, 2));
        Assert.Null(filter.Gradient);
        Assert.Equal([0, 1], bias.Gradient!.ToFloats());
        filter.RequiresGrad = true;
        tape.Backward(model.Convolve(x), Counting(1, 1, 1, 2));
        Assert.Equal([.. new float[12], .. x.ToFloats()], filter.Gradient!.ToFloats());
    }

    [Fact]
    public void APlainModelLetsGradientsThrough()
    {
        using var model = Load(WeightForm.Plain);
        using var scope = new TensorScope();
        using var tape = new Tape();
        var x = Counting(1, 2);
        x.RequiresGrad = true;
        tape.Backward(model.Project(x), Device.From([1f, 0, 0], new Shape(1, 3)));
        Assert.Equal([1, 4], x.Gradient!.ToFloats());
        using var packed = Load(WeightForm.Packed);
        Assert.Contains("packed for inference", Assert.Throws<InvalidOperationException>(() => packed.Project(x)).Message);
        Assert.Contains("packed for inference", Assert.Throws<InvalidOperationException>(() => packed.Filters).Message);
    }

    private Layers Load(WeightForm form) => WeightLoader.Load(Device, new DictionaryWeights()
        .Add("proj", [2, 3], ProjectionValues)
        .Add("conv.weight", [2, 3, 2, 2], FilterValues).Add("conv.bias", [2], [0, 1])
        .Add("bn.weight", [2], [1, 1]).Add("bn.bias", [2], [0, 0]).Add("bn.running_mean", [2], [0, 0]).Add("bn.running_var", [2], [1, 1]).Add("bn.num_batches_tracked", [], [0]),
        "layers", weights => new Layers(weights), ignore: name => name == "bn.num_batches_tracked", form: form);

    private sealed class Layers : Module
    {
        private readonly Nn.Conv2d conv;
        private readonly Weight projection;

        public Layers(WeightLoader weights) : base("")
        {
            conv = Own(new Nn.Conv2d(weights.In("conv"), 2));
            Own(new BatchNorm2d(weights.In("bn")));
            projection = Own(weights.TransposedMatrix("proj", 2, 3));
            Parameters = weights.Parameters;
        }

        public IReadOnlyList<Parameter> Parameters { get; }

        public Tensor Filters => conv.Filters;

        public Tensor Convolve(Tensor x) => conv.Forward(x);

        public Tensor Project(Tensor x) => projection.Multiply(x);
    }
}
