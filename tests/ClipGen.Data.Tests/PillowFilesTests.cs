using System.Security.Cryptography;
using ClipGen.Testing;

namespace ClipGen.Data.Tests;

/// <summary>
/// Small files of many kinds, written by Pillow 9.4 from random values, against SHA-256 sums (first eight bytes) of its
/// <c>convert("RGB")</c>: grey, palettes with and without transparency, alpha, inks, 1 and 16 bits, floats.
/// </summary>
public sealed class PillowFilesTests
{
    public static TheoryData<string, string> Sums() => new()
    {
        { "cmyk.tiff", "a0cc94f84150a336" },
        { "f.tiff", "1376b43e2de8f4c7" },
        { "i16.tiff", "26ee6c6b1ac0dab0" },
        { "l.bmp", "db28b0b67330edae" },
        { "l.tiff", "db28b0b67330edae" },
        { "la.png", "e28a834669bb73e5" },
        { "one.bmp", "a9fb1fd311222d92" },
        { "one.png", "a9fb1fd311222d92" },
        { "one.tiff", "a9fb1fd311222d92" },
        { "p.bmp", "0f933e82c7e67180" },
        { "p.gif", "0f933e82c7e67180" },
        { "p.tiff", "27a551b803121dce" },
        { "ptrns.png", "87262dab3fd42544" },
        { "rgb.bmp", "41f3b48c20c399ef" },
        { "rgb.tiff", "41f3b48c20c399ef" },
        { "rgba.bmp", "76ba46195cb212df" },
        { "rgba.tiff", "76ba46195cb212df" },
        { "rgba.webp", "7906cf2a5d52beab" },
    };

    [Theory]
    [MemberData(nameof(Sums))]
    public void PixelsArePillows(string name, string sum)
    {
        var picture = PictureFile.Load(FilePath(name));
        Assert.Equal((9, 7), (picture.Width, picture.Height));
        Assert.Equal(sum, Convert.ToHexStringLower(SHA256.HashData(picture.Rgb))[..16]);
    }

    [Fact]
    public void InksOfJpegFilesAreNotInverted()
    {
        // Four flat squares; the bound is the one for any JPEG decoder, far below what an inversion makes.
        var expected = File.ReadAllBytes(FilePath("cmyk.jpg.rgb"));
        var found = PictureFile.Load(FilePath("cmyk.jpg")).Rgb;
        Assert.Equal(expected.Length, found.Length);
        Assert.True(expected.Zip(found, (a, b) => Math.Abs(a - b)).Max() < 5);
    }

    [Fact]
    public void OnlyPictureFileUsesNetVips()
    {
        var users = new[] { "src", "kernels" }
            .SelectMany(folder => Directory.GetFiles(Path.Combine(RepositoryPaths.Root, folder), "*.cs", SearchOption.AllDirectories))
            .Where(path => !path.Split(Path.DirectorySeparatorChar).Contains("obj") && File.ReadAllText(path).Contains("using NetVips", StringComparison.Ordinal))
            .Select(path => Path.GetFileName(path));
        Assert.Equal(["PictureFile.cs"], users);
    }

    private static string FilePath(string name) => Path.Combine(RepositoryPaths.Root, "tests", "ClipGen.Data.Tests", "Pillow", name);
}
