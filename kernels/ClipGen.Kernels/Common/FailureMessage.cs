using System.Runtime.CompilerServices;

namespace ClipGen.Kernels;

/// <summary>
/// The interpolated message of a check, put together only when the check fails: ops are called thousands of times a second, and formatting
/// their sizes for nothing would cost more than the smallest of them.
/// </summary>
[InterpolatedStringHandler]
public ref struct FailureMessage
{
    private DefaultInterpolatedStringHandler text;

    /// <summary>Called by the compiler in front of the pieces; they are skipped when the condition holds.</summary>
    public FailureMessage(int literalLength, int formattedCount, bool condition, out bool append)
    {
        append = !condition;
        text = condition ? default : new DefaultInterpolatedStringHandler(literalLength, formattedCount);
    }

    /// <summary>A constant piece.</summary>
    public void AppendLiteral(string value) => text.AppendLiteral(value);

    /// <summary>A value.</summary>
    public void AppendFormatted<T>(T value) => text.AppendFormatted(value);

    /// <summary>The finished text.</summary>
    public string ToStringAndClear() => text.ToStringAndClear();
}
