using System.Text;

namespace ClipGen.Checkpoints.Tests;

/// <summary>Files that are no checkpoints are called by their names, with the remedy.</summary>
public class RecognitionTests
{
    public static TheoryData<string, byte[], string> Files => new()
    {
        { "html", "\n <HTML><body>503</body></HTML>"u8.ToArray(), "this is an HTML page" },
        { "xml", "<?xml version=\"1.0\"?><Error/>"u8.ToArray(), "XML text" },
        { "pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"u8.ToArray(), "`git lfs pull`" },
        { "json", "{\"a\": 1, \"long enough\": [1, 2, 3]}"u8.ToArray(), "text file" },
        { "umlauts cut", Encoding.UTF8.GetBytes(new string('\u00fc', 400))[..511], "text file" },
        { "gzip", [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0], "gzip" },
        { "tar", [.. new byte[257], .. "ustar\0"u8, .. new byte[300]], "tar archive" },
        { "preview", "PYTORCH1\0\0\0\0\0\0\0\0"u8.ToArray(), "preview format" },
        { "png", [0x89, .. "PNG\r\n\x1a\n"u8, .. new byte[20]], "PNG" },
        { "numpy", [0x93, .. "NUMPY\x01\0"u8, .. new byte[20]], "NumPy" },
        { "short", [1, 0, 0], "only 3 bytes" },
        { "zeros", new byte[100], "neither" },
        { "empty zip", [.. "PK\x05\x06"u8, .. new byte[18]], "empty zip" },
        { "zip start", "PK\x03\x04"u8.ToArray(), "truncated" },
        { "bare pickle", [0x80, 2, (byte)'N', (byte)'.'], "magic number" },
        { "pickle start", [0x80, 2], "truncated" },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public void Says_what_it_is(string name, byte[] bytes, string reason)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write(name, bytes);
        var error = Assert.Throws<CheckpointException>(() => Checkpoint.Open(path).Dispose());
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_files_folders_and_useless_paths_are_refused()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("no such file", Refusal(folder.File("missing.pt")), StringComparison.Ordinal);
        Assert.Contains("no such file", Refusal(folder.File("missing/a.pt")), StringComparison.Ordinal);
        Assert.Contains("folder", Refusal(folder.Path), StringComparison.Ordinal);
        Assert.Contains("not a usable path", Refusal(""), StringComparison.Ordinal);
        Assert.Contains("not a usable path", Refusal("a\0b"), StringComparison.Ordinal);

        static string Refusal(string path) => Assert.Throws<CheckpointException>(() => Checkpoint.Open(path)).Message;
    }

    [Fact]
    public void A_file_that_shrinks_while_it_is_open_gives_a_clear_error()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("a.safetensors");
        SafetensorsWriter.Write(path, [TensorSource.From("w", new float[1000], 1000)]);
        using var checkpoint = Checkpoint.Open(path);
        using (var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) stream.SetLength(500);
        Assert.Contains("truncated", Assert.Throws<CheckpointException>(() => checkpoint.Tensors[0].ReadFloats(0, new float[1000])).Message, StringComparison.Ordinal);
    }
}
