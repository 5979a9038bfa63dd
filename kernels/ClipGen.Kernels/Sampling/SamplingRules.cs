namespace ClipGen.Kernels;

/// <summary>Legal settings of the sampling filter.</summary>
internal static class SamplingRules
{
    /// <exception cref="ArgumentOutOfRangeException">A setting is outside its range.</exception>
    public static void Require(in SamplingFilter filter)
    {
        if (!(filter.Temperature > 0) || float.IsInfinity(filter.Temperature))
            throw new ArgumentOutOfRangeException(nameof(filter), $"Sampling: temperature {filter.Temperature} must be a positive number");
        if (filter.TopK < 0)
            throw new ArgumentOutOfRangeException(nameof(filter), $"Sampling: top-k {filter.TopK} must be 0 (all) or more");
        if (!(filter.TopP >= 0))
            throw new ArgumentOutOfRangeException(nameof(filter), $"Sampling: top-p {filter.TopP} must be 0 or more");
    }
}
