using System.Globalization;
using ClipGen.Checkpoints;

namespace ClipGen.Training.Reporting;

/// <summary>
/// The folder of one training run, <c>output/KIND/DATASET/</c>, held by one process at a time:
/// <code>
/// latest.pt            the newest state, to continue from
/// best.pt              the state with the best validation
/// step-00001000.pt     numbered states; the last few are kept
/// runs/                TensorBoard event files
/// previews/            pictures, NAME-00001000.png
/// metrics.csv  report.html  config.json
/// encoded.safetensors  codes and embeddings of all pictures (train gpt --cache-codes)
/// .lock                held open by the run; means nothing once the run is gone
/// </code>
/// </summary>
public sealed class RunFolder : IDisposable
{
    private const string NumberedPrefix = "step-", NumberedSuffix = ".pt", ProbePrefix = "probe-";
    private readonly int keep;
    private readonly FileStream held;
    private readonly string[] made;

    private RunFolder(string path, int keep, FileStream held, string[] made) => (Path, this.keep, this.held, this.made) = (path, keep, held, made);

    /// <summary>The folder, as a full path.</summary>
    public string Path { get; }

    /// <summary>The newest state.</summary>
    public string LatestCheckpoint => At("latest.pt");

    /// <summary>The state with the best validation.</summary>
    public string BestCheckpoint => At("best.pt");

    /// <summary>Folder of the event files.</summary>
    public string EventFolder => At("runs");

    /// <summary>Folder of the preview pictures.</summary>
    public string PreviewFolder => At("previews");

    /// <summary>Encoded pictures, for a run that goes on.</summary>
    public string EncodedPath => At("encoded.safetensors");

    /// <summary>The metrics table.</summary>
    public string MetricsPath => At("metrics.csv");

    /// <summary>The report.</summary>
    public string ReportPath => At("report.html");

    /// <summary>The run's description.</summary>
    public string ConfigPath => At("config.json");

    /// <summary>Creates the folder where missing, takes hold of it, and removes halves of files that a killed run left.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="keep">Numbered checkpoints to keep, at least 1.</param>
    /// <exception cref="RunFolderException">It can't be created or written to, or another run holds it.</exception>
    public static RunFolder Open(string path, int keep = 3)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keep, 1);
        if (string.IsNullOrWhiteSpace(path)) throw new RunFolderException("--out", "is empty; give a folder");
        var full = System.IO.Path.GetFullPath(path);
        FileStream held;
        List<string> made = [];
        try
        {
            string[] inner = [System.IO.Path.Combine(full, "runs"), System.IO.Path.Combine(full, "previews")];
            made.AddRange(inner.Where(folder => !Directory.Exists(folder)));
            for (var folder = full; folder is not null && !Directory.Exists(folder); folder = System.IO.Path.GetDirectoryName(folder)) made.Add(folder);
            foreach (var folder in (string[])[full, .. inner])
            {
                Directory.CreateDirectory(folder);
                using var probe = new FileStream(System.IO.Path.Combine(folder, $".{ProbePrefix}{Guid.NewGuid():N}"), FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new RunFolderException(path, $"can't be written to ({e.Message.TrimEnd('.')}); choose another --out or change its permissions", e);
        }
        try
        {
            held = new FileStream(System.IO.Path.Combine(full, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Files can be written here, so that the lock can't be opened has one usual reason.
            throw new RunFolderException(path, "another training is writing into this folder; wait for it, stop it, or choose another --out", e);
        }
        RemoveHalves(full);
        return new RunFolder(full, keep, held, [.. made]);
    }

    /// <summary>The numbered checkpoint of a step.</summary>
    public string NumberedCheckpoint(long step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        return At(string.Create(CultureInfo.InvariantCulture, $"{NumberedPrefix}{step:D8}{NumberedSuffix}"));
    }

    /// <summary>Numbered checkpoints on the disk, newest first.</summary>
    public IReadOnlyList<(long Step, string Path)> ListNumbered() =>
        [.. Directory.EnumerateFiles(Path, $"{NumberedPrefix}*{NumberedSuffix}").Select(file => (Step: StepOf(file), file)).Where(pair => pair.Step >= 0).OrderByDescending(pair => pair.Step)];

    /// <summary>
    /// Writes a numbered checkpoint, and only when it is on the disk deletes the oldest before it, so that at most <c>keep</c> remain. Numbers
    /// above this one are from before the run was set back; they stay until the run passes them.
    /// </summary>
    /// <param name="step">Steps done.</param>
    /// <param name="write">Writes the file whole: under another name first, then renamed, as the checkpoint writers do.</param>
    /// <exception cref="RunFolderException">The file is not there afterwards, or an old one can't be deleted.</exception>
    public void SaveNumbered(long step, Action<string> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        var path = NumberedCheckpoint(step);
        write(path);
        if (new FileInfo(path) is not { Exists: true, Length: > 0 }) throw new RunFolderException(path, "is not there after saving; older checkpoints are kept");
        foreach (var (_, old) in ListNumbered().Where(pair => pair.Step <= step).Skip(keep))
        {
            try
            {
                File.Delete(old);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new RunFolderException(old, $"an old checkpoint can't be deleted ({e.Message}); delete it by hand", e);
            }
        }
    }

    /// <summary>What can be continued from, in the order to try: latest, numbered from the newest, best.</summary>
    public IReadOnlyList<string> ResumeCandidates() => [.. ((string[])[LatestCheckpoint, .. ListNumbered().Select(pair => pair.Path), BestCheckpoint]).Where(File.Exists)];

    /// <summary>Reads <c>--resume</c>: <c>auto</c> is latest.pt when it is there, else nothing; anything else is a file.</summary>
    /// <returns>The file to continue from, or null to begin anew.</returns>
    /// <exception cref="RunFolderException">The file that was named does not exist, or what to continue from is damaged (every checksum is compared).</exception>
    public string? Resume(string option)
    {
        ArgumentException.ThrowIfNullOrEmpty(option);
        if (option != "auto")
        {
            if (!File.Exists(option)) throw new RunFolderException($"--resume {option}", $"no such file; expected auto or a checkpoint{Others(" such as ")}");
            Verify(option);
            return option;
        }
        if (!File.Exists(LatestCheckpoint)) return null;
        try
        {
            Verify(LatestCheckpoint);
            return LatestCheckpoint;
        }
        catch (CheckpointException damage)
        {
            // Beginning anew would overwrite what may be the only trace of a long run.
            throw new RunFolderException(LatestCheckpoint, $"is damaged ({damage.Message}){Others("; continue with --resume ")}; or remove it to begin anew", damage);
        }
    }

    /// <summary>Where a preview of a step belongs.</summary>
    /// <param name="name">What it shows, for example <c>reconstructions</c>: ASCII letters, digits and _ only.</param>
    /// <param name="step">Steps done.</param>
    /// <exception cref="ArgumentException">The name is not allowed.</exception>
    public string PreviewPath(string name, long step)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (!name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')) throw new ArgumentException($"\"{name}\" can't name a preview; expected ASCII letters, digits and _", nameof(name));
        return System.IO.Path.Combine(PreviewFolder, string.Create(CultureInfo.InvariantCulture, $"{name}-{step:D8}.png"));
    }

    /// <summary>The newest preview of every name, by name.</summary>
    public IReadOnlyList<(string Name, long Step, string Path)> LatestPreviews() =>
    [
        .. Directory.EnumerateFiles(PreviewFolder, "*.png")
            .Select(path => (Parts: System.IO.Path.GetFileNameWithoutExtension(path).Split('-'), path))
            .Where(file => file.Parts.Length == 2 && IsNumber(file.Parts[1]))
            .Select(file => (Name: file.Parts[0], Step: long.Parse(file.Parts[1], CultureInfo.InvariantCulture), file.path))
            .GroupBy(file => file.Name, StringComparer.Ordinal)
            .Select(files => files.MaxBy(file => file.Step))
            .OrderBy(file => file.Name, StringComparer.Ordinal),
    ];

    /// <summary>Lets go of the folder. A run that ended before it wrote anything takes along what it made.</summary>
    public void Dispose()
    {
        if (made.Length > 0 && ResumeCandidates().Count == 0 && !File.Exists(ConfigPath) && !Directory.EnumerateFileSystemEntries(EventFolder).Any()) RemoveMade();
        held.Dispose();
    }

    private void RemoveMade()
    {
        try
        {
            File.Delete(held.Name);
            foreach (var folder in made) Directory.Delete(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Empty folders harm nobody.
        }
    }

    private static void Verify(string path)
    {
        using var checkpoint = Checkpoint.Open(path);
        checkpoint.Verify();
    }

    private static bool IsNumber(string text) => text.Length is >= 8 and <= 18 && text.All(char.IsAsciiDigit);

    private static long StepOf(string file)
    {
        var digits = System.IO.Path.GetFileName(file)[NumberedPrefix.Length..^NumberedSuffix.Length];
        return IsNumber(digits) ? long.Parse(digits, CultureInfo.InvariantCulture) : -1;
    }

    // Files appear by renaming a sibling FILE.<32 hex digits>.tmp; a run that is killed while it saves leaves that, gigabytes of it. A probe is left by one that is killed while it starts.
    private static void RemoveHalves(string folder)
    {
        foreach (var file in ((string[])[folder, System.IO.Path.Combine(folder, "runs"), System.IO.Path.Combine(folder, "previews")]).SelectMany(inside => Directory.GetFiles(inside)).Where(IsHalf))
        {
            try
            {
                File.Delete(file);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It costs space, nothing else.
            }
        }
    }

    private static bool IsHalf(string file) => System.IO.Path.GetFileName(file).Split('.') switch
    {
        [_, _, .., var digits, "tmp"] => IsUnique(digits),
        ["", var name] => name.StartsWith(ProbePrefix, StringComparison.Ordinal) && IsUnique(name[ProbePrefix.Length..]),
        _ => false,
    };

    private static bool IsUnique(string digits) => digits.Length == 32 && digits.All(char.IsAsciiHexDigitLower);

    private string At(string name) => System.IO.Path.Combine(Path, name);

    private string Others(string lead)
    {
        var others = ResumeCandidates().Where(file => file != LatestCheckpoint).Take(1).ToArray();
        return others.Length == 0 ? "" : $"{lead}{others[0]}";
    }
}
