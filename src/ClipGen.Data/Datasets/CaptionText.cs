using System.Text;
using System.Text.Json;

namespace ClipGen.Data.Datasets;

/// <summary>Sentences as files hold them: plain text with one a line, or a JSON object with a caption.</summary>
internal static class CaptionText
{
    // Bytes of a text at most.
    private const int LargestText = 1 << 20;

    /// <summary>Keys of a JSON object, and columns of a table, that hold a sentence; the first one that is there counts.</summary>
    public static readonly string[] Keys = ["caption", "title", "text"];

    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>Checks that a text is no longer than sentences about a picture are, before it is read.</summary>
    /// <exception cref="DataException">It is.</exception>
    public static void RequireLength(long bytes, string name)
    {
        if (bytes > LargestText) throw new DataException($"{name}: has {bytes:N0} bytes; sentences about a picture have at most {LargestText:N0}");
    }

    /// <summary>The lines of a text that say something.</summary>
    /// <exception cref="DataException">It is no text.</exception>
    public static IReadOnlyList<string> Lines(byte[] bytes, string name)
    {
        string text;
        try
        {
            text = Strict.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new DataException($"{name}: is no text in UTF-8", e);
        }
        if (text.Contains('\0')) throw new DataException($"{name}: is no text");
        return [.. text.TrimStart('\uFEFF').Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];
    }

    /// <summary>The sentence, or sentences, of a JSON object.</summary>
    /// <exception cref="DataException">It is no JSON.</exception>
    public static IReadOnlyList<string> Json(byte[] bytes, string name)
    {
        try
        {
            using var json = JsonDocument.Parse(bytes);
            if (json.RootElement.ValueKind != JsonValueKind.Object) return [];
            foreach (var key in Keys)
            {
                if (!json.RootElement.TryGetProperty(key, out var value)) continue;
                if (value.ValueKind == JsonValueKind.String) return Said([value.GetString()!]);
                if (value.ValueKind == JsonValueKind.Array) return Said(value.EnumerateArray().Where(entry => entry.ValueKind == JsonValueKind.String).Select(entry => entry.GetString()!));
            }
            return [];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new DataException($"{name}: is no JSON: {e.Message}", e);
        }
    }

    /// <summary>Sentences without blanks around them; empty ones say nothing.</summary>
    public static IReadOnlyList<string> Said(IEnumerable<string> sentences) => [.. sentences.Select(sentence => sentence.Trim()).Where(sentence => sentence.Length > 0)];

    /// <summary>The sentences of a text file beside a picture: <c>a/b.txt</c> beside <c>a/b.jpg</c>; none where there is no such file.</summary>
    /// <exception cref="DataException">It can't be read.</exception>
    public static IReadOnlyList<string> Beside(string picture)
    {
        var path = Path.ChangeExtension(picture, ".txt");
        try
        {
            var file = new FileInfo(path);
            if (!file.Exists) return [];
            RequireLength(file.Length, path);
            return Lines(File.ReadAllBytes(path), path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{path}: cannot read the sentences: {e.Message}", e);
        }
    }
}
