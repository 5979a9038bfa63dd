using ClipGen.Files;
using NetVips;

namespace ClipGen.Data;

/// <summary>Pictures from and to files. The only place that uses NetVips (libvips).</summary>
public static class PictureFile
{
    /// <summary>Largest number of pixels that is decoded: twice Pillow's warning limit, where Pillow refuses.</summary>
    public const long LargestPixels = 178_956_970;

    /// <summary>Longest file of a picture that is read.</summary>
    internal const long LargestFile = 1L << 30;

    private const int Quality = 95;
    private const string Readable = "PNG, JPEG, GIF, WebP, TIFF, AVIF or BMP";

    private static readonly Lazy<string?> Trouble = new(Start);
    private static readonly Log.LogDelegate Quiet = (_, _, _) => { };

    /// <summary>
    /// Decodes a file's first picture as Pillow's <c>convert("RGB")</c>: alpha is dropped, not composited; palettes and grey become RGB;
    /// of 16 bits per channel the high byte counts, for grey see <paramref name="gray16"/>; colour profiles are ignored.
    /// </summary>
    /// <param name="path">PNG, JPEG, GIF, WebP, TIFF, AVIF or uncompressed BMP, told by its content.</param>
    /// <param name="applyOrientation">Whether to turn the picture as its EXIF orientation says; the reference does not.</param>
    /// <param name="gray16">What becomes of 16-bit grey.</param>
    /// <exception cref="DataException">The file cannot be read, is damaged, or declares more than <see cref="LargestPixels"/>.</exception>
    public static Picture Load(string path, bool applyOrientation = false, Gray16 gray16 = Gray16.Clip)
    {
        RequireVips();
        return Decode(ReadBytes(path), path, applyOrientation, gray16);
    }

    /// <summary>The same for the bytes of a file.</summary>
    /// <param name="bytes">The file's content.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="applyOrientation">As for <see cref="Load"/>.</param>
    /// <param name="gray16">As for <see cref="Load"/>.</param>
    /// <exception cref="DataException">It is damaged, no picture, or declares more than <see cref="LargestPixels"/>.</exception>
    public static Picture Decode(byte[] bytes, string name, bool applyOrientation = false, Gray16 gray16 = Gray16.Clip)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        RequireVips();
        try
        {
            // libvips would refuse a PNG of absurd size too, but without saying why.
            if (PngText.DeclaredSize(bytes) is var (width, height)) CheckPixels(width, height, LargestPixels);
            return BmpFile.IsBmp(bytes) ? BmpFile.Decode(bytes, LargestPixels) : Decode(bytes, applyOrientation, gray16);
        }
        catch (Exception e) when (IsDataProblem(e))
        {
            throw new DataException($"{name}: cannot decode the picture: {Explain(e, bytes)}", e);
        }
    }

    /// <summary>A picture as the bytes of a PNG file.</summary>
    public static byte[] EncodePng(Picture picture)
    {
        ArgumentNullException.ThrowIfNull(picture);
        RequireVips();
        using var image = Wrap(picture);
        return Png(image);
    }

    /// <summary>The ending that a picture's bytes should have, told by how they begin; null if that is no picture's.</summary>
    public static string? ExtensionOf(ReadOnlySpan<byte> bytes) =>
        bytes.StartsWith(PngText.Signature) ? ".png"
        : ExifContainers.IsJpeg(bytes) ? ".jpg"
        : ExifContainers.IsWebp(bytes) ? ".webp"
        : BmpFile.IsBmp(bytes) ? ".bmp"
        : bytes.StartsWith("GIF8"u8) ? ".gif"
        : bytes.StartsWith("II*\0"u8) || bytes.StartsWith("MM\0*"u8) ? ".tiff"
        : bytes.Length > 12 && bytes[4..12].SequenceEqual("ftypavif"u8) ? ".avif"
        : null;

    /// <summary>The bytes of a picture's file, not decoded.</summary>
    /// <exception cref="DataException">The file is missing, empty, or larger than a GiB.</exception>
    public static byte[] ReadBytes(string path)
    {
        try
        {
            var length = new FileInfo(path).Length;
            // Devices and pipes report no length; they are not read, for they need not end.
            if (length == 0) throw new DataException($"{path}: the file is empty");
            if (length > LargestFile) throw new DataException($"{path}: the file has {length:N0} bytes; pictures of at most {LargestFile:N0} are read");
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1);
            var bytes = new byte[length];
            file.ReadExactly(bytes);
            return bytes;
        }
        catch (FileNotFoundException e)
        {
            throw new DataException(Directory.Exists(path) ? $"{path}: it is a folder, not a picture" : $"{path}: there is no such file", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new DataException($"{path}: cannot read the file: {e.Message}", e);
        }
    }

    /// <summary>
    /// Writes a picture; the extension (.png, .jpg, .jpeg, .webp) says how. The file appears whole or not at all; the same picture and
    /// metadata make the same bytes.
    /// </summary>
    /// <param name="picture">The picture.</param>
    /// <param name="path">The file.</param>
    /// <param name="metadata">Texts to keep with it: one text chunk each in a PNG file, lines "key: value" in the EXIF UserComment else. Keys are
    /// 1 to 79 printable ASCII characters without a colon and without blanks at their ends.</param>
    /// <exception cref="DataException">The extension is unknown, the picture too large for the format, or the file not writable.</exception>
    /// <exception cref="ArgumentException">A key is not allowed.</exception>
    public static void Save(Picture picture, string path, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(picture);
        metadata ??= new Dictionary<string, string>();
        foreach (var key in metadata.Keys)
            if (key.Length is 0 or > 79 || key.Any(c => c is < ' ' or > '~' or ':') || key[0] == ' ' || key[^1] == ' ')
                throw new ArgumentException($"\"{key}\" cannot be a key of picture metadata");
        RequireVips();
        byte[] bytes;
        try
        {
            using var image = Wrap(picture);
            bytes = Path.GetExtension(path).ToLowerInvariant() switch
            {
                ".png" => PngText.Insert(Png(image), metadata),
                ".jpg" or ".jpeg" => WithExif(image.JpegsaveBuffer(q: Quality, subsampleMode: Enums.ForeignSubsample.Off, keep: Enums.ForeignKeep.None), picture, metadata),
                ".webp" => WithExif(image.WebpsaveBuffer(q: Quality, keep: Enums.ForeignKeep.None), picture, metadata),
                var other => throw new DataException($"{path}: pictures are written as .png, .jpg, .jpeg or .webp, not \"{other}\""),
            };
        }
        catch (Exception e) when (IsDataProblem(e))
        {
            throw new DataException($"{path}: cannot encode the picture: {e.Message}", e);
        }
        WriteAtomically(path, bytes);
    }

    /// <summary>The texts that a PNG, JPEG or WebP file carries; empty for other files and for files without.</summary>
    /// <exception cref="DataException">The file cannot be read or is damaged.</exception>
    public static IReadOnlyDictionary<string, string> ReadMetadata(string path)
    {
        var bytes = ReadBytes(path);
        try
        {
            if (bytes.AsSpan().StartsWith(PngText.Signature)) return PngText.Read(bytes);
            var exif = ExifContainers.IsJpeg(bytes) ? ExifContainers.FindInJpeg(bytes)
                : ExifContainers.IsWebp(bytes) ? ExifContainers.FindInWebp(bytes) : [];
            return exif.IsEmpty ? new Dictionary<string, string>() : ExifComment.Read(exif);
        }
        catch (InvalidDataException e)
        {
            throw new DataException($"{path}: cannot read the picture's metadata: {e.Message}", e);
        }
    }

    /// <summary>Writes an animated GIF that repeats for ever; colours are reduced to 256 per frame.</summary>
    /// <param name="frames">At least one picture, all of one size.</param>
    /// <param name="delayMilliseconds">Time per frame; GIF keeps hundredths of a second.</param>
    /// <param name="path">The file.</param>
    /// <exception cref="DataException">The frames are too large for a GIF, or the file is not writable.</exception>
    /// <exception cref="ArgumentException">There is no frame, their sizes differ, or the delay is negative.</exception>
    public static void SaveGif(IReadOnlyList<Picture> frames, int delayMilliseconds, string path)
    {
        ArgumentNullException.ThrowIfNull(frames);
        ArgumentOutOfRangeException.ThrowIfNegative(delayMilliseconds);
        if (frames.Count == 0) throw new ArgumentException("an animation needs at least one frame");
        if (frames.Any(f => f.Width != frames[0].Width || f.Height != frames[0].Height))
            throw new ArgumentException("the frames of an animation need one size");
        RequireVips();
        byte[] bytes;
        var images = new List<Image>();
        try
        {
            foreach (var frame in frames) images.Add(Wrap(frame));
            using var joined = Image.Arrayjoin([.. images], across: 1);
            using var animation = joined.Mutate(image =>
            {
                image.Set(GValue.GIntType, "page-height", frames[0].Height);
                image.Set(GValue.ArrayIntType, "delay", Enumerable.Repeat(delayMilliseconds, frames.Count).ToArray());
                image.Set(GValue.GIntType, "loop", 0);
            });
            bytes = animation.GifsaveBuffer(keepDuplicateFrames: true);
        }
        catch (Exception e) when (IsDataProblem(e))
        {
            throw new DataException($"{path}: cannot encode the animation: {e.Message}", e);
        }
        finally
        {
            foreach (var image in images) image.Dispose();
        }
        WriteAtomically(path, bytes);
    }

    private static byte[] Png(Image image) => image.PngsaveBuffer(compression: 6, filter: Enums.ForeignPngFilter.All, keep: Enums.ForeignKeep.None);

    private static void WriteAtomically(string path, byte[] bytes) =>
        AtomicFile.Write(path, stream => stream.Write(bytes), (reason, cause) => new DataException($"{path}: can't be written: {reason}", cause));

    /// <summary>Refuses a header that declares more pixels than are decoded.</summary>
    internal static void CheckPixels(long width, long height, long largest)
    {
        if (width > largest || height > largest || width * height > largest)
            throw new InvalidDataException($"it declares {width:N0} x {height:N0} pixels; at most {largest:N0} are decoded");
    }

    private static Picture Decode(byte[] bytes, bool applyOrientation, Gray16 gray16)
    {
        // Opening reads the header only; pixels follow on demand, from top to bottom unless they have to be turned.
        using var file = Image.NewFromBuffer(bytes, access: applyOrientation ? Enums.Access.Random : Enums.Access.Sequential, failOn: Enums.FailOn.Error);
        CheckPixels(file.Width, file.Height, LargestPixels);
        using var turned = applyOrientation ? file.Autorot() : file.Copy();
        using var coloured = IsPlain(turned.Interpretation) ? turned.Copy() : turned.Colourspace(Enums.Interpretation.Srgb);
        using var eight = ToEightBits(coloured, gray16);
        return ToRgb(eight.WriteToMemory<byte>(), eight.Width, eight.Height, eight.Bands, eight.Interpretation == Enums.Interpretation.Cmyk);
    }

    private static bool IsPlain(Enums.Interpretation kind) => kind is
        Enums.Interpretation.Srgb or Enums.Interpretation.Rgb or Enums.Interpretation.Rgb16 or Enums.Interpretation.Bw or
        Enums.Interpretation.Grey16 or Enums.Interpretation.Cmyk or Enums.Interpretation.Multiband;

    private static Image ToEightBits(Image image, Gray16 gray16)
    {
        // A cast clips to 0..255; with shift it keeps the high byte instead.
        var highByte = image.Format == Enums.BandFormat.Ushort && (image.Bands > 1 || gray16 == Gray16.HighByte);
        return image.Format == Enums.BandFormat.Uchar ? image.Copy() : image.Cast(Enums.BandFormat.Uchar, shift: highByte);
    }

    private static Picture ToRgb(byte[] values, int width, int height, int bands, bool inks)
    {
        if (bands == 3) return new Picture(width, height, values);
        var picture = new Picture(width, height);
        var rgb = picture.Rgb;
        for (int to = 0, from = 0; to < rgb.Length; to += 3, from += bands)
            for (var c = 0; c < 3; c++)
                rgb[to + c] = bands < 3 ? values[from] : inks && bands >= 4 ? FromInk(values[from + c], values[from + 3]) : values[from + c];
        return picture;
    }

    /// <summary>Pillow's reading of CMYK without a profile: what the black ink leaves, less the colour ink's share of it, divided by 255 with rounding.</summary>
    internal static byte FromInk(byte colour, byte black)
    {
        var light = 255 - black;
        var product = colour * light + 128;
        return (byte)Math.Max(light - (((product >> 8) + product) >> 8), 0);
    }

    private static Image Wrap(Picture picture)
    {
        using var image = Image.NewFromMemory(picture.Rgb, picture.Width, picture.Height, 3, Enums.BandFormat.Uchar);
        return image.Copy(interpretation: Enums.Interpretation.Srgb);
    }

    private static byte[] WithExif(byte[] file, Picture picture, IReadOnlyDictionary<string, string> metadata)
    {
        if (metadata.Count == 0) return file;
        var block = ExifComment.Write(metadata);
        return ExifContainers.IsJpeg(file)
            ? ExifContainers.InsertIntoJpeg(file, block)
            : ExifContainers.InsertIntoWebp(file, block, picture.Width, picture.Height);
    }

    private static bool IsDataProblem(Exception e) => e is VipsException or InvalidDataException;

    private static string Explain(Exception e, byte[] bytes)
    {
        if (e.Message.Contains("not in a known format", StringComparison.Ordinal))
            return $"it is not {Readable}{(bytes.AsSpan().StartsWith(PngText.Signature[..4]) ? " (its signature is damaged)" : "")}";
        // libvips repeats which function failed on a line of its own.
        var lines = e.Message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return string.Join("; ", lines.Where(l => !l.StartsWith("unable to ", StringComparison.Ordinal)).Distinct()) is { Length: > 0 } text ? text : "its data is damaged";
    }

    private static void RequireVips()
    {
        if (Trouble.Value is { } trouble) throw new DataException(trouble);
    }

    // Sets libvips up once; returns what is wrong, or null.
    private static string? Start()
    {
        try
        {
            if (!ModuleInitializer.VipsInitialized)
                return NotLoaded(ModuleInitializer.Exception);
            // Only decoders that are fuzzed upstream; no formats that run code, fetch files or render documents.
            NetVips.NetVips.BlockUntrusted = true;
            Operation.Block("VipsForeignLoad", true);
            foreach (var kind in new[] { "Png", "Jpeg", "Nsgif", "Webp", "Tiff", "Heif" })
                Operation.Block("VipsForeignLoad" + kind, false);
            // A file under a known name may have changed, and pictures come one by one: nothing is worth keeping.
            Cache.Max = 0;
            Cache.MaxMem = 0;
            Cache.MaxFiles = 0;
            NetVips.NetVips.Concurrency = 1;
            // What matters arrives as an exception; warnings about odd files are not for the terminal.
            foreach (var domain in new[] { "VIPS", "GLib", "GLib-GObject" })
                Log.SetLogHandler(domain, Enums.LogLevelFlags.Warning | Enums.LogLevelFlags.Message | Enums.LogLevelFlags.Info | Enums.LogLevelFlags.Critical, Quiet);
            return null;
        }
        catch (Exception e) when (e is DllNotFoundException or TypeInitializationException or EntryPointNotFoundException or BadImageFormatException or VipsException)
        {
            return NotLoaded(e.InnerException ?? e);
        }
    }

    // The system's message lists every path it tried; its first sentence names the library.
    private static string NotLoaded(Exception? e) =>
        $"pictures cannot be read or written: libvips does not load ({e?.Message.Split(". ")[0]}); the files of the package NetVips.Native for this platform have to be beside the program";
}
