using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

/// <summary>A matrix of rows, read four neighbours at a time; beyond a row's end there are zeros.</summary>
internal interface IQuads
{
    /// <summary>Where a row begins, for <see cref="At"/>.</summary>
    int RowAt(int row);

    /// <summary>Elements 4 · quad to 4 · quad + 3 of the row that begins there.</summary>
    Float4 At(int rowAt, int quad);
}

/// <summary>Rows of whole quads that begin at multiples of 16 bytes: a quad is one 128-bit load.</summary>
internal struct WholeQuads : IQuads
{
    public ArrayView<Float4> Values;
    public int Quads;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int RowAt(int row) => row * Quads;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Float4 At(int rowAt, int quad) => Values[rowAt + quad];
}

/// <summary>Rows of any length and place: a quad is up to four loads.</summary>
internal struct PartialQuads : IQuads
{
    public ArrayView<float> Values;
    public int Length;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int RowAt(int row) => row * Length;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Float4 At(int rowAt, int quad)
    {
        int k = quad << 2, at = rowAt + k;
        Float4 values = default;
        if (k < Length) values.X = Values[at];
        if (k + 1 < Length) values.Y = Values[at + 1];
        if (k + 2 < Length) values.Z = Values[at + 2];
        if (k + 3 < Length) values.W = Values[at + 3];
        return values;
    }
}

internal struct FewRowsArguments<Q> where Q : struct, IQuads
{
    public Q Left, Right;
    public ArrayView<float> Output;
    public TileEpilogue Epilogue;
    public int M, N, Quads, RowBlocks;
}

/// <summary>
/// Products of few rows, <c>Y = epilogue(A · Bᵀ)</c>, which take as long as B takes to come from memory. A group has eight rows of A and four of B, so that even a thousand rows of B make more groups than
/// a card has multiprocessors. Its threads lie side by side along K, a quad each: B is read once for eight rows, in whole lines, with the next quads under way while the present ones are multiplied.
/// </summary>
/// <remarks>
/// A result is 128 sums, thread t's over the quads t, t + 128, ..., each a chain in the order of k; added over the lanes of a warp in their order, then over the warps in theirs. So its bits depend on its row
/// of A, its row of B and K alone, not on how many rows there are.
/// </remarks>
internal static class FewRowsCuda
{
    /// <summary>Rows of A of a group.</summary>
    public const int Rows = 8;

    /// <summary>Rows of B of a group: columns of the result.</summary>
    public const int Columns = 4;

    /// <summary>Threads of a group.</summary>
    public const int Threads = 128;

    /// <summary>Rows up to which a product is one of few rows: up to here reading B again for every eight rows, from the card's cache, costs less than tiles of 64 rows that leave the card empty.</summary>
    public const int MostRows = 64;

    private const int SumsRow = Rows * Columns + 1;

    /// <summary>Eight rows by four columns.</summary>
    [CudaKernel(typeof(WholeQuads), typeof(PartialQuads))]
    public static void FewRows<Q>(FewRowsArguments<Q> a) where Q : struct, IQuads
    {
        var sums = SharedMemory.Allocate<float>(Threads * SumsRow);
        var parts = SharedMemory.Allocate<float>(Threads);
        int firstRow = Grid.IdxX % a.RowBlocks * Rows, firstColumn = Grid.IdxX / a.RowBlocks * Columns;
        // Rows beyond the end are the last one again; their results are not stored.
        int lastRow = a.M - 1, lastColumn = a.N - 1;
        int a0 = a.Left.RowAt(firstRow), a1 = a.Left.RowAt(IntrinsicMath.Min(firstRow + 1, lastRow)), a2 = a.Left.RowAt(IntrinsicMath.Min(firstRow + 2, lastRow)), a3 = a.Left.RowAt(IntrinsicMath.Min(firstRow + 3, lastRow));
        int a4 = a.Left.RowAt(IntrinsicMath.Min(firstRow + 4, lastRow)), a5 = a.Left.RowAt(IntrinsicMath.Min(firstRow + 5, lastRow)), a6 = a.Left.RowAt(IntrinsicMath.Min(firstRow + 6, lastRow)), a7 = a.Left.RowAt(IntrinsicMath.Min(firstRow + 7, lastRow));
        int b0 = a.Right.RowAt(firstColumn), b1 = a.Right.RowAt(IntrinsicMath.Min(firstColumn + 1, lastColumn)), b2 = a.Right.RowAt(IntrinsicMath.Min(firstColumn + 2, lastColumn)), b3 = a.Right.RowAt(IntrinsicMath.Min(firstColumn + 3, lastColumn));
        // Sums of a row: one of each column.
        Float4 c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default, c6 = default, c7 = default;
        var quad = Group.IdxX;
        if (quad < a.Quads)
        {
            Float4 next0 = a.Right.At(b0, quad), next1 = a.Right.At(b1, quad), next2 = a.Right.At(b2, quad), next3 = a.Right.At(b3, quad);
            while (quad < a.Quads)
            {
                Float4 x = next0, y = next1, z = next2, w = next3;
                // After the last quads these once more, for nothing.
                var next = quad + Threads < a.Quads ? quad + Threads : quad;
                next0 = a.Right.At(b0, next);
                next1 = a.Right.At(b1, next);
                next2 = a.Right.At(b2, next);
                next3 = a.Right.At(b3, next);
                c0 = Plus(c0, a.Left.At(a0, quad), x, y, z, w);
                c1 = Plus(c1, a.Left.At(a1, quad), x, y, z, w);
                c2 = Plus(c2, a.Left.At(a2, quad), x, y, z, w);
                c3 = Plus(c3, a.Left.At(a3, quad), x, y, z, w);
                c4 = Plus(c4, a.Left.At(a4, quad), x, y, z, w);
                c5 = Plus(c5, a.Left.At(a5, quad), x, y, z, w);
                c6 = Plus(c6, a.Left.At(a6, quad), x, y, z, w);
                c7 = Plus(c7, a.Left.At(a7, quad), x, y, z, w);
                quad += Threads;
            }
        }
        // Each thread's 32 sums in a row of their own, one word longer so that neither rows nor columns meet in a bank; then a thread adds one result over the lanes of its warp.
        int own = Group.IdxX * SumsRow, lane = Group.IdxX & 31;
        Store(sums, own, c0);
        Store(sums, own + 4, c1);
        Store(sums, own + 8, c2);
        Store(sums, own + 12, c3);
        Store(sums, own + 16, c4);
        Store(sums, own + 20, c5);
        Store(sums, own + 24, c6);
        Store(sums, own + 28, c7);
        Group.Barrier();
        int from = (Group.IdxX - lane) * SumsRow + lane;
        var part = 0f;
        for (var i = 0; i < 32; i++) part += sums[from + i * SumsRow];
        parts[Group.IdxX] = part;
        Group.Barrier();
        int row = firstRow + (lane >> 2), column = firstColumn + (lane & 3);
        if (Group.IdxX >= 32 || row >= a.M || column >= a.N) return;
        var sum = parts[lane] + parts[lane + 32] + parts[lane + 64] + parts[lane + 96];
        var index = (long)row * a.N + column;
        a.Output[index] = a.Epilogue.Finish(sum, column, index);
    }

    /// <summary>Sums of a row plus its products with four columns, in the order of k.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float4 Plus(Float4 sums, Float4 row, Float4 x, Float4 y, Float4 z, Float4 w) => new() { X = Float4.AddDot(sums.X, row, x), Y = Float4.AddDot(sums.Y, row, y), Z = Float4.AddDot(sums.Z, row, z), W = Float4.AddDot(sums.W, row, w) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(ArrayView<float> shared, int at, Float4 values)
    {
        shared[at] = values.X;
        shared[at + 1] = values.Y;
        shared[at + 2] = values.Z;
        shared[at + 3] = values.W;
    }
}

public sealed partial class CudaBackend
{
    /// <summary>Whether a view begins at a multiple of 16 bytes, as 128-bit loads want it.</summary>
    private static bool HasWholeQuads(View<float> view) => (view.Offset & 3) == 0;

    /// <summary>A product of few rows of A with rows of B.</summary>
    private void FewRowsProduct(View<float> a, View<float> b, int m, int n, int k, in Epilogue epilogue, View<float> output)
    {
        if (m == 0 || n == 0) return;
        Activations.Require(epilogue.Activation);
        if ((k & 3) == 0 && HasWholeQuads(a) && HasWholeQuads(b))
            Launch(new WholeQuads { Values = View(a).Cast<Float4>(), Quads = k >> 2 }, new WholeQuads { Values = View(b).Cast<Float4>(), Quads = k >> 2 }, epilogue);
        else
            Launch(new PartialQuads { Values = View(a), Length = k }, new PartialQuads { Values = View(b), Length = k }, epilogue);

        void Launch<Q>(Q left, Q right, in Epilogue e) where Q : struct, IQuads
        {
            var rowBlocks = (m + FewRowsCuda.Rows - 1) / FewRowsCuda.Rows;
            this.Launch(FewRowsCuda.FewRows, (long)rowBlocks * ((n + FewRowsCuda.Columns - 1) / FewRowsCuda.Columns), FewRowsCuda.Threads, new FewRowsArguments<Q>
            {
                Left = left,
                Right = right,
                Output = View(output),
                Epilogue = EpilogueOf(e),
                M = m,
                N = n,
                Quads = (k + 3) >> 2,
                RowBlocks = rowBlocks,
            });
        }
    }
}
