using System.Globalization;

namespace ClipGen.Training.Reporting;

/// <summary>Measured numbers for people.</summary>
internal static class NumberText
{
    /// <summary>Four digits, at most <see cref="Width"/> characters: <c>1.234</c>, <c>0.01234</c>, <c>12340</c>; <c>4.5e-06</c> where small or large; <c>NaN</c>, <c>inf</c>, <c>-inf</c>.</summary>
    public static string Of(double value)
    {
        if (double.IsNaN(value)) return "NaN";
        if (double.IsInfinity(value)) return value > 0 ? "inf" : "-inf";
        if (value == 0) return "0";
        var size = Math.Abs(value);
        if (size is < 1e-3 or >= 99999.5) return value.ToString("0.0##e-00", CultureInfo.InvariantCulture);
        var decimals = Math.Clamp(3 - (int)Math.Floor(Math.Log10(size)), 0, 6);
        return value.ToString($"F{decimals}", CultureInfo.InvariantCulture);
    }

    /// <summary>The longest text: <c>-1.234e-100</c> does not occur in training, <c>-1.234e-05</c> does.</summary>
    public const int Width = 10;
}
