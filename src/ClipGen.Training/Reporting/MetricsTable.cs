using System.Globalization;

namespace ClipGen.Training.Reporting;

/// <summary>One line of <c>metrics.csv</c>.</summary>
/// <param name="Epoch">Epoch, from 0.</param>
/// <param name="Step">Step of the whole run.</param>
/// <param name="Values">One number per column; null where nothing was measured.</param>
public sealed record MetricsRow(int Epoch, long Step, IReadOnlyList<double?> Values);

/// <summary>
/// The content of <c>metrics.csv</c>: a heading <c>epoch,step,NAME,...</c>, then one line per step, steps rising, cells empty where nothing
/// was measured. A last line without a line break was cut off while it was written and does not count.
/// </summary>
public sealed class MetricsTable
{
    private const string Epoch = "epoch", Step = "step";

    private MetricsTable(IReadOnlyList<string> columns, IReadOnlyList<MetricsRow> rows) => (Columns, Rows) = (columns, rows);

    /// <summary>A table without a column and without a row.</summary>
    public static MetricsTable Empty { get; } = new([], []);

    /// <summary>Names of the columns behind epoch and step.</summary>
    public IReadOnlyList<string> Columns { get; }

    /// <summary>Rows, by rising step.</summary>
    public IReadOnlyList<MetricsRow> Rows { get; }

    /// <summary>Reads a file, which a run may have open; a missing or empty one is an empty table.</summary>
    /// <exception cref="RunFolderException">It can't be read, or is not such a table.</exception>
    public static MetricsTable Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var lines = ReadText(path).Split('\n');
        // What follows the last line break is nothing, or a line that was cut off.
        if (lines.Length == 1) return Empty;
        var columns = ReadHeading(path, Cells(lines[0]));
        List<MetricsRow> rows = [];
        for (var i = 1; i < lines.Length - 1; i++) rows.Add(ReadRow(path, i + 1, Cells(lines[i]), columns.Length, rows.Count > 0 ? rows[^1].Step : -1));
        return new MetricsTable(columns, rows);
    }

    /// <summary>The measured values of a column, by rising step; empty for a column that is not there.</summary>
    public IReadOnlyList<(long Step, double Value)> Series(string column)
    {
        var index = Columns.ToList().IndexOf(column);
        return index < 0 ? [] : [.. Rows.Where(row => row.Values[index] is not null).Select(row => (row.Step, row.Values[index]!.Value))];
    }

    /// <summary>The same rows up to a step, with more columns behind the old ones.</summary>
    internal MetricsTable With(IEnumerable<string> columns, long lastStep)
    {
        var all = Columns.Union(columns, StringComparer.Ordinal).ToArray();
        return new MetricsTable(all, [.. Rows.Where(row => row.Step <= lastStep).Select(row => row with { Values = [.. row.Values, .. new double?[all.Length - row.Values.Count]] })]);
    }

    /// <summary>The heading as a line, with its line break.</summary>
    internal string Heading => string.Join(',', [Epoch, Step, .. Columns]) + "\n";

    /// <summary>A row as a line, with its line break: numbers in the shortest form that reads back as the same double; NaN, Infinity, -Infinity.</summary>
    internal static string Line(MetricsRow row) => string.Join(',',
        [row.Epoch.ToString(CultureInfo.InvariantCulture), row.Step.ToString(CultureInfo.InvariantCulture), .. row.Values.Select(value => value?.ToString("R", CultureInfo.InvariantCulture) ?? "")]) + "\n";

    /// <summary>Whether a name can head a column: letters, digits and _ / . - only, so that no cell ever needs quotes.</summary>
    internal static bool IsColumn(string name) => name.Length > 0 && name is not (Epoch or Step) && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '/' or '.' or '-');

    private static string[] Cells(string line) => line.TrimEnd('\r').Split(',');

    private static string ReadText(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(stream);
            return reader.ReadToEnd();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RunFolderException(path, $"can't be read ({e.Message}); check its permissions", e);
        }
    }

    private static string[] ReadHeading(string path, string[] cells)
    {
        string[] names = [.. cells.Skip(2)];
        if (cells.Length >= 2 && cells[0] == Epoch && cells[1] == Step && names.All(IsColumn) && names.Distinct(StringComparer.Ordinal).Count() == names.Length) return names;
        throw new RunFolderException(path, $"line 1: expected \"{Epoch},{Step},NAME,...\", found \"{Shown(string.Join(',', cells))}\"; move this file away or choose another --out");
    }

    private static MetricsRow ReadRow(string path, int line, string[] cells, int columns, long previous)
    {
        if (cells.Length != columns + 2) throw Wrong(path, line, $"{columns + 2} cells as in the heading", $"{cells.Length}");
        if (!int.TryParse(cells[0], NumberStyles.None, CultureInfo.InvariantCulture, out var epoch)) throw Wrong(path, line, "an epoch", $"\"{Shown(cells[0])}\"");
        if (!long.TryParse(cells[1], NumberStyles.None, CultureInfo.InvariantCulture, out var step)) throw Wrong(path, line, "a step", $"\"{Shown(cells[1])}\"");
        if (step <= previous) throw Wrong(path, line, $"a step above {previous}", $"{step}");
        return new MetricsRow(epoch, step, [.. cells.Skip(2).Select(cell => cell.Length == 0 ? (double?)null
            : double.TryParse(cell, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : throw Wrong(path, line, "a number or nothing", $"\"{Shown(cell)}\""))]);
    }

    private static RunFolderException Wrong(string path, int line, string expected, string found) =>
        new(path, $"line {line}: expected {expected}, found {found}; repair or remove the line, or move the file away");

    private static string Shown(string text) => text.Length <= 60 ? text : text[..60] + "...";
}
