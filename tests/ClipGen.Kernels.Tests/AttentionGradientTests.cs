using ClipGen.OpCases;

namespace ClipGen.Kernels.Tests;

/// <summary>The reference's gradients of attention are the derivatives of its forward pass.</summary>
public sealed class AttentionGradientTests
{
    private static readonly DropoutMask Dropped = new(0.4f, new RandomKey(99, 1, 2));

    [Theory]
    [InlineData(1, 1, 4, 5, 5, false, false)]
    [InlineData(2, 3, 4, 3, 6, false, true)]
    [InlineData(1, 2, 5, 6, 6, true, false)]
    [InlineData(2, 2, 3, 4, 7, true, true)]
    public void MatchCentralDifferences(int batch, int heads, int size, int query, int key, bool causal, bool dropout) =>
        Check(new AttentionShape { Batch = batch, Heads = heads, HeadSize = size, QueryLength = query, KeyLength = key, Causal = causal }, dropout ? Dropped : DropoutMask.None);

    [Fact]
    public void AWrongGradientIsFound() =>
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => Check(new AttentionShape { Batch = 1, Heads = 1, HeadSize = 4, QueryLength = 3, KeyLength = 3 }, Dropped, backwardDropout: DropoutMask.None));

    [Fact]
    public void WithoutDropoutTrainingIsAttentionBitForBit()
    {
        var shape = new AttentionShape { Batch = 2, Heads = 3, HeadSize = 9, QueryLength = 20, KeyLength = 25, Causal = true };
        using var cpu = new CpuBackend(2);
        using var arrays = new DeviceArrays(cpu);
        View<float> q = arrays.From(CaseData.Normal(2 * 20 * 27, 1)), k = arrays.From(CaseData.Normal(2 * 25 * 27, 2)), v = arrays.From(CaseData.Normal(2 * 25 * 27, 3));
        View<float> plain = arrays.Empty<float>(2 * 20 * 27), training = arrays.Empty<float>(2 * 20 * 27);
        cpu.Attention(shape, q, k, v, plain);
        cpu.AttentionTraining(shape, Dropped with { Probability = 0 }, q, k, v, training);
        Assert.Equal(arrays.Read(plain), arrays.Read(training));
        cpu.AttentionTraining(shape, Dropped, q, k, v, training);
        Assert.NotEqual(arrays.Read(plain), arrays.Read(training));
    }

    [Fact]
    public void NoScratchStaysAllocated()
    {
        // One head of three blocks on two threads: the way that waits for sums in memory.
        var shape = new AttentionShape { Batch = 1, Heads = 1, HeadSize = 8, QueryLength = 200, KeyLength = 200 };
        using var cpu = new CpuBackend(2);
        using var arrays = new DeviceArrays(cpu);
        var x = arrays.From(CaseData.Normal(1600, 1));
        View<float> dq = arrays.Empty<float>(1600), dk = arrays.Empty<float>(1600), dv = arrays.Empty<float>(1600);
        var before = cpu.Memory;
        cpu.AttentionBackward(shape, DropoutMask.None, x, x, x, x, x, dq, dk, dv);
        Assert.Equal(before.LiveBytes, cpu.Memory.LiveBytes);
        Assert.True(cpu.Memory.PeakBytes > before.PeakBytes, "the case does not take the way it is meant for");
    }

    [Fact]
    public unsafe void AKernelStaysInsideItsScratchMemory()
    {
        foreach (var level in Enum.GetValues<SimdLevel>())
            foreach (var (size, query, key, causal) in new[] { (1, 1, 1, false), (5, 96, 96, true), (33, 95, 31, false), (17, 60, 193, true) })
            {
                var shape = new AttentionShape { Batch = 1, Heads = 1, HeadSize = size, QueryLength = query, KeyLength = key, Causal = causal, QueryStride = size, KeyStride = size, OutputStride = size };
                var floats = checked((int)AttentionGradient.ScratchFloats(shape));
                var scratch = new float[floats + 64];
                scratch.AsSpan(floats).Fill(42);
                float[] q = CaseData.Normal(size * query, 1), k = CaseData.Normal(size * key, 2), dq = new float[q.Length], dk = new float[k.Length], dv = new float[k.Length];
                fixed (float* memory = scratch, x = q, y = k, a = dq, b = dk, c = dv)
                {
                    var kernel = new AttentionGradient(level, shape, memory);
                    kernel.PackHead(y, y);
                    kernel.Block(0, Dropped, 0, x, x, x, a, b, c, size, false);
                }
                Assert.Equal(64, scratch.AsSpan(floats).Count(42f));
                Assert.DoesNotContain(dk, float.IsNaN);
            }
    }

    private static void Check(AttentionShape shape, DropoutMask dropout, DropoutMask? backwardDropout = null)
    {
        var width = shape.Heads * shape.HeadSize;
        int queries = shape.Batch * shape.QueryLength * width, keys = shape.Batch * shape.KeyLength * width;
        double[][] inputs = [Values(queries, 1), Values(keys, 2), Values(keys, 3)];
        FiniteDifferences.Check($"attention {shape}", inputs, Forward, (backend, x, upstream) =>
        {
            var y = Forward(backend, x);
            View<float> dq = Empty(backend, queries), dk = Empty(backend, keys), dv = Empty(backend, keys);
            backend.AttentionBackward(shape, backwardDropout ?? dropout, x[0], x[1], x[2], y, upstream, dq, dk, dv);
            return [dq, dk, dv];
        });

        View<float> Forward(ReferenceBackend backend, View<float>[] x)
        {
            var y = Empty(backend, queries);
            backend.AttentionTraining(shape, dropout, x[0], x[1], x[2], y);
            return y;
        }
    }

    private static double[] Values(int length, int seed) => Array.ConvertAll(CaseData.Normal(length, seed), x => (double)x);

    private static View<float> Empty(ReferenceBackend backend, int length) => new(backend.Allocate(4L * length), 0, length);
}
