namespace ClipGen.Kernels.Tests;

/// <summary>Memory of the host backends: what the counters say, what the pool keeps, and what misuse is told.</summary>
public sealed class HostBackendTests
{
    [Fact]
    public void CountersFollowEveryBlock()
    {
        using var backend = new ReferenceBackend();
        Assert.Equal(new MemoryCounters(0, 0, 0), backend.Memory);
        // Size classes: 256 bytes, powers of two up to a megabyte, then whole megabytes.
        var small = backend.Allocate(1);
        var middle = backend.Allocate(5000);
        var large = backend.Allocate((1 << 20) + 1);
        Assert.Equal([1, 5000, (1 << 20) + 1], [small.ByteLength, middle.ByteLength, large.ByteLength]);
        const long total = 256 + 8192 + (2 << 20);
        Assert.Equal(new MemoryCounters(total, total, 3), backend.Memory);
        large.Dispose();
        Assert.Equal(new MemoryCounters(256 + 8192, total, 2), backend.Memory);
        backend.ResetPeak();
        Assert.Equal(256 + 8192, backend.Memory.PeakBytes);
        small.Dispose();
        middle.Dispose();
        Assert.Equal(new MemoryCounters(0, 256 + 8192, 0), backend.Memory);
        using var none = backend.Allocate(0);
        Assert.Equal(0, none.ByteLength);
        Assert.Throws<ArgumentOutOfRangeException>(() => backend.Allocate(-1));
    }

    [Fact]
    public unsafe void BlocksAreAlignedAndReused()
    {
        using var backend = new ReferenceBackend();
        var first = backend.Allocate(1000);
        var address = (nint)HostBackend.Pointer(new View<float>(first, 0, 1));
        Assert.Equal(0, address % 64);
        first.Dispose();
        // Another size of the same class takes the pooled block; the class beside it doesn't.
        using var other = backend.Allocate(300);
        using var same = backend.Allocate(600);
        Assert.NotEqual(address, (nint)HostBackend.Pointer(new View<float>(other, 0, 1)));
        Assert.Equal(address, (nint)HostBackend.Pointer(new View<float>(same, 0, 1)));
        backend.Trim();
        Assert.Equal(2, backend.Memory.LiveBlocks);
    }

    [Fact]
    public void DoubleDisposeCountsOnce()
    {
        using var backend = new ReferenceBackend();
        var block = backend.Allocate(100);
        using var kept = backend.Allocate(100);
        block.Dispose();
        block.Dispose();
        Assert.Equal(1, backend.Memory.LiveBlocks);
        // Had it been pooled twice, two owners would share it now.
        using var a = backend.Allocate(100);
        using var b = backend.Allocate(100);
        backend.Upload([1f], new View<float>(a, 0, 1));
        backend.Upload([2f], new View<float>(b, 0, 1));
        var value = new float[1];
        backend.Download(new View<float>(a, 0, 1), value);
        Assert.Equal(1, value[0]);
    }

    [Fact]
    public void UseAfterFreeIsNamed()
    {
        using var backend = new CpuBackend(1);
        var block = backend.Allocate(64);
        var view = new View<float>(block, 0, 16);
        block.Dispose();
        Assert.Contains("was freed", Assert.Throws<ObjectDisposedException>(() => backend.Fill(0, view)).Message);
        Assert.Contains("was freed", Assert.Throws<ObjectDisposedException>(() => backend.Upload<float>(new float[16], view)).Message);
    }

    [Fact]
    public void ForeignMemoryIsNamed()
    {
        using var backend = new CpuBackend(1);
        var view = new View<float>(new OtherMemory(), 0, 4);
        var error = Assert.Throws<ArgumentException>(() => backend.Fill(0, view));
        Assert.Contains(nameof(OtherMemory), error.Message);
        Assert.Contains("another device", error.Message);
    }

    [Fact]
    public void OutOfMemorySaysWhatIsLive()
    {
        using var backend = new ReferenceBackend();
        using var block = backend.Allocate(1000);
        var error = Assert.Throws<DeviceMemoryException>(() => backend.Allocate(1L << 60));
        Assert.Contains("1,152,921,504,606,846,976 bytes asked for, 1,024 bytes in 1 blocks are live", error.Message);
        // The refused block is in no counter.
        Assert.Equal(new MemoryCounters(1024, 1024, 1), backend.Memory);
        Assert.Throws<DeviceMemoryException>(() => backend.Allocate(long.MaxValue));
    }

    [Fact]
    public void DisposeEndsAllocationButNotWhatIsHeld()
    {
        var backend = new CpuBackend(2);
        var block = backend.Allocate(64);
        backend.Dispose();
        backend.Dispose();
        Assert.Throws<ObjectDisposedException>(() => backend.Allocate(1));
        block.Dispose();
        Assert.Equal(0, backend.Memory.LiveBlocks);
    }

    [Fact]
    public void CountersHoldUnderManyThreads()
    {
        using var backend = new ReferenceBackend();
        Parallel.For(0, 2000, i =>
        {
            using var block = backend.Allocate(4 + i);
            using var other = backend.Allocate(4);
            backend.Upload([i], new View<int>(block, 0, 1));
            backend.Upload([-i], new View<int>(other, 0, 1));
            var read = new int[1];
            backend.Download(new View<int>(block, 0, 1), read);
            Assert.Equal(i, read[0]);
        });
        Assert.Equal((0, 0), (backend.Memory.LiveBytes, backend.Memory.LiveBlocks));
    }

    [Fact]
    public void ViewsStayInsideTheirMemory()
    {
        using var backend = new ReferenceBackend();
        using var block = backend.Allocate(40);
        Assert.Equal(10, new View<float>(block, 0, 10).Length);
        Assert.Equal(0, new View<float>(block, 10, 0).Length);
        foreach (var (offset, length) in new[] { (0L, 11L), (10, 1), (-1, 2), (0, -1), (long.MaxValue, 1), (1, long.MaxValue), (1L << 62, 0) })
            Assert.Throws<ArgumentOutOfRangeException>(() => new View<float>(block, offset, length));
        Assert.Throws<ArgumentNullException>(() => new View<float>(null!, 0, 0));

        var slice = new View<float>(block, 2, 6).Slice(1, 5);
        Assert.Equal((3, 5), (slice.Offset, slice.Length));
        foreach (var (start, length) in new[] { (0L, 7L), (6, 1), (-1, 1), (0, -1), (1, long.MaxValue) })
            Assert.Throws<ArgumentOutOfRangeException>(() => new View<float>(block, 2, 6).Slice(start, length));

        Assert.True(default(View<float>).IsNone);
        Assert.False(slice.IsNone);
    }

    [Fact]
    public void CopiesMustFit()
    {
        using var backend = new ReferenceBackend();
        using var block = backend.Allocate(16);
        var view = new View<int>(block, 0, 4);
        Assert.Throws<ArgumentException>(() => backend.Upload<int>(new int[5], view));
        Assert.Throws<ArgumentException>(() => backend.Download(view, new int[3]));
    }

    [Theory]
    [InlineData("cpu")]
    [InlineData("reference")]
    [InlineData("doubles")]
    public void CopiesStayOnTheDevice(string kind)
    {
        using IBackend backend = kind == "cpu" ? new CpuBackend(1) : new ReferenceBackend(doubles: kind == "doubles");
        using var arrays = new DeviceArrays(backend);
        View<float> source = arrays.From(1f, float.NaN, 3f, 4f), target = arrays.From(0f, 0f, 0f, 0f, 0f);
        backend.Copy(source.Slice(1, 3), target.Slice(2, 3));
        Assert.Equal([0f, 0f, float.NaN, 3f, 4f], arrays.Read(target));
        View<int> numbers = arrays.From(7, -8), others = arrays.From(0, 0, 0);
        backend.Copy(numbers, others.Slice(1, 2));
        Assert.Equal([0, 7, -8], arrays.Read(others));
        Assert.Throws<ArgumentException>(() => backend.Copy(target, source));
        Assert.Null(backend.Record(() => throw new InvalidOperationException("nothing is recorded where asking costs nothing")));
    }

    private sealed class OtherMemory : DeviceMemory
    {
        public override long ByteLength => 64;

        public override void Dispose()
        {
        }
    }
}
