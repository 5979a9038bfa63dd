using System.Security.Cryptography;

namespace ClipGen.Data.Tests;

/// <summary>Resizing against SHA-256 sums of Pillow 9.4's results (first eight bytes) and against its definition in plain arithmetic.</summary>
public sealed class PillowResizeTests
{
    public static TheoryData<bool, int, int, int, int, string> PillowSums() => new()
    {
        { false, 37, 23, 11, 7, "71bcfa25cecceb32" },
        { true, 37, 23, 11, 7, "74e84ae09c303063" },
        { false, 37, 23, 91, 64, "e0021a78de231d20" },
        { true, 37, 23, 91, 64, "7618d8e64b004616" },
        { false, 37, 23, 37, 9, "afd7ce849a07f637" },
        { true, 37, 23, 37, 9, "32a7b81be7e6fcf3" },
        { false, 37, 23, 15, 23, "851b7c1d5cf5c51b" },
        { true, 37, 23, 15, 23, "cadfe6e8eb3a74e0" },
        { false, 5, 4, 64, 3, "52053788e8315ff8" },
        { true, 5, 4, 64, 3, "de6bb0cdc2557ed7" },
        { false, 1, 1, 3, 2, "c013857f7b93a05f" },
        { true, 1, 1, 3, 2, "c013857f7b93a05f" },
        { false, 200, 3, 7, 3, "3290ce498de69024" },
        { true, 200, 3, 7, 3, "772d7740df54c6e5" },
        { false, 64, 48, 1, 1, "caa8fcc6c761ba1a" },
        { true, 64, 48, 1, 1, "b6143ba693f094d9" },
        { false, 3, 2, 50, 41, "eb2b844feb599953" },
        { true, 3, 2, 50, 41, "626129cf4b526503" },
        { false, 123, 77, 122, 78, "92347e6f88a56a22" },
        { true, 123, 77, 122, 78, "bb0330a52f283e3a" },
    };

    [Theory]
    [MemberData(nameof(PillowSums))]
    public void ResultsArePillows(bool bicubic, int width, int height, int toWidth, int toHeight, string sum)
    {
        var source = TestPictures.Hashed(width, height);
        var copy = (byte[])source.Rgb.Clone();
        var found = bicubic ? PillowResize.Bicubic(source, toWidth, toHeight) : PillowResize.Bilinear(source, toWidth, toHeight);
        Assert.Equal((toWidth, toHeight), (found.Width, found.Height));
        Assert.Equal(sum, Convert.ToHexStringLower(SHA256.HashData(found.Rgb))[..16]);
        Assert.Equal(copy, source.Rgb);
    }

    [Fact]
    public void SameSizeIsACopy()
    {
        var source = TestPictures.Hashed(9, 4);
        var result = PillowResize.Bilinear(source, 9, 4);
        Assert.Equal(source.Rgb, result.Rgb);
        Assert.NotSame(source.Rgb, result.Rgb);
    }

    [Fact]
    public void FlatPicturesStayFlat()
    {
        foreach (var value in new byte[] { 0, 1, 127, 254, 255 })
        {
            var flat = new Picture(31, 17);
            flat.Rgb.AsSpan().Fill(value);
            foreach (var (w, h) in new[] { (1, 1), (7, 50), (64, 3), (200, 16) })
            {
                Assert.All(PillowResize.Bilinear(flat, w, h).Rgb, v => Assert.Equal(value, v));
                Assert.All(PillowResize.Bicubic(flat, w, h).Rgb, v => Assert.Equal(value, v));
            }
        }
    }

    [Fact]
    public void VeryLongRowsWork()
    {
        // Half black, half white, more than a million pixels wide: each half's mean is exact away from the edge between them.
        var row = new Picture(1_200_000, 1);
        row.Rgb.AsSpan(row.Rgb.Length / 2).Fill(255);
        var found = PillowResize.Bilinear(row, 8, 2);
        for (var i = 0; i < 2 * 8 * 3; i++)
            if (i / 3 % 8 is < 3 or > 4)
                Assert.Equal(i / 3 % 8 < 3 ? 0 : 255, found.Rgb[i]);
        Assert.Throws<ArgumentOutOfRangeException>(() => PillowResize.Bilinear(row, 0, 5));
        Assert.Throws<ArgumentException>(() => PillowResize.Bilinear(row, int.MaxValue, int.MaxValue));
    }
}
