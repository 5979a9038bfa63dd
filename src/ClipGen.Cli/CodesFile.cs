using System.Text;
using System.Text.Json;

namespace ClipGen.Cli;

/// <summary>Code grids of pictures in a file: <c>{"codes":[[[...]]]}</c>, images x rows x columns. Nothing in a file is trusted.</summary>
internal static class CodesFile
{
    /// <summary>Largest file that is read: some 40,000 pictures of 16 x 16 codes.</summary>
    private const long LargestFile = 64 << 20;

    /// <summary>Largest side of a grid: what a picture of 1024 pixels has. The decoder's attention grows with the fourth power of it.</summary>
    private const int LargestSide = 64;

    private const string Expected = "expected {\"codes\": images x rows x columns}, as `clipgen encode` writes it";

    /// <summary>Writes grids, one row of codes per line.</summary>
    public static void Write(string option, string path, IReadOnlyList<int[][]> images)
    {
        var text = new StringBuilder("{\"codes\":[");
        for (var n = 0; n < images.Count; n++)
        {
            text.Append(n == 0 ? "\n[" : ",\n[");
            text.AppendJoin(",\n ", images[n].Select(row => $"[{string.Join(",", row)}]"));
            text.Append(']');
        }
        OutputFiles.WriteText(option, path, text.Append("\n]}\n").ToString());
    }

    /// <summary>Reads grids, all of one size.</summary>
    /// <param name="path">The file.</param>
    /// <param name="codes">Size of the codebook: every code is below it.</param>
    /// <exception cref="JobException">The file can't be read or is something else.</exception>
    public static int[][][] Read(string path, int codes)
    {
        using var document = Parse(path);
        if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("codes", out var list) || list.ValueKind != JsonValueKind.Array)
            throw new JobException($"{path}: holds no codes; {Expected}");
        var images = list.EnumerateArray().Select((image, n) => Image(path, n, image, codes)).ToArray();
        if (images.Length == 0) throw new JobException($"{path}: holds no image; {Expected}");
        for (var n = 1; n < images.Length; n++)
            if (images[n].Length != images[0].Length || images[n][0].Length != images[0][0].Length)
                throw new JobException($"{path}: image {n} has {images[n].Length} x {images[n][0].Length} codes, image 0 has {images[0].Length} x {images[0][0].Length}; put pictures of different sizes into different files");
        return images;
    }

    private static JsonDocument Parse(string path)
    {
        if (Directory.Exists(path)) throw new JobException($"{path}: is a folder; give the file that `clipgen encode` wrote");
        if (!File.Exists(path)) throw new JobException($"{path}: no such file; `clipgen encode` writes one");
        try
        {
            using var file = File.OpenRead(path);
            if (file.Length > LargestFile) throw new JobException($"{path}: has {file.Length:N0} bytes, at most {LargestFile:N0} are read; split it");
            // Four levels are used; a nest of thousands of brackets need not be followed.
            return JsonDocument.Parse(file, new JsonDocumentOptions { MaxDepth = 8 });
        }
        catch (JsonException failure)
        {
            var place = failure.LineNumber is { } line ? $" at line {line + 1}" : "";
            throw new JobException($"{path}: is not JSON{place}; {Expected}");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new JobException($"{path}: can't be read ({failure.Message})");
        }
    }

    private static int[][] Image(string path, int n, JsonElement image, int codes)
    {
        int Length(JsonElement array, string what)
        {
            if (array.ValueKind != JsonValueKind.Array) throw new JobException($"{path}: {what} is not a list; {Expected}");
            var length = array.GetArrayLength();
            return length is > 0 and <= LargestSide ? length : throw new JobException($"{path}: {what} has {length} entries, expected 1 to {LargestSide}");
        }

        var rows = new int[Length(image, $"image {n}")][];
        var y = 0;
        foreach (var row in image.EnumerateArray())
        {
            rows[y] = new int[Length(row, $"image {n}, row {y}")];
            if (rows[y].Length != rows[0].Length) throw new JobException($"{path}: image {n}, row {y} has {rows[y].Length} codes, row 0 has {rows[0].Length}");
            var x = 0;
            foreach (var code in row.EnumerateArray())
            {
                if (code.ValueKind != JsonValueKind.Number || !code.TryGetInt32(out rows[y][x]) || rows[y][x] < 0 || rows[y][x] >= codes)
                    throw new JobException($"{path}: image {n}, row {y}, column {x} is {Shown(code)}, expected a code from 0 to {codes - 1}, the codebook of this VQ-GAN");
                x++;
            }
            y++;
        }
        return rows;
    }

    private static string Shown(JsonElement value)
    {
        const int longest = 20;
        if (value.ValueKind is JsonValueKind.Array or JsonValueKind.Object) return "a list or object";
        var text = value.GetRawText();
        return text.Length <= longest ? text : $"{text[..longest]}...";
    }
}
