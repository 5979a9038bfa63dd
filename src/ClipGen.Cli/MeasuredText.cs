using System.Globalization;

namespace ClipGen.Cli;

/// <summary>Times and sizes for people.</summary>
internal static class MeasuredText
{
    /// <summary>A time in the unit that suits it: <c>12.3 us</c>, <c>4.56 ms</c>, <c>7.89 s</c>.</summary>
    public static string Time(double seconds) => seconds switch
    {
        < 1e-3 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e6:F1} us"),
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e3:F2} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds:F2} s"),
    };

    /// <summary>A size in the unit that suits it: <c>12.3 KiB</c>, <c>4.5 MiB</c>, <c>6.78 GiB</c>.</summary>
    public static string Bytes(double bytes) => bytes switch
    {
        >= 1 << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (1 << 30):F2} GiB"),
        >= 1 << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (1 << 20):F1} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024:F1} KiB"),
    };

    /// <summary>A size of the order of a machine's: <c>23.5 GiB</c>.</summary>
    public static string GiB(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):F1} GiB");
}
