namespace ClipGen.Kernels;

/// <summary>How many groups of a kernel a multiprocessor holds at once, worked out from what the kernel takes.</summary>
/// <param name="Groups">Groups at once.</param>
/// <param name="Warps">Their warps.</param>
/// <param name="MostWarps">Warps that the multiprocessor could hold.</param>
/// <param name="Limit">What lets no further group in: <c>warps</c>, <c>groups</c>, <c>registers</c> or <c>shared memory</c>.</param>
/// <remarks>Limits per compute capability: CUDA C++ Programming Guide, "Compute Capabilities", technical specifications.</remarks>
public sealed record CudaOccupancy(int Groups, int Warps, int MostWarps, string Limit)
{
    // A group's shared memory holds a kilobyte of the system's own besides; registers are given to a warp 256 at a time, shared memory 128 bytes at a time.
    private const int Registers = 65536, WarpSize = 32, RegisterUnit = 256, SharedUnit = 128, SystemShared = 1024;

    private static readonly Dictionary<int, (int Warps, int Groups, int SharedKilobytes)> Limits = new()
    {
        [80] = (64, 32, 164),
        [86] = (48, 16, 100),
        [89] = (48, 24, 100),
        [90] = (64, 32, 228),
    };

    /// <summary>Compute capabilities whose limits are known.</summary>
    public static IReadOnlyList<int> Capabilities { get; } = [.. Limits.Keys];

    /// <summary>Share of the warps that could be there.</summary>
    public double Share => (double)Warps / MostWarps;

    /// <summary>Works it out.</summary>
    /// <param name="resources">What the kernel takes.</param>
    /// <param name="threads">Threads of a group.</param>
    /// <param name="capability">One of <see cref="Capabilities"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">Another capability, or threads outside 1 to 1024.</exception>
    public static CudaOccupancy Of(KernelResources resources, int threads, int capability)
    {
        ArgumentNullException.ThrowIfNull(resources);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, 1024);
        if (!Limits.TryGetValue(capability, out var most)) throw new ArgumentOutOfRangeException(nameof(capability), capability, $"expected one of {string.Join(", ", Limits.Keys)}");
        var warps = (threads + WarpSize - 1) / WarpSize;
        var perWarp = Up(Math.Max(resources.Registers, 1) * WarpSize, RegisterUnit);
        var shared = Up(resources.SharedBytes + SystemShared, SharedUnit);
        (int Groups, string Limit)[] bounds =
        [
            (most.Warps / warps, "warps"),
            (most.Groups, "groups"),
            (Registers / perWarp / warps, "registers"),
            (most.SharedKilobytes * 1024 / shared, "shared memory"),
        ];
        var (groups, limit) = bounds.MinBy(bound => bound.Groups);
        return new CudaOccupancy(groups, groups * warps, most.Warps, limit);
    }

    private static int Up(int value, int unit) => (value + unit - 1) / unit * unit;
}
