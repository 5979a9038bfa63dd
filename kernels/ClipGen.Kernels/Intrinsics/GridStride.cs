using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

/// <summary>The elements of a thread where a whole launch strides over an array.</summary>
internal static class GridStride
{
    /// <summary>This thread's first element.</summary>
    public static long First
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (long)Grid.IdxX * Group.DimX + Group.IdxX;
    }

    /// <summary>Distance to its next one.</summary>
    public static long Step
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (long)Grid.DimX * Group.DimX;
    }
}
