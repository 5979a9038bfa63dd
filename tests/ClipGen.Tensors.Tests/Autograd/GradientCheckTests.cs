using ClipGen.Kernels;
using Xunit.Sdk;

namespace ClipGen.Tensors.Tests.Autograd;

/// <summary>Every tensor op's gradient is the derivative of its forward pass, on every backend; an op without one says so.</summary>
public sealed class GradientCheckTests
{
    /// <summary>Ops whose gradient is by definition not the derivative, held by tests of their own below.</summary>
    private static readonly string[] Estimators = ["StopGradient(Tensor)", "StraightThrough(Tensor, Tensor)"];

    /// <summary>Ops that refuse a gradient.</summary>
    private static readonly string[] Refusing =
    [
        "AttentionDecode(Tensor, Tensor, Tensor, Tensor)",
        "BatchNormInference(Tensor, Tensor, Tensor, Tensor, Tensor, Single, Activation)",
        "FilterLogits(Tensor, SamplingFilter)",
        "MatMul(Tensor, PackedMatrix, Tensor, Activation, Tensor)",
        "Conv2d(Tensor, PackedMatrix, Int32, Tensor, Int32, Int32, Int32, Activation, Tensor, Int32)",
    ];

    /// <summary>Ops whose results are whole numbers: constants.</summary>
    private static readonly string[] Constant = ["NearestCode(Tensor, Tensor)", "Sample(Tensor, SamplingFilter, Tensor)", "ArgMaxRows(Tensor)"];

    public static TheoryData<string> Names() => [.. GradientCases.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void MatchesCentralDifferences(string name) => GradientCheck.AgainstCentralDifferences(GradientCases.All[name]);

    [Theory]
    [MemberData(nameof(Names))]
    public void TheCpuAgreesWithTheReferenceInDoubles(string name)
    {
        var test = GradientCases.All[name];
        using var doubles = Device.ReferenceInDoubles();
        using var cpu = Device.Cpu(2);
        var (expected, found) = (GradientCheck.ByTape(doubles, test), GradientCheck.ByTape(cpu, test));
        for (var input = 0; input < expected.Length; input++)
        {
            // Sums of some hundred products of size one, each rounded to 6e-8 of itself: 1e-6 in practice; a norm divides by a small deviation, which multiplies it.
            var accepted = 1e-5 * (1 + expected[input]!.Max(Math.Abs));
            for (var i = 0; i < expected[input]!.Length; i++)
                Assert.True(Math.Abs(found[input]![i] - expected[input]![i]) <= accepted, $"input {input} at {i}: {found[input]![i]:R}, expected {expected[input]![i]:R}; accepted are {accepted:G3}");
        }
        Assert.Equal(0, cpu.Memory.LiveBlocks);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void AnInputsGradientDoesNotDependOnWhoElseNeedsOne(string name)
    {
        var test = GradientCases.All[name];
        using var cpu = Device.Cpu(1);
        var all = GradientCheck.ByTape(cpu, test);
        for (var input = 0; input < all.Length; input++)
        {
            var alone = GradientCheck.ByTape(cpu, test, i => i == input);
            Assert.Equal(all[input], alone[input]);
            Assert.Equal(1, alone.Count(gradient => gradient is not null));
        }
    }

    [Theory]
    [InlineData(1.0001f)]
    [InlineData(float.NaN)]
    public void AWrongGradientIsFound(float factor)
    {
        // The value is x; the gradient passes through a multiplication that the value does not see.
        var wrong = new GradientCase("wrong", "", x => x[0].Affine(factor, 0).StraightThrough(x[0].StopGradient()), GradientInput.Random(1, 3, 4));
        Assert.ThrowsAny<XunitException>(() => GradientCheck.AgainstCentralDifferences(wrong));
    }

    [Fact]
    public void AMissingGradientIsFound() =>
        Assert.Contains("input 1 has no gradient", Assert.ThrowsAny<XunitException>(() => GradientCheck.AgainstCentralDifferences(
            new GradientCase("missing", "", x => x[0].Multiply(x[1].StopGradient()), GradientInput.Random(1, 3), GradientInput.Random(2, 3)))).Message);

    [Fact]
    public void EveryOpIsCheckedOrKnownToHaveNoGradient()
    {
        string[] known = [.. GradientCases.All.Values.Select(test => test.Op).Distinct(), .. Estimators, .. Refusing, .. Constant];
        Assert.Equal(known.Order(StringComparer.Ordinal), OpMethods.All.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void TheWorkedExampleOfTheDocs()
    {
        using var device = Device.ReferenceInDoubles();
        using var scope = new TensorScope();
        using var tape = new Tape();
        var x = device.From([1f, 1, 3, 3], new Shape(4));
        x.RequiresGrad = true;
        var (gamma, beta) = (device.From([1f, 1, 1, 1], new Shape(4)), device.Zeros(new Shape(4)));
        // docs/autograd.md has no eps, and no rounding either.
        tape.Backward(x.LayerNorm(gamma, beta, eps: 0), device.From([4f, 0, 0, 0], new Shape(4)));
        Assert.Equal([2, -2, 0, 0], x.Gradient!.ToFloats());
    }

    [Fact]
    public void StopGradientIsAConstant()
    {
        using var device = Device.Cpu(1);
        using var scope = new TensorScope();
        using var tape = new Tape();
        var x = Leaf(device, 2, 3);
        var stopped = x.StopGradient();
        Assert.Equal(x.ToFloats(), stopped.ToFloats());
        Assert.False(stopped.RequiresGrad);
        tape.Backward(x.Multiply(stopped).Mean().Affine(6, 0));
        Assert.Equal(x.ToFloats(), x.Gradient!.ToFloats());
    }

    [Fact]
    public void StraightThroughHasTheValueOfTheChoiceAndTheGradientOfTheIdentity()
    {
        using var device = Device.ReferenceInDoubles();
        using var scope = new TensorScope();
        using var tape = new Tape();
        Tensor x = Leaf(device, 2, 3), chosen = Leaf(device, 2, 3);
        var y = x.Affine(2, 0).StraightThrough(chosen.Affine(-1, 4));
        Assert.Equal([4, 3, 2, 1, 0, -1], y.ToFloats());
        float[] upstream = [3, 1, 4, 1, 5, 9];
        tape.Backward(y, device.From(upstream, y.Shape));
        Assert.Equal(upstream.Select(g => 2 * g), x.Gradient!.ToFloats());
        Assert.Null(chosen.Gradient);
    }

    [Fact]
    public void OpsWithoutAGradientRefuseWhileOneIsRecorded()
    {
        using var device = Device.Cpu(1);
        using var scope = new TensorScope();
        using var packed = device.Backend.AllocatePacked(2, 3);
        device.Backend.PackRows(new float[6], 0, 2, packed);
        Tensor row = Leaf(device, 1, 3), bias = Leaf(device, 2), pixel = Leaf(device, 1, 1, 1, 3), channels = device.Zeros(new Shape(3));
        Tensor cache = device.Zeros(new Shape(1, 1, 4, 1)), lengths = device.From([0], new Shape(1));
        Tensor rowPlain = device.Zeros(new Shape(1, 3)), pixelPlain = device.Zeros(new Shape(1, 1, 1, 3));
        var refused = new (string Op, Func<Tensor> Call)[]
        {
            ("AttentionDecode", () => row.AttentionDecode(cache, cache, lengths)),
            ("BatchNorm", () => row.BatchNormInference(channels, channels, channels, channels)),
            ("FilterLogits", () => row.FilterLogits(new SamplingFilter(1, 1, 1))),
            ("MatMul", () => row.MatMul(packed)),
            ("MatMul", () => rowPlain.MatMul(packed, bias)),
            ("MatMul", () => rowPlain.MatMul(packed, residual: bias)),
            ("Conv2d", () => pixel.Conv2d(packed, 1)),
            ("Conv2d", () => pixelPlain.Conv2d(packed, 1, bias)),
            ("Conv2d", () => pixelPlain.Conv2d(packed, 1, residual: bias)),
        };
        using var tape = new Tape();
        foreach (var (op, call) in refused)
        {
            var before = device.Memory.LiveBlocks;
            Assert.StartsWith($"{op}: ", Assert.Throws<InvalidOperationException>(call).Message);
            Assert.Equal(before, device.Memory.LiveBlocks);
            using (Tape.Pause()) Assert.False(call().RequiresGrad);
        }
        Assert.Equal(0, tape.Count);
    }

    [Fact]
    public void WholeNumbersAreConstants()
    {
        using var device = Device.Cpu(1);
        using var scope = new TensorScope();
        using var tape = new Tape();
        Tensor x = Leaf(device, 2, 3), codebook = Leaf(device, 4, 3);
        Assert.False(x.NearestCode(codebook).RequiresGrad);
        Assert.False(x.ArgMaxRows().RequiresGrad);
        Assert.False(x.Sample(new SamplingFilter(1, 1, 1), device.Zeros(new Shape(2))).RequiresGrad);
        x.BatchNormTraining(Leaf(device, 3), Leaf(device, 3), out var mean, out var variance);
        Assert.Equal((false, false), (mean.RequiresGrad, variance.RequiresGrad));
        Assert.Equal(1, tape.Count);
    }

    private static Tensor Leaf(Device device, params int[] axes)
    {
        var shape = new Shape(axes);
        var leaf = device.From([.. Enumerable.Range(0, checked((int)shape.Count)).Select(i => (float)i)], shape);
        leaf.RequiresGrad = true;
        return leaf;
    }
}
