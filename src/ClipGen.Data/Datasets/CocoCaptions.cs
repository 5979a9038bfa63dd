using System.Text.Json;

namespace ClipGen.Data.Datasets;

/// <summary>COCO's sentences, five or so about each picture, in <c>annotations/captions_train2017.json</c>: <c>images</c> with an <c>id</c> and a <c>file_name</c>, <c>annotations</c> with an <c>image_id</c> and a <c>caption</c>.</summary>
internal static class CocoCaptions
{
    private const long LargestFile = 1L << 30;

    /// <summary>The pictures that the file has sentences about: files by their names, records, whose order is that of the ids, by their places.</summary>
    /// <exception cref="DataException">The file is missing or damaged, or is about other pictures.</exception>
    public static CaptionedPictures Of(IPictureDataset pictures, string path)
    {
        var (names, sentences) = Read(path);
        if (pictures is FileDataset)
        {
            var byName = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
            foreach (var (id, name) in names)
                if (sentences.TryGetValue(id, out var said)) byName[name] = said;
            return CaptionedPictures.Of(pictures, n => byName.GetValueOrDefault(Path.GetFileName(pictures.NameOf(n)), []));
        }
        if (names.Count != pictures.Count) throw new DataException($"{path}: is about {names.Count:N0} pictures, {pictures.Name} holds {pictures.Count:N0}; they do not belong together");
        long[] ids = [.. names.Keys.Order()];
        return CaptionedPictures.Of(pictures, n => sentences.TryGetValue(ids[n], out var said) ? said : []);
    }

    private static (Dictionary<long, string> Names, Dictionary<long, List<string>> Sentences) Read(string path)
    {
        try
        {
            if (!File.Exists(path)) throw new DataException($"{path}: there is no such file; it holds COCO's sentences, which CLIP learns from");
            if (new FileInfo(path).Length > LargestFile) throw new DataException($"{path}: the file is larger than {LargestFile:N0} bytes");
            using var stream = File.OpenRead(path);
            using var json = JsonDocument.Parse(stream);
            Dictionary<long, string> names = [];
            Dictionary<long, List<string>> sentences = [];
            foreach (var image in json.RootElement.GetProperty("images").EnumerateArray()) names[image.GetProperty("id").GetInt64()] = image.GetProperty("file_name").GetString() ?? "";
            foreach (var note in json.RootElement.GetProperty("annotations").EnumerateArray())
            {
                if (note.GetProperty("caption").GetString()?.Trim() is not { Length: > 0 } caption) continue;
                var id = note.GetProperty("image_id").GetInt64();
                if (!sentences.TryGetValue(id, out var said)) sentences[id] = said = [];
                said.Add(caption);
            }
            return (names, sentences);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new DataException($"{path}: is not COCO's file of captions: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{path}: cannot read the file: {e.Message}", e);
        }
    }
}
