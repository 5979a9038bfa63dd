namespace ClipGen.Kernels.Tests;

/// <summary>Numbers in fewer bits: what they are rounded to.</summary>
public sealed class PackedTypeTests
{
    [Theory]
    [InlineData(1f, 1f)]
    [InlineData(-0f, -0f)]
    [InlineData(1.00390625f, 1f)] // 1 + 2^-8: half way, to the even one below
    [InlineData(1.01171875f, 1.015625f)] // 1 + 3 * 2^-8: half way, to the even one above
    [InlineData(1.00390637f, 1.0078125f)] // just above half way
    [InlineData(float.MaxValue, float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity, float.NegativeInfinity)]
    [InlineData(1e-40f, 9.1835496e-41f)] // subnormals are multiples of 2^-133
    public void BFloat16IsTheNearest(float value, float expected)
    {
        var found = new float[1];
        PackedTypes.Round(PackedType.BFloat16, [value], found);
        Assert.Equal(expected, found[0]);
        Assert.Equal(float.IsNegative(expected), float.IsNegative(found[0]));
    }

    [Fact]
    public void NaNStaysNaN()
    {
        var found = new float[2];
        // All bits of the fraction that bfloat16 keeps are zeros in the first.
        PackedTypes.Round(PackedType.BFloat16, [BitConverter.UInt32BitsToSingle(0x7F800001), float.NaN], found);
        Assert.All(found, value => Assert.True(float.IsNaN(value)));
        PackedTypes.Round(PackedType.Int8, [1, float.NaN], found);
        Assert.All(found, value => Assert.True(float.IsNaN(value)));
        PackedTypes.Round(PackedType.Int8, [1, float.PositiveInfinity], found);
        Assert.All(found, value => Assert.True(float.IsNaN(value)));
    }

    [Fact]
    public void Int8IsWithinHalfAStep()
    {
        float[] row = [0.3f, -2f, 1.999f, 0, 1e-9f, -0.7f], found = new float[6];
        PackedTypes.Round(PackedType.Int8, row, found);
        Assert.Equal(-2f, found[1], 1e-6f);
        var step = 2f / PackedTypes.Int8Range;
        for (var i = 0; i < row.Length; i++) Assert.True(Math.Abs(found[i] - row[i]) <= step / 2 * 1.0001f, $"{row[i]} became {found[i]}");
        PackedTypes.Round(PackedType.Int8, [0, 0], found.AsSpan(0, 2));
        Assert.Equal([0f, 0f], found[..2]);
    }
}
