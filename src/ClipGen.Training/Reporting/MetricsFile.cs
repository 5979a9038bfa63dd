using System.Text;
using ClipGen.Files;

namespace ClipGen.Training.Reporting;

/// <summary>
/// <c>metrics.csv</c> while a run writes it: <c>epoch,step</c>, then columns that are fixed when the file is opened; a cell is empty where a
/// step measured nothing. No step stands twice. Each row reaches the system at once, so that the file can be followed. Format: <see cref="MetricsTable"/>.
/// </summary>
public sealed class MetricsFile : IDisposable
{
    private readonly FileStream stream;
    private readonly double?[] cells;
    private MetricsRow? last;
    private long lastStart;

    private MetricsFile(string path, MetricsTable table)
    {
        Path = path;
        Columns = table.Columns;
        cells = new double?[Columns.Count];
        AtomicFile.Write(path, file =>
        {
            file.Write(Encoding.UTF8.GetBytes(table.Heading));
            lastStart = file.Position;
            foreach (var row in table.Rows)
            {
                lastStart = file.Position;
                file.Write(Encoding.UTF8.GetBytes(MetricsTable.Line(row)));
            }
        }, (reason, cause) => RunFolderException.Unwritable(path, reason, cause));
        if (table.Rows.Count > 0) (last, cells) = (table.Rows[^1], [.. table.Rows[^1].Values]);
        try
        {
            // Without a buffer, so that a row is one write.
            stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw RunFolderException.Unwritable(path, e.Message, e);
        }
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Names of the columns behind epoch and step.</summary>
    public IReadOnlyList<string> Columns { get; }

    /// <summary>Opens the file of a run.</summary>
    /// <param name="path">The file.</param>
    /// <param name="columns">Every metric that the run may measure, those that come only in later epochs too: ASCII letters, digits, and _ / . -</param>
    /// <param name="resumedStep">
    /// Null begins anew and replaces a file that is there. A step continues that file: rows behind the step are dropped, for the run will make
    /// them again, and columns that the file lacks are added behind its own. The file is replaced in one piece.
    /// </param>
    /// <exception cref="ArgumentException">A name is not allowed, or stands twice.</exception>
    /// <exception cref="RunFolderException">The file can't be written, or what is to be continued is not such a file.</exception>
    public static MetricsFile Open(string path, IReadOnlyList<string> columns, long? resumedStep = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(columns);
        if (columns.FirstOrDefault(name => !MetricsTable.IsColumn(name)) is { } wrong)
            throw new ArgumentException($"\"{wrong}\" can't head a column; expected ASCII letters, digits and _ / . - other than \"epoch\" and \"step\"", nameof(columns));
        if (columns.Distinct(StringComparer.Ordinal).Count() != columns.Count) throw new ArgumentException("a column stands twice", nameof(columns));
        var old = resumedStep is null ? MetricsTable.Empty : MetricsTable.Read(path);
        return new MetricsFile(path, old.With(columns, resumedStep ?? 0));
    }

    /// <summary>Writes a row. The step of the row before completes that row, which keeps its epoch: a validation at the end of an epoch joins the training's last interval.</summary>
    /// <param name="epoch">Epoch, from 0.</param>
    /// <param name="step">Step; not below that of the row before.</param>
    /// <param name="values">What was measured, by column.</param>
    /// <exception cref="ArgumentException">A name is not a column, or the step is below the last one.</exception>
    /// <exception cref="RunFolderException">The file can't be written.</exception>
    public void Append(int epoch, long step, IEnumerable<KeyValuePair<string, double>> values)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentNullException.ThrowIfNull(values);
        if (step < last?.Step) throw new ArgumentException($"step {step} comes after step {last.Step}", nameof(step));
        var measured = values.Select(pair => (Index: ColumnOf(pair.Key), pair.Value)).ToArray();
        var same = step == last?.Step;
        if (!same) Array.Clear(cells);
        foreach (var (index, value) in measured) cells[index] = value;
        last = new MetricsRow(same ? last!.Epoch : epoch, step, [.. cells]);
        try
        {
            if (!same) lastStart = stream.Length;
            stream.Position = lastStart;
            stream.Write(Encoding.UTF8.GetBytes(MetricsTable.Line(last)));
            stream.SetLength(stream.Position);
        }
        catch (Exception e) when (e is IOException || AtomicFile.IsTooLong(e))
        {
            throw RunFolderException.Unwritable(Path, $"{e.Message.TrimEnd('.')}; check the free space", e);
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => stream.Dispose();

    private int ColumnOf(string name)
    {
        for (var i = 0; i < Columns.Count; i++)
            if (Columns[i] == name) return i;
        throw new ArgumentException($"\"{name}\" is not a column; this file has {string.Join(", ", Columns)}", nameof(name));
    }
}
