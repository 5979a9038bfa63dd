using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IVectorQuantize
{
    /// <inheritdoc/>
    public void NearestCode(View<float> input, View<float> codebook, int rows, int codes, int width, View<int> output)
    {
        Arguments.Require(codes > 0 && width > 0 && rows >= 0, $"{rows} rows against {codes} codes of {width}");
        Arguments.Length(input, (long)rows * width);
        Arguments.Length(codebook, (long)codes * width);
        Arguments.Length(output, rows);
        if (rows == 0) return;
        const int tileRows = VectorQuantizeCuda.TileRows, share = VectorQuantizeCuda.ShareCodes;
        var shares = (int)(((long)codes + share - 1) / share);
        var count = (long)rows * shares;
        using DeviceMemory distanceMemory = Allocate(8 * count), placeMemory = Allocate(4 * count);
        View<double> distances = new(distanceMemory, 0, count);
        View<int> places = new(placeMemory, 0, count);
        Launch(VectorQuantizeCuda.NearestCode, (rows + tileRows - 1L) / tileRows * shares, VectorQuantizeCuda.Threads, new NearestCodeArguments
        {
            Input = View(input),
            Codebook = View(codebook),
            Distances = View(distances),
            Places = View(places),
            Rows = rows,
            Codes = codes,
            Width = width,
            Shares = shares,
        });
        Launch(VectorQuantizeCuda.NearestShare, rows, GroupReduce.WarpSize, new NearestShareArguments { Distances = View(distances), Places = View(places), Output = View(output), Shares = shares });
    }
}

internal struct NearestCodeArguments
{
    public ArrayView<float> Input, Codebook;
    public ArrayView<double> Distances;
    public ArrayView<int> Places;
    public int Rows, Codes, Width, Shares;
}

internal struct NearestShareArguments
{
    public ArrayView<double> Distances;
    public ArrayView<int> Places, Output;
    public int Shares;
}

/// <summary>Two neighbours in double: 128 bits to read at once.</summary>
internal struct Double2
{
    public double X, Y;
}

/// <summary>Squared distances of a row to four codes.</summary>
internal struct Distances4
{
    public double X, Y, Z, W;

    /// <summary>this + (e − x)², for each of the codes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Distances4 Plus(double x, Double2 low, Double2 high)
    {
        double d0 = low.X - x, d1 = low.Y - x, d2 = high.X - x, d3 = high.Y - x;
        return new Distances4 { X = X + d0 * d0, Y = Y + d1 * d1, Z = Z + d2 * d2, W = W + d3 * d3 };
    }
}

/// <summary>The nearest code so far.</summary>
internal struct Nearest
{
    public double Distance;
    public int Place;

    /// <summary>The nearer of this and four codes from <paramref name="code"/> on, the first of equals.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Nearest Or(Distances4 distances, int code, int end)
    {
        var best = this;
        if (code < end && distances.X < best.Distance) best = new Nearest { Distance = distances.X, Place = code };
        if (code + 1 < end && distances.Y < best.Distance) best = new Nearest { Distance = distances.Y, Place = code + 1 };
        if (code + 2 < end && distances.Z < best.Distance) best = new Nearest { Distance = distances.Z, Place = code + 2 };
        if (code + 3 < end && distances.W < best.Distance) best = new Nearest { Distance = distances.W, Place = code + 3 };
        return best;
    }
}

/// <summary>Distance and argmin in one: no distance but the least of each share of the codes is ever stored. Squared differences in double, so the answer is the exact one, ties included.</summary>
internal static class VectorQuantizeCuda
{
    /// <summary>Threads of a group: eight by sixteen, each with four rows and four codes.</summary>
    public const int Threads = 128;

    /// <summary>Rows of a tile.</summary>
    public const int TileRows = 32;

    /// <summary>Codes that a group compares its rows with, a tile after the other.</summary>
    public const int ShareCodes = 4 * TileCodes;

    private const int TileCodes = 64;
    private const int Slice = 16;

    // Rows of a slice in shared memory: two numbers longer, so that neighbouring k lie in other banks and 128-bit reads stay aligned.
    private const int LeftRow = TileRows + 2, RightRow = TileCodes + 2;

    /// <summary>A group per tile of rows and share of the codes.</summary>
    [CudaKernel]
    public static void NearestCode(NearestCodeArguments a)
    {
        var left = SharedMemory.Allocate<double>(Slice * LeftRow);
        var right = SharedMemory.Allocate<double>(Slice * RightRow);
        var left2 = left.Cast<Double2>();
        var right2 = right.Cast<Double2>();
        int tile = Grid.IdxX / a.Shares, share = Grid.IdxX - tile * a.Shares, firstRow = tile * TileRows, firstCode = share * ShareCodes, end = Math.Min(firstCode + ShareCodes, a.Codes);
        int rows = (Group.IdxX >> 4) * 2, codes = (Group.IdxX & 15) * 2;
        Nearest best0 = new() { Distance = double.PositiveInfinity, Place = firstCode }, best1 = best0, best2 = best0, best3 = best0;
        for (var first = firstCode; first < end; first += TileCodes)
        {
            Distances4 d0 = default, d1 = default, d2 = default, d3 = default;
            for (var k = 0; k < a.Width; k += Slice)
            {
                Load(a.Input, left, LeftRow, TileRows, firstRow, a.Rows, k, a.Width);
                Load(a.Codebook, right, RightRow, TileCodes, first, end, k, a.Width);
                Group.Barrier();
                for (var i = 0; i < Slice; i++)
                {
                    Double2 x0 = left2[i * (LeftRow / 2) + rows], x1 = left2[i * (LeftRow / 2) + rows + 1], low = right2[i * (RightRow / 2) + codes], high = right2[i * (RightRow / 2) + codes + 1];
                    d0 = d0.Plus(x0.X, low, high);
                    d1 = d1.Plus(x0.Y, low, high);
                    d2 = d2.Plus(x1.X, low, high);
                    d3 = d3.Plus(x1.Y, low, high);
                }
                Group.Barrier();
            }
            var code = first + 2 * codes;
            best0 = best0.Or(d0, code, end);
            best1 = best1.Or(d1, code, end);
            best2 = best2.Or(d2, code, end);
            best3 = best3.Or(d3, code, end);
        }
        var row = firstRow + 2 * rows;
        Write(a, row, share, best0);
        Write(a, row + 1, share, best1);
        Write(a, row + 2, share, best2);
        Write(a, row + 3, share, best3);
    }

    /// <summary>A warp per row: the nearest of the shares' codes.</summary>
    [CudaKernel]
    public static void NearestShare(NearestShareArguments a)
    {
        var first = (long)Grid.IdxX * a.Shares;
        var distance = double.PositiveInfinity;
        var place = int.MaxValue;
        for (var share = Group.IdxX; share < a.Shares; share += Group.DimX)
        {
            var d = a.Distances[first + share];
            // A share without any finite distance names its first code, and the first of all is what is left if none has one.
            if (!(d < distance) && place != int.MaxValue) continue;
            distance = d;
            place = a.Places[first + share];
        }
        place = GroupReduce.PlaceOfMin(distance, place);
        if (Group.IdxX == 0) a.Output[Grid.IdxX] = place;
    }

    /// <summary>A slice into shared memory, [k, row], in double; zeros beyond the matrix.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load(ArrayView<float> values, ArrayView<double> shared, int stride, int count, int firstRow, int rows, int firstK, int width)
    {
        for (var i = Group.IdxX; i < Slice * count; i += Threads)
        {
            int row = i >> 4, k = i & Slice - 1;
            var value = 0f;
            if (firstRow + row < rows && firstK + k < width) value = values[(long)(firstRow + row) * width + firstK + k];
            shared[k * stride + row] = value;
        }
    }

    /// <summary>The nearest of the sixteen threads that have a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write(in NearestCodeArguments a, int row, int share, Nearest best)
    {
        for (var offset = 8; offset > 0; offset >>= 1)
        {
            var distance = Warp.ShuffleXor(best.Distance, offset);
            var place = Warp.ShuffleXor(best.Place, offset);
            if (distance < best.Distance || distance == best.Distance && place < best.Place) best = new Nearest { Distance = distance, Place = place };
        }
        if ((Group.IdxX & 15) != 0 || row >= a.Rows) return;
        a.Distances[(long)row * a.Shares + share] = best.Distance;
        a.Places[(long)row * a.Shares + share] = best.Place;
    }
}
