namespace ClipGen.Kernels.Tests;

/// <summary>Occupancy against values worked out by hand from the tables of the programming guide.</summary>
public sealed class CudaOccupancyTests
{
    [Theory]
    // 8 warps a group. 32 registers: 1024 a warp, so 64 warps fit, as many as there may be.
    [InlineData(80, 256, 32, 0, 8, 64, "warps")]
    [InlineData(86, 256, 32, 0, 6, 48, "warps")]
    // 128 registers: 4096 a warp, 16 warps.
    [InlineData(90, 256, 128, 0, 2, 16, "registers")]
    // 33 registers: 1056 become 1280 a warp, 51 warps, 6 groups of 8.
    [InlineData(80, 256, 33, 0, 6, 48, "registers")]
    // 48 KiB and the system's 1 KiB: three times into 164, twice into 100, four times into 228.
    [InlineData(80, 128, 32, 49152, 3, 12, "shared memory")]
    [InlineData(89, 128, 32, 49152, 2, 8, "shared memory")]
    [InlineData(90, 128, 32, 49152, 4, 16, "shared memory")]
    // Groups of one warp: their number binds.
    [InlineData(80, 32, 16, 0, 32, 32, "groups")]
    [InlineData(86, 32, 16, 0, 16, 16, "groups")]
    [InlineData(89, 32, 16, 0, 24, 24, "groups")]
    // 1000 threads are 32 warps.
    [InlineData(80, 1000, 32, 0, 2, 64, "warps")]
    public void AsWorkedOutByHand(int capability, int threads, int registers, int shared, int groups, int warps, string limit)
    {
        var found = CudaOccupancy.Of(new KernelResources(registers, shared, 0, 0), threads, capability);
        Assert.Equal((groups, warps, limit), (found.Groups, found.Warps, found.Limit));
        Assert.Equal(warps / (capability is 80 or 90 ? 64.0 : 48.0), found.Share);
    }

    [Fact]
    public void UnknownCardsAndGroupsAreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => CudaOccupancy.Of(new KernelResources(32, 0, 0, 0), 256, 75));
        Assert.Throws<ArgumentOutOfRangeException>(() => CudaOccupancy.Of(new KernelResources(32, 0, 0, 0), 0, 80));
        Assert.Throws<ArgumentOutOfRangeException>(() => CudaOccupancy.Of(new KernelResources(32, 0, 0, 0), 1025, 80));
        Assert.Equal([80, 86, 89, 90], CudaOccupancy.Capabilities);
    }
}
