using System.Text.Json;
using ClipGen.Testing;

namespace ClipGen.Data.Tests;

/// <summary>Decoding and preprocessing against Pillow's and torchvision's results.</summary>
public sealed class PictureDecodingTests
{
    private static readonly JsonElement Golden = JsonDocument.Parse(File.ReadAllBytes(RepositoryPaths.GoldenFile("images", "images.json"))).RootElement;
    private static readonly GoldenTensors Tensors = new("images", "images.safetensors");

    public static TheoryData<string> Files() => [.. Names("decoding"), .. Names("preprocessing")];

    public static TheoryData<string> PreprocessedFiles() => [.. Names("preprocessing")];

    public static TheoryData<string> DamagedFiles() => [.. Names("damaged")];

    [Theory]
    [MemberData(nameof(Files))]
    public void DecodedPixelsMatch(string name)
    {
        var expected = Tensors.Picture(Stem(name) + ".decoded");
        var found = PictureFile.Load(FilePath(name));
        Assert.Equal((expected.Width, expected.Height), (found.Width, found.Height));
        if (name.EndsWith(".png", StringComparison.Ordinal)) Assert.Equal(expected.Rgb, found.Rgb);
        else AssertNearJpeg(expected, found);
    }

    [Theory]
    [MemberData(nameof(PreprocessedFiles))]
    public void PreprocessingMatches(string name)
    {
        // From the reference's own pixels, so that JPEG decoders' differences stay out.
        var stem = Stem(name);
        var resized = PictureTransforms.ResizeShortSide(Tensors.Picture(stem + ".decoded"), 256);
        var entry = Golden.GetProperty("preprocessing").EnumerateArray().Single(e => e.GetProperty("file").GetString() == name);
        Assert.Equal(entry.GetProperty("resized_wh")[0].GetInt32(), resized.Width);
        Assert.Equal(entry.GetProperty("resized_wh")[1].GetInt32(), resized.Height);
        if (Tensors.Has(stem + ".resize256")) Assert.Equal(Tensors.Bytes(stem + ".resize256"), resized.Rgb);
        var crop = PictureTransforms.CenterCrop(resized, 256);
        Assert.Equal(Tensors.Bytes(stem + ".crop256"), crop.Rgb);
        if (!Tensors.Has(stem + ".resize224")) return;
        Assert.Equal(Tensors.Bytes(stem + ".resize224"), PictureTransforms.ResizeShortSide(crop, 224).Rgb);
    }

    [Fact]
    public void NormalisedValuesMatch()
    {
        // The same float32 operations in the same order: the same bits.
        const string stem = "rgb_300x200";
        Assert.Equal(GoldenTensors.ToHwc<float>(Tensors.Floats(stem + ".vqgan")), PictureTransforms.ToVqGan(Tensors.Picture(stem + ".crop256")));
        Assert.Equal(GoldenTensors.ToHwc<float>(Tensors.Floats(stem + ".clip")), PictureTransforms.ToClip(Tensors.Picture(stem + ".resize224")));
    }

    [Fact]
    public void HighByteOfGray16IsKeptWhenAsked()
    {
        var expected = Tensors.Bytes("gray16_97x143.high_byte");
        var found = PictureFile.Load(FilePath("gray16_97x143.png"), gray16: Gray16.HighByte);
        Assert.Equal(expected.SelectMany(v => new[] { v, v, v }), found.Rgb);
    }

    [Fact]
    public void OrientationIsAppliedWhenAsked()
    {
        // Orientation 6: the stored picture has to be turned clockwise by a quarter.
        var stored = PictureFile.Load(FilePath("exif6_280x210.jpg"));
        var turned = PictureFile.Load(FilePath("exif6_280x210.jpg"), applyOrientation: true);
        Assert.Equal((280, 210), (stored.Width, stored.Height));
        Assert.Equal((210, 280), (turned.Width, turned.Height));
        for (var y = 0; y < 280; y++)
            for (var x = 0; x < 210; x++)
                for (var c = 0; c < 3; c++)
                    Assert.Equal(stored.Rgb[((209 - x) * 280 + y) * 3 + c], turned.Rgb[(y * 210 + x) * 3 + c]);
        // Files without orientation stay as they are.
        Assert.Equal(PictureFile.Load(FilePath("interlaced.png")).Rgb, PictureFile.Load(FilePath("interlaced.png"), applyOrientation: true).Rgb);
    }

    [Theory]
    [MemberData(nameof(DamagedFiles))]
    public void DamagedFilesEndInOneClearLine(string name)
    {
        // Two files may be accepted: a wrong checksum of the header, and surplus data that is not kept.
        if (name is "bad_crc.png" or "bad_bomb.png")
        {
            try
            {
                var picture = PictureFile.Load(FilePath(name));
                Assert.InRange(picture.Width * picture.Height, 1, 1 << 16);
                return;
            }
            catch (DataException e)
            {
                AssertClear(e, name);
                return;
            }
        }
        AssertClear(Assert.Throws<DataException>(() => PictureFile.Load(FilePath(name))), name);
    }

    [Fact]
    public void TooManyPixelsAreRefusedByNumber()
    {
        // A valid header of a GIF: 60000 x 60000.
        using var folder = new TemporaryFolder();
        byte[] gif = [.. "GIF89a"u8, 0x60, 0xEA, 0x60, 0xEA, 0x80, 0, 0, 0, 0, 0, 255, 255, 255, 0x2C, 0, 0, 0, 0, 0x60, 0xEA, 0x60, 0xEA, 0, 2, 2, 0x44, 1, 0, 0x3B];
        var error = Assert.Throws<DataException>(() => PictureFile.Load(folder.Write("huge.gif", gif)));
        Assert.Contains("60,000 x 60,000", error.Message);
        Assert.Contains("178,956,970", error.Message);
        Assert.Contains("2,147,483,647 x 2,147,483,647", Assert.Throws<DataException>(() => PictureFile.Load(FilePath("bad_huge.png"))).Message);
    }

    private static void AssertClear(DataException error, string name)
    {
        Assert.Contains(name, error.Message);
        Assert.DoesNotContain('\n', error.Message);
        Assert.InRange(error.Message.Length, FilePath(name).Length + 10, FilePath(name).Length + 200);
    }

    // Decoders may round the inverse transform differently; the bounds are the golden data's.
    private static void AssertNearJpeg(Picture expected, Picture found)
    {
        var differences = expected.Rgb.Zip(found.Rgb, (a, b) => Math.Abs(a - b)).ToArray();
        var mean = differences.Average();
        Assert.True(mean < 0.6, $"mean difference {mean}");
        Assert.True(differences.Max() < 5, $"largest difference {differences.Max()}");
    }

    private static IEnumerable<string> Names(string group) => Golden.GetProperty(group).EnumerateArray().Select(e => e.GetProperty("file").GetString()!);

    private static string FilePath(string name) => RepositoryPaths.GoldenFile("images", "files", name);

    private static string Stem(string name) => Path.GetFileNameWithoutExtension(name);
}
