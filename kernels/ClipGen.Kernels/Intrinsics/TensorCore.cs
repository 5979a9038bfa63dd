using ILGPU;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>Two 32-bit words: a lane's share of an 8 x 16 operand, or two floats.</summary>
internal struct UInt2
{
    public uint X, Y;
}

/// <summary>Four 32-bit words: eight bf16 numbers in memory, or a lane's share of a 16 x 16 operand.</summary>
internal struct UInt4
{
    public uint X, Y, Z, W;
}

/// <summary>
/// Matrix products of a warp (PTX ISA, mma.m16n8k16 and ldmatrix). Lane 4 g + t holds, of A [16, 16]: X = (row g, k 2t and 2t + 1), Y = (g + 8, the same), Z = (g, 2t + 8 and 2t + 9), W = (g + 8, those);
/// of B [8, 16]: X = (row g, k 2t and 2t + 1), Y = (g, 2t + 8 and 2t + 9); of the sums [16, 8]: X, Y = (row g, columns 2t and 2t + 1), Z, W = (g + 8, those). A word's lower half is the number with the smaller k.
/// </summary>
internal static unsafe class TensorCore
{
    /// <summary>sums + A · Bᵀ, bf16 numbers multiplied exactly and added in float32.</summary>
    [IntrinsicImplementation]
    public static Float4 Mma(Float4 sums, UInt4 a, UInt2 b)
    {
        int lane = Warp.LaneIdx, row = lane / 4 * 4, column = lane % 4 * 8;
        var all = stackalloc Share[GroupReduce.WarpSize];
        all = Exchange(all, new Share { A = a, B = b });
        for (var i = 0; i < 4; i++)
        {
            var x = all[row + i].A;
            UInt2 left = all[column + i].B, right = all[column + 4 + i].B;
            sums.X += Dot(x.X, left.X) + Dot(x.Z, left.Y);
            sums.Y += Dot(x.X, right.X) + Dot(x.Z, right.Y);
            sums.Z += Dot(x.Y, left.X) + Dot(x.W, left.Y);
            sums.W += Dot(x.Y, right.X) + Dot(x.W, right.Y);
        }
        Warp.Barrier();
        return sums;
    }

    /// <summary>Four 8 x 8 matrices of bf16 from shared memory. Lane 8 i + r names row r of matrix i; word i of lane 4 g + t is (row g, columns 2t and 2t + 1) of matrix i.</summary>
    [IntrinsicImplementation]
    public static UInt4 LoadMatrices(ref UInt4 row)
    {
        var all = stackalloc UInt4[GroupReduce.WarpSize];
        all = Exchange(all, row);
        int lane = Warp.LaneIdx, from = lane / 4, word = lane % 4;
        var loaded = new UInt4 { X = Word(all[from], word), Y = Word(all[from + 8], word), Z = Word(all[from + 16], word), W = Word(all[from + 24], word) };
        Warp.Barrier();
        return loaded;
    }

    /// <summary>The same, each matrix transposed: word i of lane 4 g + t is (rows 2t and 2t + 1, column g) of matrix i.</summary>
    [IntrinsicImplementation]
    public static UInt4 LoadTransposedMatrices(ref UInt4 row)
    {
        var all = stackalloc UInt4[GroupReduce.WarpSize];
        all = Exchange(all, row);
        int lane = Warp.LaneIdx, from = lane % 4 * 2, column = lane / 4;
        var loaded = new UInt4 { X = Pair(all[from], all[from + 1], column), Y = Pair(all[from + 8], all[from + 9], column), Z = Pair(all[from + 16], all[from + 17], column), W = Pair(all[from + 24], all[from + 25], column) };
        Warp.Barrier();
        return loaded;
    }

    /// <summary>Instruction of <see cref="Mma"/>.</summary>
    public static void MmaPtx(PTXBackend backend, PTXCodeGenerator generator, Value call)
    {
        string sums = PtxIntrinsics.List(generator, call[0]), a = PtxIntrinsics.List(generator, call[1]), b = PtxIntrinsics.List(generator, call[2]);
        generator.Builder.AppendLine($"\tmma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {{{PtxIntrinsics.Result(generator, call)}}}, {{{a}}}, {{{b}}}, {{{sums}}};");
    }

    /// <summary>Instruction of <see cref="LoadMatrices"/>.</summary>
    public static void LoadMatricesPtx(PTXBackend backend, PTXCodeGenerator generator, Value call) => WriteLoad(generator, call, "");

    /// <summary>Instruction of <see cref="LoadTransposedMatrices"/>.</summary>
    public static void LoadTransposedMatricesPtx(PTXBackend backend, PTXCodeGenerator generator, Value call) => WriteLoad(generator, call, ".trans");

    private static void WriteLoad(PTXCodeGenerator generator, Value call, string transposed)
    {
        var address = PtxIntrinsics.Address(generator, call[0], MemoryAddressSpace.Shared);
        generator.Builder.AppendLine($"\tldmatrix.sync.aligned.m8n8.x4{transposed}.shared.b16 {{{PtxIntrinsics.Result(generator, call)}}}, [{address}];");
    }

    /// <summary>In emulation: every lane's share, in the memory that the first lane has set aside; good until the warp's next barrier. (A shuffle for each would take many times as long.)</summary>
    private static T* Exchange<T>(T* aside, T mine) where T : unmanaged
    {
        var all = (T*)Warp.Shuffle((long)aside, 0);
        all[Warp.LaneIdx] = mine;
        Warp.Barrier();
        return all;
    }

    private struct Share
    {
        public UInt4 A;
        public UInt2 B;
    }

    private static float Dot(uint x, uint y) => BFloat16.Low(x) * BFloat16.Low(y) + BFloat16.High(x) * BFloat16.High(y);

    private static uint Word(UInt4 row, int i) => i switch { 0 => row.X, 1 => row.Y, 2 => row.Z, _ => row.W };

    private static uint Pair(UInt4 low, UInt4 high, int column)
    {
        var shift = column % 2 * 16;
        return (Word(low, column / 2) >> shift & 0xFFFF) | (Word(high, column / 2) >> shift << 16);
    }
}
