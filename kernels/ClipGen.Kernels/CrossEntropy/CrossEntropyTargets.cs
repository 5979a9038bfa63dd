using System.Runtime.CompilerServices;

namespace ClipGen.Kernels;

/// <summary>The check of targets that all host backends share.</summary>
internal static unsafe class CrossEntropyTargets
{
    /// <exception cref="ArgumentOutOfRangeException">A target is outside the classes; nothing was written yet.</exception>
    public static void Require(int* targets, int rows, int classes, [CallerMemberName] string op = "")
    {
        for (var r = 0; r < rows; r++)
            if ((uint)targets[r] >= (uint)classes)
                throw new ArgumentOutOfRangeException(null, $"{op}: target {targets[r]} of row {r} is outside the {classes} classes");
    }
}
