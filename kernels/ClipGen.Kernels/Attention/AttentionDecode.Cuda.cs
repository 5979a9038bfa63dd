using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

internal struct AttentionDecodeArguments<Q> where Q : struct, IQuads
{
    /// <summary>Queries, keys and values of a step, and both caches: a row is a head's.</summary>
    public Q Rows, Keys, Values;

    /// <summary>The same step, both caches and the output, for single floats.</summary>
    public ArrayView<float> Qkv, KeyCache, ValueCache, Output;
    public ArrayView<int> Lengths, Faults;
    public int Heads, Size, Quads, LogLanes, MaxLength;
    public float Scale;
}

/// <summary>
/// One new query of a head against its cache, a group for 128 channels of the result. As many neighbouring lanes as a key has quads read it together, so a warp reads whole lines; eight keys, and then
/// eight values, are under way in every thread at once. Scores lie in shared memory, a stretch of 1024 keys at a time, with the running maximum and sum of the softmax (Milakov and Gimelshein 2018).
/// </summary>
/// <remarks>The order of every sum depends on the head's size and the position alone.</remarks>
internal static class AttentionDecodeCuda
{
    /// <summary>Threads of a group.</summary>
    public const int Threads = 128;

    // Keys whose scores are in shared memory at once: a multiple of eight times the threads, so that a round of keys never leaves it.
    private const int Stretch = 1024;

    /// <summary>The new key and value go to the caches first.</summary>
    [CudaKernel(typeof(WholeQuads), typeof(PartialQuads))]
    public static void AttentionDecode<Q>(AttentionDecodeArguments<Q> a) where Q : struct, IQuads
    {
        int b = Grid.IdxX / a.Heads, h = Grid.IdxX % a.Heads, n = a.Lengths[b];
        if (n < 0 || n >= a.MaxLength)
        {
            if (Group.IdxX == 0) CudaFaults.Write(a.Faults, CudaFault.Length, b, n, a.MaxLength);
            return;
        }
        var weights = SharedMemory.Allocate<float>(Stretch);
        var parts = SharedMemory.Allocate<Float4>(Threads);
        // A step's row of heads: queries, keys, values.
        int query = (3 * b * a.Heads) + h, cache = Grid.IdxX * a.MaxLength, newest = (cache + n) * a.Size;
        // All of the key, for this group reads it all; other groups of the head write the same there.
        for (var d = Group.IdxX; d < a.Size; d += Threads)
        {
            a.KeyCache[newest + d] = a.Qkv[(query + a.Heads) * a.Size + d];
            a.ValueCache[newest + d] = a.Qkv[(query + 2 * a.Heads) * a.Size + d];
        }
        Group.Barrier();
        int lanes = 1 << a.LogLanes, lane = Group.IdxX & (lanes - 1), slot = Group.IdxX >> a.LogLanes, slots = Threads >> a.LogLanes;
        // The quad of the result that this thread adds values of: none where a key has fewer quads than lanes.
        int quad = Grid.IdxY * 32 + lane, from = a.Rows.RowAt(query);
        float max = float.NegativeInfinity, total = 0;
        Float4 sum = default;
        for (var first = 0; first <= n; first += Stretch)
        {
            var count = IntrinsicMath.Min(n + 1 - first, Stretch);
            for (var round = 0; round < count; round += 8 * slots)
            {
                // Beyond the end the newest key once more; its score is not used.
                int k = first + round + slot;
                int k0 = KeyAt(a, cache, k, n), k1 = KeyAt(a, cache, k + slots, n), k2 = KeyAt(a, cache, k + 2 * slots, n), k3 = KeyAt(a, cache, k + 3 * slots, n);
                int k4 = KeyAt(a, cache, k + 4 * slots, n), k5 = KeyAt(a, cache, k + 5 * slots, n), k6 = KeyAt(a, cache, k + 6 * slots, n), k7 = KeyAt(a, cache, k + 7 * slots, n);
                float s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
                for (var i = lane; i < a.Quads; i += lanes)
                {
                    Float4 x0 = a.Keys.At(k0, i), x1 = a.Keys.At(k1, i), x2 = a.Keys.At(k2, i), x3 = a.Keys.At(k3, i);
                    Float4 x4 = a.Keys.At(k4, i), x5 = a.Keys.At(k5, i), x6 = a.Keys.At(k6, i), x7 = a.Keys.At(k7, i);
                    var q = a.Rows.At(from, i);
                    s0 = Float4.AddDot(s0, q, x0);
                    s1 = Float4.AddDot(s1, q, x1);
                    s2 = Float4.AddDot(s2, q, x2);
                    s3 = Float4.AddDot(s3, q, x3);
                    s4 = Float4.AddDot(s4, q, x4);
                    s5 = Float4.AddDot(s5, q, x5);
                    s6 = Float4.AddDot(s6, q, x6);
                    s7 = Float4.AddDot(s7, q, x7);
                }
                for (var offset = lanes >> 1; offset > 0; offset >>= 1)
                {
                    s0 += Warp.ShuffleXor(s0, offset);
                    s1 += Warp.ShuffleXor(s1, offset);
                    s2 += Warp.ShuffleXor(s2, offset);
                    s3 += Warp.ShuffleXor(s3, offset);
                    s4 += Warp.ShuffleXor(s4, offset);
                    s5 += Warp.ShuffleXor(s5, offset);
                    s6 += Warp.ShuffleXor(s6, offset);
                    s7 += Warp.ShuffleXor(s7, offset);
                }
                if (lane == 0)
                {
                    var at = round + slot;
                    weights[at] = s0 * a.Scale;
                    weights[at + slots] = s1 * a.Scale;
                    weights[at + 2 * slots] = s2 * a.Scale;
                    weights[at + 3 * slots] = s3 * a.Scale;
                    weights[at + 4 * slots] = s4 * a.Scale;
                    weights[at + 5 * slots] = s5 * a.Scale;
                    weights[at + 6 * slots] = s6 * a.Scale;
                    weights[at + 7 * slots] = s7 * a.Scale;
                }
            }
            Group.Barrier();
            var largest = max;
            for (var i = Group.IdxX; i < count; i += Threads)
            {
                var score = weights[i];
                if (score > largest) largest = score;
            }
            largest = GroupReduce.Max(largest);
            // What was added so far was relative to the old maximum. A NaN in a row makes a NaN of its sum.
            var shrink = max == float.NegativeInfinity ? 0 : DeviceMath.Exp(max - largest);
            var added = 0f;
            for (var i = Group.IdxX; i < count; i += Threads)
            {
                var weight = DeviceMath.Exp(weights[i] - largest);
                weights[i] = weight;
                added += weight;
            }
            // Its barriers let every thread see the weights.
            total = total * shrink + GroupReduce.Sum(added);
            sum = default(Float4).Plus(shrink, sum);
            if (quad < a.Quads)
                for (var at = slot; at < count; at += 8 * slots)
                {
                    // Beyond the end the newest value with a weight of 0.
                    int k = first + at;
                    Float4 x0 = a.Values.At(ValueAt(a, cache, k, n), quad), x1 = a.Values.At(ValueAt(a, cache, k + slots, n), quad);
                    Float4 x2 = a.Values.At(ValueAt(a, cache, k + 2 * slots, n), quad), x3 = a.Values.At(ValueAt(a, cache, k + 3 * slots, n), quad);
                    Float4 x4 = a.Values.At(ValueAt(a, cache, k + 4 * slots, n), quad), x5 = a.Values.At(ValueAt(a, cache, k + 5 * slots, n), quad);
                    Float4 x6 = a.Values.At(ValueAt(a, cache, k + 6 * slots, n), quad), x7 = a.Values.At(ValueAt(a, cache, k + 7 * slots, n), quad);
                    sum = sum.Plus(weights[at], x0);
                    sum = sum.Plus(at + slots < count ? weights[at + slots] : 0, x1);
                    sum = sum.Plus(at + 2 * slots < count ? weights[at + 2 * slots] : 0, x2);
                    sum = sum.Plus(at + 3 * slots < count ? weights[at + 3 * slots] : 0, x3);
                    sum = sum.Plus(at + 4 * slots < count ? weights[at + 4 * slots] : 0, x4);
                    sum = sum.Plus(at + 5 * slots < count ? weights[at + 5 * slots] : 0, x5);
                    sum = sum.Plus(at + 6 * slots < count ? weights[at + 6 * slots] : 0, x6);
                    sum = sum.Plus(at + 7 * slots < count ? weights[at + 7 * slots] : 0, x7);
                }
            Group.Barrier();
            max = largest;
        }
        // Over the slots, in their order.
        parts[Group.IdxX] = sum;
        Group.Barrier();
        if (slot != 0 || quad >= a.Quads) return;
        for (var i = 1; i < slots; i++) sum = sum.Plus(1, parts[(i << a.LogLanes) + lane]);
        int channel = quad << 2, to = Grid.IdxX * a.Size + channel;
        a.Output[to] = sum.X / total;
        if (channel + 1 < a.Size) a.Output[to + 1] = sum.Y / total;
        if (channel + 2 < a.Size) a.Output[to + 2] = sum.Z / total;
        if (channel + 3 < a.Size) a.Output[to + 3] = sum.W / total;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int KeyAt<Q>(in AttentionDecodeArguments<Q> a, int cache, int key, int newest) where Q : struct, IQuads => a.Keys.RowAt(cache + IntrinsicMath.Min(key, newest));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int ValueAt<Q>(in AttentionDecodeArguments<Q> a, int cache, int key, int newest) where Q : struct, IQuads => a.Values.RowAt(cache + IntrinsicMath.Min(key, newest));
}
