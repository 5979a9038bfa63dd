using ClipGen.Kernels;
using static ClipGen.Tensors.Tests.Autograd.GradientInput;

namespace ClipGen.Tensors.Tests.Autograd;

/// <summary>Every differentiable op in every form that has a gradient of its own.</summary>
internal static class GradientCases
{
    private const string MatMulTransposed = "MatMulTransposed(Tensor, Tensor, Tensor, Activation, Tensor)";
    private const string Conv2d = "Conv2d(Tensor, Tensor, Int32, Tensor, Int32, Int32, Int32, Activation, Tensor, Int32)";
    private const string Attention = "SelfAttention(Tensor, Int32, Boolean, DropoutMask)";
    private const string GroupNorm = "GroupNorm(Tensor, Tensor, Tensor, Int32, Single, Activation)";
    private const string BatchNorm = "BatchNormTraining(Tensor, Tensor, Tensor, Tensor, Tensor, Single, Activation)";
    private const string Resize = "ResizeBilinear(Tensor, Int32, Int32, Boolean)";
    private static readonly DropoutMask Dropped = new(0.4f, new RandomKey(5, 6, 7));

    /// <summary>All cases by name.</summary>
    public static IReadOnlyDictionary<string, GradientCase> All { get; } = Pointwise().Concat(Products()).Concat(Norms()).Concat(Rows()).Concat(Pictures()).Concat(Layouts()).ToDictionary(test => test.Name);

    private static IEnumerable<GradientCase> Pointwise()
    {
        foreach (var activation in Enum.GetValues<Activation>())
            yield return new($"Activate {activation}", "Activate(Tensor, Activation)", x => x[0].Activate(activation), Random(1, 4, 9).AwayFrom(0));
        yield return new("Absolute", "Absolute(Tensor)", x => x[0].Absolute(), Random(2, 5, 7).AwayFrom(0));
        yield return new("Clamp", "Clamp(Tensor, Single, Single)", x => x[0].Clamp(-0.8f, 0.9f), Random(3, 5, 7).AwayFrom(-0.8f).AwayFrom(0.9f));
        yield return new("Affine", "Affine(Tensor, Single, Single)", x => x[0].Affine(1.7f, -0.3f), Random(4, 3, 4));
        yield return new("Affine that only shifts", "Affine(Tensor, Single, Single)", x => x[0].Affine(1, 0.5f), Random(5, 3, 4));
        yield return new("Dropout", "Dropout(Tensor, DropoutMask)", x => x[0].Dropout(Dropped), Random(6, 3, 14));
        yield return new("MultiplyExp", "MultiplyExp(Tensor, Tensor)", x => x[0].MultiplyExp(x[1]), Random(7, 3, 4), new GradientInput(new Shape(), [0.75f]))
        {
            // The factor is a float: a step that floats can take, beside whose h²/6 = 1e-5 the rounding of two factors, 6e-8 / h = 8e-6, is small enough; each times exp(0.75) and the sum.
            Step = 1.0 / 128,
            Tolerance = 1e-4,
        };
        foreach (var (what, b) in new (string, int[])[] { ("", [2, 3, 4]), (" of the last axis", [4]), (" of the last two axes", [3, 4]), (" of one number", []) })
        {
            yield return new($"Add{what}", "Add(Tensor, Tensor)", x => x[0].Add(x[1]), Random(8, 2, 3, 4), Random(9, b));
            yield return new($"Subtract{what}", "Subtract(Tensor, Tensor)", x => x[0].Subtract(x[1]), Random(10, 2, 3, 4), Random(11, b));
            yield return new($"Multiply{what}", "Multiply(Tensor, Tensor)", x => x[0].Multiply(x[1]), Random(12, 2, 3, 4), Random(13, b));
        }
        yield return new("Add to itself", "Add(Tensor, Tensor)", x => x[0].Add(x[0]), Random(14, 3, 4));
        yield return new("Multiply by itself", "Multiply(Tensor, Tensor)", x => x[0].Multiply(x[0]), Random(15, 3, 4));
    }

    private static IEnumerable<GradientCase> Products()
    {
        yield return new("MatMul", "MatMul(Tensor, Tensor)", x => x[0].MatMul(x[1]), Random(20, 2, 3, 5), Random(21, 5, 4));
        yield return new("MatMul by itself", "MatMul(Tensor, Tensor)", x => x[0].MatMul(x[0]), Random(22, 4, 4));
        yield return new("MatMulTransposed", MatMulTransposed, x => x[0].MatMulTransposed(x[1]), Random(23, 2, 3, 5), Random(24, 4, 5));
        yield return new("MatMulTransposed, bias and residual of another shape", MatMulTransposed, x => x[0].MatMulTransposed(x[1], x[2], residual: x[3]), Random(25, 2, 3, 5), Random(26, 4, 5), Random(27, 4), Random(28, 6, 4));
        yield return new("MatMulTransposed, bias and activation", MatMulTransposed, x => x[0].MatMulTransposed(x[1], x[2], Activation.QuickGelu), Random(29, 2, 3, 5), Random(30, 4, 5), Random(31, 4));
        yield return new("MatMulTransposed, bias, activation and residual", MatMulTransposed, x => x[0].MatMulTransposed(x[1], x[2], Activation.Gelu, x[3]), Random(32, 3, 5), Random(33, 4, 5), Random(34, 4), Random(35, 3, 4));
        yield return new("Conv2d", Conv2d, x => x[0].Conv2d(x[1], 3, padBefore: 1, padAfter: 1), Random(36, 2, 4, 5, 2), Random(37, 3, 18));
        yield return new("Conv2d 1x1 with bias", Conv2d, x => x[0].Conv2d(x[1], 1, x[2]), Random(38, 2, 3, 4, 3), Random(39, 2, 3), Random(40, 2));
        yield return new("Conv2d with steps, uneven padding and bias", Conv2d, x => x[0].Conv2d(x[1], 3, x[2], stride: 2, padAfter: 1), Random(41, 1, 6, 5, 2), Random(42, 3, 18), Random(43, 3));
        yield return new("Conv2d behind an enlargement, with residual", Conv2d, x => x[0].Conv2d(x[1], 3, x[2], padBefore: 1, padAfter: 1, residual: x[3], upsample: 2), Random(44, 1, 2, 3, 2), Random(45, 2, 18), Random(46, 2), Random(47, 1, 4, 6, 2));
        yield return new("Conv2d, bias, activation and residual", Conv2d, x => x[0].Conv2d(x[1], 2, x[2], activation: Activation.Silu, residual: x[3]), Random(48, 1, 4, 4, 2), Random(49, 2, 8), Random(50, 2), Random(51, 1, 3, 3, 2));
        yield return new("Attention", Attention, x => x[0].SelfAttention(2, causal: false), Random(52, 2, 4, 18));
        yield return new("Attention, causal", Attention, x => x[0].SelfAttention(3, causal: true), Random(53, 1, 5, 18));
        yield return new("Attention, causal, with dropout", Attention, x => x[0].SelfAttention(2, causal: true, Dropped), Random(54, 2, 4, 12));
    }

    private static IEnumerable<GradientCase> Norms()
    {
        yield return new("LayerNorm", "LayerNorm(Tensor, Tensor, Tensor, Single)", x => x[0].LayerNorm(x[1], x[2]), Random(60, 2, 3, 6), Random(61, 6), Random(62, 6));
        foreach (var activation in new[] { Activation.None, Activation.Silu })
        {
            yield return new($"GroupNorm {activation}", GroupNorm, x => x[0].GroupNorm(x[1], x[2], 2, 1e-5f, activation), Random(63, 2, 2, 3, 6), Random(64, 6), Random(65, 6));
            yield return new($"BatchNorm {activation}", BatchNorm, x => x[0].BatchNormTraining(x[1], x[2], out _, out _, 1e-5f, activation), Random(66, 2, 2, 3, 4), Random(67, 4), Random(68, 4));
        }
        yield return new("L2Normalize", "L2Normalize(Tensor, Single)", x => x[0].L2Normalize(), Random(69, 3, 5));
        yield return new("Softmax", "Softmax(Tensor)", x => x[0].Softmax(), Random(70, 3, 5));
    }

    private static IEnumerable<GradientCase> Rows()
    {
        yield return new("MeanRows", "MeanRows(Tensor)", x => x[0].MeanRows(), Random(80, 2, 3, 7));
        yield return new("SumRows", "SumRows(Tensor)", x => x[0].SumRows(), Random(81, 2, 3, 7));
        yield return new("Mean", "Mean(Tensor)", x => x[0].Mean(), Random(82, 3, 7));
        yield return new("CrossEntropy", "CrossEntropy(Tensor, Tensor)", x => x[0].CrossEntropy(x[0].Device.From([4, 0, 0, 2, 1, 3], new Shape(2, 3))), Random(83, 2, 3, 5));
        yield return new("Embedding, some rows never and some often", "Embedding(Tensor, Tensor)", x => x[0].Device.From([3, 0, 3, 3, 1, 0], new Shape(2, 3)).Embedding(x[0]), Random(84, 5, 4));
        yield return new("SelectPositions", "SelectPositions(Tensor, ReadOnlySpan)", x => x[0].SelectPositions([2, 0, 3]), Random(85, 3, 4, 2));
    }

    private static IEnumerable<GradientCase> Pictures()
    {
        yield return new("MaxPool2x2, odd sides", "MaxPool2x2(Tensor)", x => x[0].MaxPool2x2(), Distinct(90, 2, 5, 4, 3));
        yield return new("UpsampleNearest2x", "UpsampleNearest2x(Tensor)", x => x[0].UpsampleNearest2x(), Random(91, 2, 2, 3, 2));
        yield return new("ResizeBilinear, larger", Resize, x => x[0].ResizeBilinear(7, 5, antialias: false), Random(92, 1, 4, 3, 2));
        yield return new("ResizeBilinear, smaller", Resize, x => x[0].ResizeBilinear(3, 4, antialias: true), Random(93, 2, 7, 9, 1));
    }

    private static IEnumerable<GradientCase> Layouts()
    {
        yield return new("ToChannelsLast", "ToChannelsLast(Tensor)", x => x[0].ToChannelsLast(), Random(100, 2, 3, 2, 4));
        yield return new("ToChannelsFirst", "ToChannelsFirst(Tensor)", x => x[0].ToChannelsFirst(), Random(101, 2, 3, 2, 4));
        yield return new("Transpose", "Transpose(Tensor)", x => x[0].Transpose(), Random(102, 3, 5));
        yield return new("Prepend, one for each", "Prepend(Tensor, Tensor)", x => x[0].Prepend(x[1]), Random(103, 3, 2, 4), Random(104, 3, 2, 4));
        yield return new("Prepend, one for all", "Prepend(Tensor, Tensor)", x => x[0].Prepend(x[1]), Random(105, 3, 2, 4), Random(106, 2, 4));
        yield return new("Reshape by axes", "Reshape(ReadOnlySpan)", x => x[0].Reshape(4, 3), Random(107, 2, 6));
        yield return new("Reshape to a shape", "Reshape(Shape)", x => x[0].Reshape(new Shape(12)), Random(108, 2, 6));
    }
}
