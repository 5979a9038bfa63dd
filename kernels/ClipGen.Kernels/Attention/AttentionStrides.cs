namespace ClipGen.Kernels;

/// <summary>An attention call's sizes with the default strides filled in.</summary>
internal static class AttentionStrides
{
    /// <exception cref="ArgumentException">The sizes make no sense.</exception>
    public static AttentionShape Of(in AttentionShape shape)
    {
        var width = shape.Heads * shape.HeadSize;
        var full = shape with
        {
            QueryStride = shape.QueryStride == 0 ? width : shape.QueryStride,
            KeyStride = shape.KeyStride == 0 ? width : shape.KeyStride,
            OutputStride = shape.OutputStride == 0 ? width : shape.OutputStride,
        };
        if (full.Batch < 0 || full.Heads <= 0 || full.HeadSize <= 0 || full.QueryLength < 0 || full.KeyLength <= 0 || full.QueryStride < width || full.KeyStride < width || full.OutputStride < width)
            throw new ArgumentException($"Attention: illegal sizes {full}");
        if (full.Causal && full.KeyLength < full.QueryLength)
            throw new ArgumentException($"Attention: a causal mask needs at least as many keys ({full.KeyLength}) as queries ({full.QueryLength})");
        return full;
    }
    /// <summary>Floats that an operand of <paramref name="length"/> positions, <paramref name="stride"/> floats apart, reaches over at least.</summary>
    public static long Floats(in AttentionShape shape, int length, int stride) => ((long)shape.Batch * length - 1) * stride + shape.Heads * shape.HeadSize;
}
