using System.CommandLine;

namespace ClipGen.Cli;

/// <summary>The number of attention heads, which no checkpoint tells.</summary>
internal static class HeadOption
{
    private const int Most = 1024;

    /// <summary>The given number; null for the rule width / 64.</summary>
    /// <exception cref="UsageException">It is not a sensible number.</exception>
    public static int? Value(ParseResult parsed, Option<int?> heads)
    {
        var count = parsed.GetValue(heads);
        return count is null or (>= 1 and <= Most) ? count : throw new UsageException($"--heads {count}: must be between 1 and {Most}");
    }
}
