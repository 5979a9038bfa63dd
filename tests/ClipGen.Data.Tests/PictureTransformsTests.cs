namespace ClipGen.Data.Tests;

/// <summary>Sizes, crops, values and grids.</summary>
public sealed class PictureTransformsTests
{
    [Fact]
    public void PicturesNeedTheirBytes()
    {
        Assert.Throws<ArgumentException>(() => new Picture(2, 2, new byte[11]));
        Assert.Throws<ArgumentException>(() => new Picture(0, 2, []));
        Assert.Throws<ArgumentException>(() => new Picture(-1, -1, new byte[3]));
        Assert.Throws<ArgumentException>(() => new Picture(-1, 5));
        Assert.Throws<ArgumentException>(() => new Picture(int.MaxValue, int.MaxValue));
        // 2^31-1 squared times 3 wraps to a small number: the sides must not pass by that.
        Assert.Throws<ArgumentException>(() => new Picture(int.MaxValue, int.MaxValue, new byte[3]));
    }

    [Theory]
    [InlineData(640, 480, 256, 341, 256)]
    [InlineData(480, 640, 256, 256, 341)]
    [InlineData(1000, 333, 256, 768, 256)]
    [InlineData(10, 3, 7, 23, 7)]
    public void ShortSideDecides(int width, int height, int size, int expectedWidth, int expectedHeight)
    {
        var found = PictureTransforms.ResizeShortSide(new Picture(width, height), size);
        Assert.Equal((expectedWidth, expectedHeight), (found.Width, found.Height));
    }

    [Fact]
    public void FittingShortSideIsNotResampled()
    {
        var picture = TestPictures.Hashed(300, 256);
        Assert.Same(picture, PictureTransforms.ResizeShortSide(picture, 256));
        Assert.Throws<ArgumentException>(() => PictureTransforms.ResizeShortSide(new Picture(3_000_000, 1), 256));
    }

    [Theory]
    [InlineData(9, 4, 2)] // (9 - 4) / 2 = 2.5, halves to even
    [InlineData(11, 4, 4)] // 3.5
    [InlineData(10, 4, 3)]
    [InlineData(4, 4, 0)]
    public void CropOffsetsRoundHalvesToEven(int side, int size, int offset)
    {
        var picture = TestPictures.Hashed(side, side + 2);
        var crop = PictureTransforms.CenterCrop(picture, size);
        var top = (int)Math.Round((side + 2 - size) / 2.0, MidpointRounding.ToEven);
        for (var y = 0; y < size; y++)
            Assert.Equal(picture.Rgb.AsSpan(((top + y) * side + offset) * 3, size * 3), crop.Rgb.AsSpan(y * size * 3, size * 3));
    }

    [Fact]
    public void CropsOutsideAreRefused()
    {
        var picture = new Picture(5, 5);
        Assert.Throws<DataException>(() => PictureTransforms.CenterCrop(picture, 6));
        Assert.Throws<DataException>(() => PictureTransforms.Crop(picture, 1, 1, 5, 1));
        Assert.Throws<DataException>(() => PictureTransforms.Crop(picture, -1, 0, 2, 2));
        Assert.Throws<DataException>(() => PictureTransforms.Crop(picture, int.MaxValue, 0, int.MaxValue, 1));
    }

    [Fact]
    public void EveryByteSurvivesTheVqGansRange()
    {
        var picture = new Picture(16, 16);
        for (var i = 0; i < picture.Rgb.Length; i++) picture.Rgb[i] = (byte)(i / 3);
        Assert.Equal(picture.Rgb, PictureTransforms.FromVqGan(PictureTransforms.ToVqGan(picture), 16, 16).Rgb);
        var unit = PictureTransforms.ToUnit(picture);
        Assert.Equal(0f, unit[0]);
        Assert.Equal(1f, unit[^1]);
        Assert.Equal(128 / 255f, unit[128 * 3]);
    }

    [Fact]
    public void OutputIsClampedAndNaNRefused()
    {
        Assert.Equal([0, 0, 255], PictureTransforms.FromVqGan([-1.5f, float.NegativeInfinity, float.PositiveInfinity], 1, 1).Rgb);
        // -1 + 2 * 0.5 / 255 is the first value that rounds up.
        Assert.Equal([0, 1, 128], PictureTransforms.FromVqGan([-1 + 0.99f / 255, -1 + 1.01f / 255, 0], 1, 1).Rgb);
        Assert.Throws<DataException>(() => PictureTransforms.FromVqGan([0, float.NaN, 0], 1, 1));
        Assert.Throws<ArgumentException>(() => PictureTransforms.FromVqGan([0, 0], 1, 1));
    }

    [Fact]
    public void PipelineGridMatches()
    {
        // The reference normalises, orders and lays out floats, then makes bytes; the border is black in both.
        var tensors = new GoldenTensors("pipeline", "pipeline.safetensors");
        var all = tensors.Floats("x_recon");
        var size = all.Length / 8;
        var best = tensors.Longs("order").Take(5)
            .Select(i => PictureTransforms.FromVqGan(GoldenTensors.ToHwc<float>(all.AsSpan((int)i * size, size)), 16, 16)).ToList();
        var grid = PictureGrid.Make(best);
        var shape = tensors.Shape("grid_u8");
        Assert.Equal((shape[2], shape[1]), (grid.Width, grid.Height));
        Assert.Equal(GoldenTensors.ToHwc<byte>(tensors.Bytes("grid_u8")), grid.Rgb);
    }

    [Theory]
    [InlineData("make_grid_nrow4", 4)]
    [InlineData("make_grid_5_nrow4", 4)]
    [InlineData("make_grid_3_nrow4", 4)]
    [InlineData("make_grid_1", 1)]
    [InlineData("make_grid_default", 8)]
    public void GridLayoutMatches(string name, int perRow)
    {
        // The golden pictures hold floats; their bits, byte by byte, are laid out as four pictures of bytes.
        var tensors = new GoldenTensors("ops", "ops.safetensors");
        var shape = tensors.Shape(name + ".x");
        var values = tensors.Floats(name + ".x");
        var expected = GoldenTensors.ToHwc<float>(tensors.Floats(name + ".out"));
        var size = 3 * shape[2] * shape[3];
        var nonZero = 0;
        for (var b = 0; b < 4; b++)
        {
            var pictures = Enumerable.Range(0, shape[0]).Select(i =>
                new Picture(shape[3], shape[2], PartOf(GoldenTensors.ToHwc<float>(values.AsSpan(i * size, size)), b))).ToList();
            var grid = PictureGrid.Make(pictures, perRow);
            Assert.Equal(tensors.Shape(name + ".out")[^2..], new[] { grid.Height, grid.Width });
            Assert.Equal(PartOf(expected, b), grid.Rgb);
            nonZero += grid.Rgb.Count(v => v != 0);
        }
        Assert.True(nonZero > size);

        static byte[] PartOf(float[] floats, int b) => [.. floats.Select(f => (byte)(BitConverter.SingleToInt32Bits(f) >> (8 * b)))];
    }

    [Fact]
    public void GridsNeedPicturesOfOneSize()
    {
        Assert.Throws<ArgumentException>(() => PictureGrid.Make([]));
        Assert.Throws<ArgumentException>(() => PictureGrid.Make([new Picture(2, 2), new Picture(2, 3)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => PictureGrid.Make([new Picture(2, 2)], 0));
    }
}
