namespace ClipGen.Kernels.Tests;

/// <summary>Recorded work, emulated: what is noted, whose memory it is, and what can't be recorded.</summary>
public sealed class CudaRecordingTests
{
    [Fact]
    public void ItComputesOnWhatStandsInItsTensorsNow()
    {
        using var cuda = CudaBackend.Emulated();
        using var arrays = new DeviceArrays(cuda);
        View<float> input = arrays.From(1f, 2f), sum = arrays.From(0f, 0f);
        using var recorded = cuda.Record(() =>
        {
            // A temporary of its own, and a copy among the kernels.
            using var memory = cuda.Allocate(8);
            var twice = new View<float>(memory, 0, 2);
            cuda.Affine(input, 2, 0, twice);
            cuda.Add(sum, twice, twice);
            cuda.Copy(twice, sum);
        })!;
        Assert.Equal([0f, 0f], arrays.Read(sum));
        recorded.Run();
        Assert.Equal([2f, 4f], arrays.Read(sum));
        cuda.Upload<float>([10, 100], input);
        recorded.Run();
        recorded.Run();
        Assert.Equal([42f, 404f], arrays.Read(sum));
    }

    [Fact]
    public void NobodyElseGetsItsMemory()
    {
        using var cuda = CudaBackend.Emulated();
        using var arrays = new DeviceArrays(cuda);
        View<float> input = arrays.From(1f, 2f), output = arrays.Empty<float>(2);
        var live = cuda.Memory;
        var recorded = cuda.Record(() =>
        {
            for (var i = 0; i < 3; i++)
            {
                using var memory = cuda.Allocate(8);
                var temporary = new View<float>(memory, 0, 2);
                cuda.Affine(input, 3, 0, temporary);
                cuda.Affine(temporary, 1, 1, output);
            }
        })!;
        // One block does for all three rounds, and is still in use.
        Assert.Equal(live.LiveBlocks + 1, cuda.Memory.LiveBlocks);
        var other = arrays.From(-5f, -6f);
        recorded.Run();
        Assert.Equal([4f, 7f], arrays.Read(output));
        Assert.Equal([-5f, -6f], arrays.Read(other));
        recorded.Dispose();
        Assert.Equal(live.LiveBlocks + 1, cuda.Memory.LiveBlocks);
        Assert.Equal(live.LiveBytes + 256, cuda.Memory.LiveBytes);
        Assert.Throws<ObjectDisposedException>(recorded.Run);
    }

    [Fact]
    public void WhatWaitsIsRefused()
    {
        using var cuda = CudaBackend.Emulated();
        using var arrays = new DeviceArrays(cuda);
        var view = arrays.From(1f, 2f);
        var live = cuda.Memory;
        Action[] waiting = [() => arrays.Read(view), () => cuda.Upload<float>([3], view), cuda.Synchronize, cuda.Trim, () => cuda.Record(() => { })];
        foreach (var wait in waiting)
        {
            Assert.Throws<InvalidOperationException>(() => cuda.Record(() =>
            {
                cuda.Allocate(1000).Dispose();
                wait();
            }));
            // It computes again at once, and nothing is lost.
            Assert.Equal([1f, 2f], arrays.Read(view));
            Assert.Equal(live.LiveBytes, cuda.Memory.LiveBytes);
        }
    }

    [Fact]
    public void UploadsOfAnyLengthArrive()
    {
        using var cuda = CudaBackend.Emulated();
        using var arrays = new DeviceArrays(cuda);
        // Enough small ones to go round the staging memory, with one between that does not fit there.
        var views = new List<(View<float> View, float[] Values)>();
        for (var i = 0; i < 24; i++)
        {
            float[] values = [.. Enumerable.Range(0, i == 11 ? 100_000 : 60_001).Select(j => (float)(i * 1000 + j % 977))];
            views.Add((arrays.From(values), values));
        }
        Assert.All(views, pair => Assert.Equal(pair.Values, arrays.Read(pair.View)));
    }
}
