using System.Numerics;
using ClipGen.Checkpoints;
using ClipGen.Data.Datasets;

namespace ClipGen.Data.Records;

/// <summary>
/// What is in a sample of FFRecord: the bytes of a picture's file; a pickled dict that has them as <c>image_bytes</c> (Conceptual Captions as published); a pickled picture of Pillow (COCO and ImageNet as published), or a tuple
/// that begins with one. Pickles are read as data: of classes only Pillow's pictures may be named, and nothing is run.
/// </summary>
internal static class SampleCodec
{
    private const string EncodedKey = "image_bytes", CaptionKey = "caption";

    /// <summary>The bytes of a picture's file; a picture of Pillow, which has none any more, becomes a PNG.</summary>
    /// <exception cref="DataException">It is a pickle of something else, or damaged.</exception>
    public static byte[] Encoded(byte[] sample, string name)
    {
        if (!PickledRecord.IsPickle(sample)) return sample;
        var value = Read(sample, name);
        return EncodedIn(value) ?? PictureFile.EncodePng(Pillow(value, name));
    }

    /// <summary>The picture.</summary>
    /// <exception cref="DataException">It can't be decoded.</exception>
    public static Picture Decode(byte[] sample, string name)
    {
        if (!PickledRecord.IsPickle(sample)) return PictureFile.Decode(sample, name);
        var value = Read(sample, name);
        return EncodedIn(value) is { } bytes ? PictureFile.Decode(bytes, name) : Pillow(value, name);
    }

    /// <summary>The sentence in a pickled dict's <c>caption</c>; none in anything else.</summary>
    /// <exception cref="DataException">It is a damaged pickle.</exception>
    public static IReadOnlyList<string> Caption(byte[] sample, string name)
    {
        if (!PickledRecord.IsPickle(sample)) return [];
        return Read(sample, name) is { Kind: NodeKind.Dict, ClassName: null } value && value[CaptionKey] is { Kind: NodeKind.String } caption ? CaptionText.Said([caption.String]) : [];
    }

    private static CheckpointNode Read(byte[] sample, string name)
    {
        try
        {
            return PickledRecord.Read(sample, name, IsPicture);
        }
        catch (CheckpointException e)
        {
            throw new DataException(e.Message, e);
        }
    }

    // PIL.Image.Image, or the class of the file it came from, such as PIL.JpegImagePlugin.JpegImageFile.
    private static bool IsPicture(string module, string name) =>
        (module, name) == ("PIL.Image", "Image") || module.StartsWith("PIL.", StringComparison.Ordinal) && module.EndsWith("ImagePlugin", StringComparison.Ordinal) && name.EndsWith("ImageFile", StringComparison.Ordinal);

    private static byte[]? EncodedIn(CheckpointNode value) => value is { Kind: NodeKind.Dict, ClassName: null } && value[EncodedKey] is { Kind: NodeKind.Bytes } bytes ? bytes.Bytes.ToArray() : null;

    // The state of such an object: info, mode, size, palette, pixels, and in newer versions the name of the file.
    private static Picture Pillow(CheckpointNode value, string name)
    {
        if (value is { Kind: NodeKind.Tuple or NodeKind.List, Items.Count: > 0 }) value = value.Items[0];
        DataException Refuse(string complaint) => new($"{name}: {complaint}");
        if (value is not { Kind: NodeKind.Dict, ClassName: not null } || value[PickledRecord.StateKey] is not { Kind: NodeKind.List or NodeKind.Tuple, Items: { Count: 5 or 6 } state })
            throw Refuse($"holds neither a picture's bytes, nor a dict with \"{EncodedKey}\", nor a picture of Pillow");
        if (state[1].Kind != NodeKind.String || state[2] is not { Kind: NodeKind.Tuple, Items: { Count: 2 } size } || state[4].Kind != NodeKind.Bytes) throw Refuse("the picture of Pillow in it is of an unknown form");
        int width = Side(size[0]), height = Side(size[1]);
        var pixels = state[4].Bytes.Span;
        var mode = state[1].String;
        var bands = mode switch
        {
            "RGB" => 3,
            "L" or "P" => 1,
            "LA" => 2,
            "RGBA" or "RGBX" or "CMYK" => 4,
            _ => throw Refuse($"the picture of Pillow in it has the mode {(mode.Length < 20 ? mode : "of a long name")}; RGB, RGBA, L, LA, P and CMYK are read"),
        };
        if ((long)width * height > PictureFile.LargestPixels) throw Refuse($"declares {width:N0} x {height:N0} pixels; at most {PictureFile.LargestPixels:N0} are read");
        if (pixels.Length != (long)width * height * bands) throw Refuse($"has {pixels.Length:N0} bytes of pixels; {width} x {height} of mode {mode} have {(long)width * height * bands:N0}");
        var palette = mode == "P" ? Palette(state[3]) : null;
        var picture = new Picture(width, height);
        for (int to = 0, from = 0; from < pixels.Length; to += 3, from += bands)
            for (var c = 0; c < 3; c++)
                picture.Rgb[to + c] = mode switch
                {
                    "P" => palette![3 * pixels[from] + c],
                    "CMYK" => PictureFile.FromInk(pixels[from + c], pixels[from + 3]),
                    _ => pixels[from + (bands < 3 ? 0 : c)],
                };
        return picture;

        int Side(CheckpointNode node) => node.Kind == NodeKind.Int && node.Int >= 1 && node.Int <= PictureFile.LargestPixels ? (int)node.Int : throw Refuse("the picture of Pillow in it has no size");

        // 256 colours; a shorter list leaves the rest black.
        byte[] Palette(CheckpointNode node)
        {
            if (node.Kind != NodeKind.List || node.Items.Count > 768 || node.Items.Any(entry => entry.Kind != NodeKind.Int || entry.Int < BigInteger.Zero || entry.Int > 255)) throw Refuse("the picture of Pillow in it has a palette of an unknown form");
            var colours = new byte[768];
            for (var i = 0; i < node.Items.Count; i++) colours[i] = (byte)node.Items[i].Int;
            return colours;
        }
    }
}
