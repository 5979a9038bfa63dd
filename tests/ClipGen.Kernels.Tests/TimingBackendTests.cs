namespace ClipGen.Kernels.Tests;

/// <summary>The per-op table: calls, flops and bytes are exact, so that a rate computed from them is one.</summary>
public sealed class TimingBackendTests
{
    [Fact]
    public void CountsCallsFlopsAndBytes()
    {
        using var backend = new TimingBackend(new CpuBackend(1));
        Assert.Equal("cpu", backend.Name);
        using var arrays = new DeviceArrays(backend);
        var x = arrays.From(new float[2 * 4 * 4 * 3]);
        var y = arrays.Empty<float>(1024);
        using var packed = backend.AllocatePacked(5, 12);
        backend.PackRows(new float[60], 0, 5, packed);
        Assert.Empty(backend.Times);

        backend.MatMul(x, 8, packed, default, y.Slice(0, 40));
        backend.MatMulPlain(new MatMulShape(2, 3, 4), x, x, default, y.Slice(0, 6));
        Check(backend, "MatMul", 2, 2.0 * (8 * 5 * 12 + 2 * 3 * 4), 4.0 * (8 * 12 + 5 * 12 + 8 * 5 + 2 * 4 + 3 * 4 + 2 * 3));

        var conv = new Conv2dShape { Batch = 2, Height = 4, Width = 4, InChannels = 3, OutChannels = 5, Kernel = 2, Stride = 2 };
        backend.Conv2d(x, conv, packed, default, y.Slice(0, 40));
        Check(backend, "Conv2d", 1, 2.0 * 2 * 2 * 2 * 5 * 12, 4.0 * (96 + 60 + 40));

        backend.Add(x, x, y.Slice(0, 96));
        Check(backend, "Add", 1, 96, 4.0 * 3 * 96);

        // A causal mask leaves 1 + 2 + 3 + 4 of the 16 pairs; every pair is two products of the width.
        var attention = new AttentionShape { Batch = 1, Heads = 2, HeadSize = 3, QueryLength = 4, KeyLength = 4, Causal = true };
        backend.Attention(attention, x, x, x, y.Slice(0, 24));
        Check(backend, "Attention", 1, 4.0 * 10 * 6, 8.0 * 6 * 8);

        // Sequences with 0 and 2 earlier positions attend to 1 and 3.
        backend.AttentionDecode(new AttentionDecodeShape(2, 2, 3, 4), x, y.Slice(0, 48), y.Slice(48, 48), arrays.From(0, 2), y.Slice(96, 12));
        Check(backend, "AttentionDecode", 1, 4.0 * 4 * 6, 8.0 * 4 * 6);

        Assert.Equal(["Add", "Attention", "AttentionDecode", "Conv2d", "MatMul"], backend.Times.Select(time => time.Op).Order());
        Assert.DoesNotContain(backend.Times, time => !(time.Seconds >= 0));
        Assert.Equal(backend.Times.Select(time => time.Seconds).OrderDescending(), backend.Times.Select(time => time.Seconds));
        backend.Reset();
        Assert.Empty(backend.Times);
    }

    private static void Check(TimingBackend backend, string op, long calls, double flops, double bytes)
    {
        var time = Assert.Single(backend.Times, time => time.Op == op);
        Assert.Equal((calls, flops, bytes), (time.Calls, time.Flops, time.Bytes));
    }
}
