using ClipGen.Kernels;

namespace ClipGen.Tensors.Tests;

/// <summary>Every op's shape rule: the shapes it makes, and what it says to shapes that do not fit. Refused calls allocate nothing.</summary>
public sealed class ShapeRuleTests : TensorTest
{
    [Fact]
    public void MatMul()
    {
        using var scope = new TensorScope();
        using var weight = Device.Backend.AllocatePacked(5, 3);
        Device.Backend.PackRows(new float[15], 0, 5, weight);
        var x = Counting(2, 4, 3);
        Makes([2, 4, 5], x.MatMul(weight, Counting(5), Activation.Relu, Counting(2, 4, 5)));
        Makes([5], Counting(3).MatMul(weight));
        Refused("MatMul", () => Counting(2, 4).MatMul(weight), "[2, 4]", "last axis of 3");
        Refused("MatMul", () => x.MatMul(weight, bias: Counting(4)), "bias [4]", "5 outputs");
        Refused("MatMul", () => x.MatMul(weight, residual: Counting(2, 4, 3)), "residual [2, 4, 3]", "[2, 4, 5]");
        Makes([2, 4, 6], x.MatMulTransposed(Counting(6, 3)));
        Refused("MatMulTransposed", () => x.MatMulTransposed(Counting(3, 6)), "[2, 4, 3]", "[3, 6]");
        Makes([2, 4, 6], x.MatMul(Counting(3, 6)));
        Refused("MatMul", () => x.MatMul(Counting(6, 3)), "[2, 4, 3]", "[6, 3]");
    }

    [Fact]
    public void Conv2d()
    {
        using var scope = new TensorScope();
        using var filter = Device.Backend.AllocatePacked(4, 9 * 2);
        Device.Backend.PackRows(new float[72], 0, 4, filter);
        var x = Counting(2, 6, 5, 2);
        Makes([2, 6, 5, 4], x.Conv2d(filter, 3, padBefore: 1, padAfter: 1));
        Makes([2, 3, 2, 4], x.Conv2d(filter, 3, stride: 2, padAfter: 1));
        Makes([2, 12, 10, 4], x.Conv2d(filter, 3, padBefore: 1, padAfter: 1, upsample: 2));
        Refused("Conv2d", () => Counting(6, 5, 2).Conv2d(filter, 3), "[6, 5, 2]", "[N, H, W, C]");
        Refused("Conv2d", () => Counting(1, 6, 5, 3).Conv2d(filter, 3), "[1, 6, 5, 3] has 3 channels", "expects 2");
        Refused("Conv2d", () => Counting(1, 2, 5, 2).Conv2d(filter, 3), "[1, 2, 5, 2]", "smaller than the 3x3");
        Refused("Conv2d", () => x.Conv2d(filter, 3, bias: Counting(2)), "bias [2]");
        Refused("Conv2d", () => x.Conv2d(filter, 3, residual: x), "residual [2, 6, 5, 2]", "[2, 4, 3, 4]");
        Refused("Conv2d", () => x.Conv2d(filter, 0), "kernel 0");
        Refused("Conv2d", () => x.Conv2d(filter, 3, upsample: 3), "upsample 3");
        Makes([2, 4, 3, 4], x.Conv2d(Counting(4, 18), 3));
        Refused("Conv2d", () => x.Conv2d(Counting(4, 9, 2), 3), "filter [4, 9, 2]");
    }

    [Fact]
    public void Attention()
    {
        using var scope = new TensorScope();
        Makes([2, 5, 8], Counting(2, 5, 24).SelfAttention(2, causal: true));
        Makes([0, 5, 8], Counting(0, 5, 24).SelfAttention(2, causal: false));
        Refused("Attention", () => Counting(2, 5, 22).SelfAttention(2, false), "[2, 5, 22]", "2 heads");
        Refused("Attention", () => Counting(2, 24).SelfAttention(2, false), "[2, 24]");
        Refused("Attention", () => Counting(2, 5, 24).SelfAttention(0, false), "0 heads");

        var cache = Device.Zeros(new Shape(2, 3, 7, 4));
        var lengths = Device.From([0, 0], new Shape(2));
        Makes([2, 12], Counting(2, 36).AttentionDecode(cache, Device.Zeros(cache.Shape), lengths));
        Refused("AttentionDecode", () => Counting(2, 36).AttentionDecode(cache, Counting(2, 3, 4), lengths), "[2, 3, 7, 4]", "[2, 3, 4]");
        Refused("AttentionDecode", () => Counting(2, 35).AttentionDecode(cache, cache, lengths), "qkv [2, 35]", "lengths [2]", "[2, 3, 7, 4]");
    }

    [Fact]
    public void Norms()
    {
        using var scope = new TensorScope();
        var channels = Counting(4);
        Makes([2, 3, 4], Counting(2, 3, 4).LayerNorm(channels, channels));
        Refused("LayerNorm", () => Counting(2, 3).LayerNorm(channels, channels), "[2, 3]", "gamma [4]", "beta [4]");
        Makes([2, 3, 3, 4], Counting(2, 3, 3, 4).GroupNorm(channels, channels, groups: 2));
        Refused("GroupNorm", () => Counting(2, 4).GroupNorm(channels, channels, groups: 3), "[2, 4]", "3 groups");
        Refused("GroupNorm", () => Counting(2, 4).GroupNorm(channels, channels, groups: 0), "0 groups");
        Refused("GroupNorm", () => Counting(2, 6).GroupNorm(channels, channels, groups: 2), "gamma [4]", "6 channels");
        Makes([5, 4], Counting(5, 4).BatchNormInference(channels, channels, channels, channels));
        Refused("BatchNorm", () => Counting(5, 3).BatchNormInference(channels, channels, channels, channels), "[5, 3]", "shape [3]", "[4]");
        Refused("BatchNorm", () => Counting().BatchNormInference(channels, channels, channels, channels), "[]");
        Makes([5, 4], Counting(5, 4).BatchNormTraining(channels, channels, out var mean, out var variance));
        Assert.Equal((new Shape(4), new Shape(4)), (mean.Shape, variance.Shape));
        Refused("BatchNorm", () => Counting(5, 3).BatchNormTraining(channels, channels, out _, out _), "[5, 3]", "[4]");
        Refused("BatchNorm", () => Counting(0, 4).BatchNormTraining(channels, channels, out _, out _), "[0, 4]", "no rows");
    }

    [Fact]
    public void Pictures()
    {
        using var scope = new TensorScope();
        var picture = Counting(2, 5, 6, 3);
        Makes([2, 2, 3, 3], picture.MaxPool2x2());
        Makes([2, 10, 12, 3], picture.UpsampleNearest2x());
        Makes([2, 4, 9, 3], picture.ResizeBilinear(4, 9, antialias: true));
        Makes([2, 3, 5, 6], picture.ToChannelsFirst());
        Makes([2, 6, 3, 5], picture.ToChannelsLast());
        Assert.Equal(picture.ToFloats(), picture.ToChannelsFirst().ToChannelsLast().ToFloats());
        var rows = Counting(5, 6);
        Refused("MaxPool2x2", () => rows.MaxPool2x2(), "[5, 6]");
        Refused("UpsampleNearest2x", () => rows.UpsampleNearest2x(), "[5, 6]");
        Refused("ResizeBilinear", () => rows.ResizeBilinear(2, 2, false), "[5, 6]");
        Refused("ResizeBilinear", () => picture.ResizeBilinear(0, 2, false), "[2, 5, 6, 3]", "0x2");
        Refused("ToChannelsFirst", () => rows.ToChannelsFirst(), "[5, 6]");
        Refused("ToChannelsLast", () => rows.ToChannelsLast(), "[5, 6]");
    }

    [Fact]
    public void Layout()
    {
        using var scope = new TensorScope();
        Assert.Equal([0, 3, 1, 4, 2, 5], Makes([3, 2], Counting(2, 3).Transpose()).ToFloats());
        Refused("Transpose", () => Counting(2, 3, 1).Transpose(), "[2, 3, 1]");

        var x = Counting(2, 2, 1);
        Assert.Equal([9, 0, 1, 9, 2, 3], Makes([2, 3, 1], x.Prepend(Device.From([9f], new Shape(1, 1)))).ToFloats());
        Assert.Equal([8, 0, 1, 9, 2, 3], x.Prepend(Device.From([8f, 9], new Shape(2, 1, 1))).ToFloats());
        Refused("Prepend", () => x.Prepend(Counting(1, 2)), "[1, 2]", "[2, 2, 1]");
        Refused("Prepend", () => x.Prepend(Counting(3, 1, 1)), "[3, 1, 1]", "[2, 2, 1]");

        Assert.Equal([4, 5, 6, 7], Makes([2, 2], Counting(2, 3, 2).SelectPositions([2, 0])).ToFloats());
        Refused("SelectPositions", () => Counting(2, 3, 2).SelectPositions([0]), "1 positions", "[2, 3, 2]");
        Refused("SelectPositions", () => Counting(2, 3, 2).SelectPositions([0, 3]), "position 3", "[2, 3, 2]");
        Refused("SelectPositions", () => Counting(2, 3, 2).SelectPositions([-1, 0]), "position -1");
    }

    [Fact]
    public void Rows()
    {
        using var scope = new TensorScope();
        var x = Counting(2, 3, 4);
        Makes([2, 3], x.MeanRows());
        Makes([2, 3], x.SumRows());
        Assert.Equal([3, 3, 3, 3, 3, 3], Makes([2, 3], x.ArgMaxRows(), DType.Int32).ToArray<int>());
        Makes([2, 3, 4], x.Softmax());
        Makes([2, 3, 4], x.L2Normalize());
        Makes([], x.Mean());
        var targets = Device.From([0, 1, 2, 3, 0, 1], new Shape(2, 3));
        Makes([2, 3], x.CrossEntropy(targets));
        Refused("CrossEntropy", () => Counting(2, 4).CrossEntropy(targets), "targets [2, 3]", "[2, 4]");
        var single = Counting();
        Refused("MeanRows", () => single.MeanRows(), "[]");
        Refused("SumRows", () => single.SumRows(), "[]");
        Refused("ArgMaxRows", () => single.ArgMaxRows(), "[]");
        Refused("Softmax", () => single.Softmax(), "[]");
        Refused("L2Normalize", () => single.L2Normalize(), "[]");
    }

    [Fact]
    public void Points()
    {
        using var scope = new TensorScope();
        var x = Counting(2, 3);
        Assert.Equal([0, 2, 4, 3, 5, 7], Makes([2, 3], x.Add(Counting(3))).ToFloats());
        Assert.Equal([0, 0, 0, 3, 3, 3], x.Subtract(Counting(3)).ToFloats());
        Assert.Equal([0, 1, 4, 0, 4, 10], x.Multiply(Counting(3)).ToFloats());
        Assert.Equal([1, 3, 5, 7, 9, 11], x.Affine(2, 1).ToFloats());
        Assert.Equal([1, 1, 2, 3, 4, 4], x.Clamp(1, 4).ToFloats());
        Assert.Equal([0, 0, 0, 0, 1, 2], x.Affine(1, -3).Activate(Activation.Relu).ToFloats());
        Makes([], Counting().Add(Counting()));
        Assert.Equal([0, 1, 2, 3, 4, 5], Makes([2, 3], x.Absolute()).ToFloats());
        Assert.Equal([0, 1, 2, 3, 4, 5], Makes([2, 3], x.MultiplyExp(Counting(1))).ToFloats());
        Refused("MultiplyExp", () => x.MultiplyExp(Counting(3)), "[3]");
        Assert.Equal([0, 1, 2, 3, 4, 5], Makes([2, 3], x.Affine(0, 0).StraightThrough(x)).ToFloats());
        Refused("StraightThrough", () => x.StraightThrough(Counting(3, 2)), "[2, 3]", "[3, 2]");
        Refused("Add", () => x.Add(Counting(2)), "[2]", "[2, 3]");
        Refused("Subtract", () => Counting(3).Subtract(x), "[2, 3]", "[3]");
        Refused("Multiply", () => x.Multiply(Counting(2, 1)), "[2, 1]", "[2, 3]");
    }

    [Fact]
    public void Codes()
    {
        using var scope = new TensorScope();
        var indices = Device.From([2, 0, 1, 1], new Shape(2, 2));
        Assert.Equal([4, 5, 0, 1, 2, 3, 2, 3], Makes([2, 2, 2], indices.Embedding(Counting(3, 2))).ToFloats());
        Refused("Embedding", () => indices.Embedding(Counting(6)), "[6]");
        Assert.Equal([0, 1, 2], Makes([3], Counting(3, 2).NearestCode(Counting(5, 2)), DType.Int32).ToArray<int>());
        Refused("NearestCode", () => Counting(3, 2).NearestCode(Counting(5, 3)), "[3, 2]", "[5, 3]");
        Refused("NearestCode", () => Counting().NearestCode(Counting(5, 3)), "[]");

        var filter = new SamplingFilter(1, 1, 1);
        var logits = Counting(2, 3);
        Assert.Equal([float.NegativeInfinity, float.NegativeInfinity, 2, float.NegativeInfinity, float.NegativeInfinity, 5], Makes([2, 3], logits.FilterLogits(filter)).ToFloats());
        Assert.Equal([2, 2], Makes([2], logits.Sample(filter, Counting(2).Affine(0.5f, 0)), DType.Int32).ToArray<int>());
        Refused("Sample", () => logits.Sample(filter, Counting(3)), "[3]", "[2, 3]");
        Refused("Sample", () => Counting().Sample(filter, Counting(1)), "[]");
        Refused("FilterLogits", () => Counting().FilterLogits(filter), "[]");
    }

    [Fact]
    public void RefusedCallsLeaveNothingBehindEvenWithoutAScope()
    {
        using var weight = Device.Backend.AllocatePacked(9, 9);
        using var x = Counting(1, 3, 3, 9);
        using var wrong = Counting(4);
        var before = Device.Memory.LiveBlocks;
        Refused("MatMul", () => x.MatMul(weight, wrong));
        Refused("Conv2d", () => x.Conv2d(weight, 1, wrong));
        Refused("LayerNorm", () => x.LayerNorm(wrong, wrong));
        Assert.Equal(before, Device.Memory.LiveBlocks);
    }

    private static Tensor Makes(int[] shape, Tensor result, DType type = DType.Float32)
    {
        Assert.Equal(new Shape(shape), result.Shape);
        Assert.Equal(type, result.Type);
        return result;
    }
}
