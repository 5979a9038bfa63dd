using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ClipGen.Kernels;

/// <summary>Instruction sets that the CPU kernels are compiled for.</summary>
public enum SimdLevel
{
    /// <summary>128-bit vectors: SSE on x86, NEON on ARM; software where there is neither.</summary>
    Vector128,

    /// <summary>256-bit vectors with FMA.</summary>
    Avx2,

    /// <summary>512-bit vectors.</summary>
    Avx512,
}

/// <summary>What this machine has, and which level is used.</summary>
public static class SimdLevels
{
    /// <summary>Environment variable that forces a level: <c>avx512</c>, <c>avx2</c>, <c>vector128</c>.</summary>
    public const string Variable = "CLIPGEN_SIMD";

    /// <summary>Every level that runs here, slowest first.</summary>
    public static IReadOnlyList<SimdLevel> Available { get; } = Detect();

    /// <summary>The level of <see cref="Variable"/>, else the best.</summary>
    /// <exception cref="PlatformNotSupportedException">The variable names an unknown level, or one this processor lacks.</exception>
    public static SimdLevel Default
    {
        get
        {
            var forced = Environment.GetEnvironmentVariable(Variable);
            if (string.IsNullOrWhiteSpace(forced)) return Available[^1];
            if (!Enum.TryParse<SimdLevel>(forced, ignoreCase: true, out var level) || !Enum.IsDefined(level))
                throw new PlatformNotSupportedException($"{Variable}={forced}: expected avx512, avx2 or vector128");
            Require(level);
            return level;
        }
    }

    /// <summary>Throws when the processor (or a DOTNET_Enable… switch) rules a level out.</summary>
    public static void Require(SimdLevel level)
    {
        if (!Available.Contains(level))
            throw new PlatformNotSupportedException($"SIMD level {level} is not available here; available: {string.Join(", ", Available)}");
    }

    private static SimdLevel[] Detect()
    {
        List<SimdLevel> levels = [SimdLevel.Vector128];
        if (Vector256.IsHardwareAccelerated && Avx2.IsSupported && Fma.IsSupported) levels.Add(SimdLevel.Avx2);
        if (Avx512F.IsSupported && Avx512DQ.IsSupported && Avx512BW.IsSupported) levels.Add(SimdLevel.Avx512);
        return [.. levels];
    }
}
