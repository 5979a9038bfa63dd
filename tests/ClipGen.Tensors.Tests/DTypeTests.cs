namespace ClipGen.Tensors.Tests;

public sealed class DTypeTests
{
    [Theory]
    [InlineData(DType.Float32, 4)]
    [InlineData(DType.Float16, 2)]
    [InlineData(DType.BFloat16, 2)]
    [InlineData(DType.Int32, 4)]
    [InlineData(DType.Int64, 8)]
    [InlineData(DType.UInt8, 1)]
    [InlineData(DType.Bool, 1)]
    public void SizesOfElements(DType type, int bytes) => Assert.Equal(bytes, type.ByteSize());

    [Fact]
    public void EveryTypeHasASize()
    {
        foreach (var type in Enum.GetValues<DType>()) Assert.InRange(type.ByteSize(), 1, 8);
        Assert.Throws<ArgumentOutOfRangeException>(() => ((DType)99).ByteSize());
    }

    [Fact]
    public void TypesOfCSharp()
    {
        Assert.Equal(
            [DType.Float32, DType.Float16, DType.Int32, DType.Int64, DType.UInt8, DType.Bool],
            [DTypes.Of<float>(), DTypes.Of<Half>(), DTypes.Of<int>(), DTypes.Of<long>(), DTypes.Of<byte>(), DTypes.Of<bool>()]);
        Assert.Contains("Double", Assert.Throws<NotSupportedException>(() => DTypes.Of<double>()).Message);
    }
}
