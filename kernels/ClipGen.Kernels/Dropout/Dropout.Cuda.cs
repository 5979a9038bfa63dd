using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IDropout
{
    /// <inheritdoc/>
    public void Dropout(in DropoutMask mask, View<float> input, View<float> output)
    {
        mask.Require();
        Arguments.Length(output, input.Length);
        LaunchOver(DropoutCuda.Dropout, input.Length, new DropoutArguments { Input = View(input), Output = View(output), Mask = mask });
    }

    /// <summary>A bit for each of a mask's first elements, 32 to a word: for kernels that come to the same element several times, and in another order than it was drawn in. Null where nothing is dropped.</summary>
    private DeviceMemory? DropoutBits(in DropoutMask mask, long elements, long padding, out ArrayView<uint> bits)
    {
        bits = ArrayView<uint>.Empty;
        if (mask.Probability == 0) return null;
        long words = (elements + 31) / 32, all = (elements + padding + 31) / 32;
        var memory = Allocate(4 * all);
        bits = View(new View<uint>(memory, 0, all));
        LaunchOver(DropoutCuda.DropoutBits, 8 * words, new DropoutBitsArguments { Output = bits.SubView(0, words), Mask = mask });
        return memory;
    }
}

internal struct DropoutArguments
{
    public ArrayView<float> Input, Output;
    public DropoutMask Mask;
}

internal struct DropoutBitsArguments
{
    public ArrayView<uint> Output;
    public DropoutMask Mask;
}

/// <summary>Masks drawn where they are used: ten rounds of Philox are cheaper than reading a stored mask.</summary>
internal static class DropoutCuda
{
    /// <summary>
    /// <c>y[i] = keep(i) ? x[i] · scale : 0</c>. A warp takes 128 neighbours at a time: each lane draws the four numbers of one counter and makes four bits of them, which the lanes that have those elements fetch.
    /// So numbers are drawn once, and neighbours still read neighbours.
    /// </summary>
    [CudaKernel]
    public static void Dropout(DropoutArguments a)
    {
        var scale = a.Mask.Scale;
        var length = a.Input.Length;
        long first = GridStride.First >> 5 << 7, step = GridStride.Step << 2;
        for (; first < length; first += step)
        {
            var mine = Kept(a.Mask, (ulong)(first >> 2) + (ulong)Warp.LaneIdx);
            int from = Warp.LaneIdx >> 2, bit = Warp.LaneIdx & 3;
            int kept0 = Warp.Shuffle(mine, from) >> bit & 1, kept1 = Warp.Shuffle(mine, from + 8) >> bit & 1, kept2 = Warp.Shuffle(mine, from + 16) >> bit & 1, kept3 = Warp.Shuffle(mine, from + 24) >> bit & 1;
            var i = first + Warp.LaneIdx;
            if (i + 96 < length)
            {
                float x0 = a.Input[i], x1 = a.Input[i + 32], x2 = a.Input[i + 64], x3 = a.Input[i + 96];
                a.Output[i] = Scaled(kept0, x0, scale);
                a.Output[i + 32] = Scaled(kept1, x1, scale);
                a.Output[i + 64] = Scaled(kept2, x2, scale);
                a.Output[i + 96] = Scaled(kept3, x3, scale);
            }
            else
            {
                if (i < length) a.Output[i] = Scaled(kept0, a.Input[i], scale);
                if (i + 32 < length) a.Output[i + 32] = Scaled(kept1, a.Input[i + 32], scale);
                if (i + 64 < length) a.Output[i + 64] = Scaled(kept2, a.Input[i + 64], scale);
            }
        }
    }

    /// <summary>A counter a lane, whose four bits eight lanes put together to a word.</summary>
    [CudaKernel]
    public static void DropoutBits(DropoutBitsArguments a)
    {
        var lane = Warp.LaneIdx;
        // A warp's lanes go on together: they meet in the shuffles.
        for (var first = GridStride.First - lane; first < a.Output.Length << 3; first += GridStride.Step)
        {
            var word = Kept(a.Mask, (ulong)(first + lane)) << ((lane & 7) << 2);
            word |= Warp.ShuffleXor(word, 1);
            word |= Warp.ShuffleXor(word, 2);
            word |= Warp.ShuffleXor(word, 4);
            var at = first + lane >> 3;
            if ((lane & 7) == 0 && at < a.Output.Length) a.Output[at] = (uint)word;
        }
    }

    /// <summary>Which of a counter's four elements stay: a bit for each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Kept(in DropoutMask mask, ulong block)
    {
        if (mask.Probability == 0) return 15;
        var (x, y, z, w) = Philox.Block(mask.Key, block);
        return (mask.Keeps(x) ? 1 : 0) | (mask.Keeps(y) ? 2 : 0) | (mask.Keeps(z) ? 4 : 0) | (mask.Keeps(w) ? 8 : 0);
    }

    // Not a product with 0: infinity times 0 is not 0.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Scaled(int kept, float x, float scale) => kept == 0 ? 0 : x * scale;
}
