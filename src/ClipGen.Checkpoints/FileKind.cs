using System.Text;

namespace ClipGen.Checkpoints;

/// <summary>What a file is by its first bytes: one of the formats, or a refusal that says what it is instead.</summary>
internal static class FileKind
{
    private const int Peek = 512;

    private static readonly (byte[] Magic, int Offset, string What)[] Others =
    [
        ("PYTORCH1"u8.ToArray(), 0, "in the preview format of PyTorch 1.5; save it again with a current PyTorch"),
        ("ustar"u8.ToArray(), 257, "a tar archive, or a checkpoint of PyTorch 0.1, which is not read; unpack it, or save it again with a current PyTorch"),
        ([0x1F, 0x8B], 0, "gzip-compressed; unpack it with gunzip first"),
        ([0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z'], 0, "xz-compressed; unpack it first"),
        ([0x28, 0xB5, 0x2F, 0xFD], 0, "zstd-compressed; unpack it first"),
        ([(byte)'7', (byte)'z', 0xBC, 0xAF], 0, "a 7z archive; unpack it first"),
        ("GGUF"u8.ToArray(), 0, "a GGUF file; convert it to safetensors"),
        ([0x89, (byte)'H', (byte)'D', (byte)'F'], 0, "an HDF5 file; convert it to safetensors"),
        ([0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'], 0, "a NumPy array; convert it to safetensors"),
        ([0x89, (byte)'P', (byte)'N', (byte)'G'], 0, "a PNG picture, not a checkpoint; give the path of a .pt or .safetensors file"),
        ([0xFF, 0xD8, 0xFF], 0, "a JPEG picture, not a checkpoint; give the path of a .pt or .safetensors file"),
    ];

    public static CheckpointFormat Recognize(CheckpointFile file)
    {
        if (file.Length == 0) throw file.Refuse("is empty (0 bytes); the download or copy failed, get it again");
        Span<byte> start = stackalloc byte[(int)Math.Min(Peek, file.Length)];
        file.Read(0, start);
        if (start.StartsWith("PK\x03\x04"u8)) return CheckpointFormat.PyTorchZip;
        if (start.StartsWith("PK\x05\x06"u8)) throw file.Refuse("is an empty zip file, not a checkpoint; get it again");
        if (start.StartsWith("version https://git-lfs"u8)) throw file.Refuse("this is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`");
        foreach (var (magic, offset, what) in Others)
            if (start.Length >= offset + magic.Length && start[offset..].StartsWith(magic))
                throw file.Refuse($"is {what}");
        if (IsText(start)) throw file.Refuse(DescribeText(start));
        if (start[0] == 0x80 && start.Length > 1 && start[1] is >= 2 and <= 5) return CheckpointFormat.PyTorchLegacy;
        if (start.Length > 8 && start[8] == '{') return CheckpointFormat.Safetensors;
        if (start.Length < 16) throw file.Refuse($"has only {file.Length} bytes; the file was truncated, get it again");
        throw file.Refuse($"is neither a PyTorch nor a safetensors file (it begins with {Convert.ToHexStringLower(start[..8])}); give the path of a checkpoint, or get the file again if it should be one");
    }

    private static bool IsText(ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
            if (b is < 0x20 and not ((byte)'\n' or (byte)'\r' or (byte)'\t') or 0x7F)
                return false;
        // The peek may end inside a character; up to three bytes of it are left out.
        for (var cut = 0; cut < 4 && cut < bytes.Length; cut++)
            if (System.Text.Unicode.Utf8.IsValid(bytes[..^cut]))
                return true;
        return false;
    }

    private static string DescribeText(ReadOnlySpan<byte> bytes)
    {
        var text = Encoding.UTF8.GetString(bytes).TrimStart('\uFEFF', ' ', '\t', '\r', '\n');
        if (text.StartsWith("<!doctype html", StringComparison.OrdinalIgnoreCase) || text.StartsWith("<html", StringComparison.OrdinalIgnoreCase))
            return "this is an HTML page; the download was probably an error page, get the file again and check the address";
        if (text.StartsWith("<?xml", StringComparison.OrdinalIgnoreCase)) return "this is an XML text, probably a server's error message; get the file again and check the address";
        var line = text.Split('\n')[0].TrimEnd();
        return $"this is a text file (\"{(line.Length > 40 ? line[..40] + "..." : line)}\"), not a checkpoint; give the path of a .pt or .safetensors file";
    }
}
