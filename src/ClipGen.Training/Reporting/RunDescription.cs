using System.Globalization;
using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using ClipGen.Files;

namespace ClipGen.Training.Reporting;

/// <summary>Where a setting's value comes from.</summary>
public enum SettingOrigin
{
    /// <summary>Nobody said otherwise.</summary>
    Default,

    /// <summary>The command line.</summary>
    Option,

    /// <summary>The checkpoint that the run continues or builds on.</summary>
    Checkpoint,
}

/// <summary>One setting as the run uses it.</summary>
/// <param name="Name">Its name, as on the command line without dashes.</param>
/// <param name="Value">Its value as text.</param>
/// <param name="Origin">Where the value comes from.</param>
public sealed record Setting(string Name, string Value, SettingOrigin Origin);

/// <summary>What a run is: heading of the log and the report, content of <c>config.json</c>.</summary>
public sealed record RunDescription
{
    /// <summary>The command, for example <c>train vqgan</c>.</summary>
    public required string Command { get; init; }

    /// <summary>The model in a few words: kind, size, parameters.</summary>
    public required string Model { get; init; }

    /// <summary>The whole command line, to be given again.</summary>
    public required string CommandLine { get; init; }

    /// <summary>Seed of the random numbers.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Start of this run, or of its continuation.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>Every setting, in the order to show.</summary>
    public required IReadOnlyList<Setting> Settings { get; init; }

    /// <summary>Version of the program.</summary>
    public string Version { get; init; } =
        typeof(RunDescription).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    /// <summary>Writes the description as JSON, in one piece: <c>{"command","model","commandLine","seed","started","version","settings":{NAME:{"value","from"}}}</c>; the seed is text, for it may be larger than JSON readers' integers.</summary>
    /// <exception cref="RunFolderException">The file can't be written.</exception>
    public void WriteJson(string path) => AtomicFile.Write(path, stream =>
    {
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("command", Command);
            json.WriteString("model", Model);
            json.WriteString("commandLine", CommandLine);
            json.WriteString("seed", Seed.ToString(CultureInfo.InvariantCulture));
            json.WriteString("started", Started);
            json.WriteString("version", Version);
            json.WriteStartObject("settings");
            foreach (var setting in Settings)
            {
                json.WriteStartObject(setting.Name);
                json.WriteString("value", setting.Value);
                json.WriteString("from", NameOf(setting.Origin));
                json.WriteEndObject();
            }
            json.WriteEndObject();
            json.WriteEndObject();
        }
        stream.Write("\n"u8);
    }, (reason, cause) => RunFolderException.Unwritable(path, reason, cause));

    /// <summary>The origin as the table, the report and the file name it.</summary>
    internal static string NameOf(SettingOrigin origin) => origin switch
    {
        SettingOrigin.Option => "option",
        SettingOrigin.Checkpoint => "checkpoint",
        _ => "default",
    };
}
