using ClipGen.Tensors.Nn;

namespace ClipGen.Models;

/// <summary>Attention heads: the one size that no tensor's shape tells.</summary>
internal static class HeadCount
{
    /// <summary>The given number of heads, or one per 64 channels.</summary>
    /// <exception cref="WeightException">The width is not a multiple of it.</exception>
    public static int Of(int width, int? heads, string what)
    {
        if (width < 0) return 1; // the width is missing, which the survey reports
        var count = heads ?? Math.Max(1, width / 64);
        if (count < 1 || width % count != 0)
            throw new WeightException($"{what} has {width} channels, which {count} heads do not divide; give the number of heads with --heads");
        return count;
    }
}
