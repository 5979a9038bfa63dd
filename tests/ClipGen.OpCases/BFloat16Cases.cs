using ClipGen.Kernels;

namespace ClipGen.OpCases;

/// <summary>What the cases ask of a backend that multiplies in bfloat16 with float32 sums: inputs are rounded beforehand, so that backend and reference are given the same numbers.</summary>
public static class BFloat16Cases
{
    /// <summary>
    /// Whether a case's op has such products: matrix products, convolutions, attention and their gradients. Operands of 8 bits are left out: a whole number times a factor is none that bfloat16 holds.
    /// </summary>
    public static bool HasProducts(OpCase test)
    {
        ArgumentNullException.ThrowIfNull(test);
        if (test.Name.Contains(nameof(PackedType.Int8), StringComparison.Ordinal)) return false;
        return test.Contract == typeof(IMatMul) || test.Contract == typeof(IConv2d) || test.Contract == typeof(IAttention) && !test.Name.StartsWith(nameof(IAttention.AttentionDecode), StringComparison.Ordinal);
    }

    /// <summary>
    /// What a result may be off beyond the case's own tolerance, as a share of the largest: nothing for a product, whose operands are exact. In attention the weights, and the scores' gradients, are operands of a second product
    /// and rounded on the way, each by up to 2⁻⁹ of itself; the sums may cancel, for which a factor of eight is left. In the gradients two such roundings follow one another, and where one weight
    /// has nearly all, its rounding stands against the difference of two nearly equal sums, in one place for several queries: another factor of two.
    /// </summary>
    public static double ShareOfLargest(OpCase test)
    {
        ArgumentNullException.ThrowIfNull(test);
        if (test.Contract != typeof(IAttention)) return 0;
        return Math.ScaleB(1, test.Name.StartsWith(nameof(IAttention.AttentionBackward), StringComparison.Ordinal) ? -4 : -6);
    }

    /// <summary>The nearest number with eight significant bits, of two equally near ones the even one. Computed with powers of two, not with bits.</summary>
    public static float Round(float x)
    {
        if (x == 0 || !float.IsFinite(x)) return x;
        var step = Math.ScaleB(1, Math.Max(Math.ILogB(x), -126) - 7);
        return (float)(Math.Round(x / step, MidpointRounding.ToEven) * step);
    }

    /// <summary>Outputs of a case whose inputs were rounded.</summary>
    /// <inheritdoc cref="CaseRunner.Execute"/>
    public static Dictionary<string, double[]> Execute(OpCase test, IDeviceAllocator backend, int shift = 0) => CaseRunner.Execute(test, backend, shift, Round);

    /// <inheritdoc cref="CaseRunner.Compare"/>
    public static void Compare(OpCase test, Dictionary<string, double[]> expected, Dictionary<string, double[]> found, string where) => CaseRunner.Compare(test, expected, found, where, ShareOfLargest(test));
}
