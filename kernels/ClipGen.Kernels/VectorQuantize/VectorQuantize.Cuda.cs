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
        const int together = VectorQuantizeCuda.RowsTogether;
        Launch(VectorQuantizeCuda.NearestCode, (rows + together - 1) / together, ThreadsOf(codes), new NearestCodeArguments { Input = View(input), Codebook = View(codebook), Output = View(output), Rows = rows, Codes = codes, Width = width });
    }
}

internal struct NearestCodeArguments
{
    public ArrayView<float> Input, Codebook;
    public ArrayView<int> Output;
    public int Rows, Codes, Width;
}

/// <summary>Distance and argmin in one: no distance is ever stored.</summary>
internal static class VectorQuantizeCuda
{
    /// <summary>Rows that a group compares with every code while it is read once.</summary>
    public const int RowsTogether = 4;

    // Floats of the rows that lie in shared memory at a time.
    private const int Slice = 64;

    /// <summary>A thread per code, over all codes in turn; squared differences in double, so the answer is the exact one, ties included.</summary>
    [CudaKernel]
    public static void NearestCode(NearestCodeArguments a)
    {
        var rows = SharedMemory.Allocate<float>(RowsTogether * Slice);
        var firstRow = Grid.IdxX * RowsTogether;
        double best0 = double.PositiveInfinity, best1 = best0, best2 = best0, best3 = best0;
        int place0 = 0, place1 = 0, place2 = 0, place3 = 0;
        for (var first = 0; first < a.Codes; first += Group.DimX)
        {
            var code = first + Group.IdxX;
            double d0 = 0, d1 = 0, d2 = 0, d3 = 0;
            for (var at = 0; at < a.Width; at += Slice)
            {
                Group.Barrier();
                for (var i = Group.IdxX; i < RowsTogether * Slice; i += Group.DimX)
                {
                    int row = firstRow + i / Slice, column = at + i % Slice;
                    rows[i] = row < a.Rows && column < a.Width ? a.Input[(long)row * a.Width + column] : 0;
                }
                Group.Barrier();
                if (code >= a.Codes) continue;
                var end = a.Width - at < Slice ? a.Width - at : Slice;
                for (var i = 0; i < end; i++)
                {
                    double e = a.Codebook[(long)code * a.Width + at + i];
                    double x0 = rows[i] - e, x1 = rows[Slice + i] - e, x2 = rows[2 * Slice + i] - e, x3 = rows[3 * Slice + i] - e;
                    d0 += x0 * x0;
                    d1 += x1 * x1;
                    d2 += x2 * x2;
                    d3 += x3 * x3;
                }
            }
            if (code >= a.Codes) continue;
            if (d0 < best0) { best0 = d0; place0 = code; }
            if (d1 < best1) { best1 = d1; place1 = code; }
            if (d2 < best2) { best2 = d2; place2 = code; }
            if (d3 < best3) { best3 = d3; place3 = code; }
        }
        Write(a, firstRow, best0, place0);
        Write(a, firstRow + 1, best1, place1);
        Write(a, firstRow + 2, best2, place2);
        Write(a, firstRow + 3, best3, place3);
    }

    private static void Write(in NearestCodeArguments a, int row, double distance, int place)
    {
        place = GroupReduce.PlaceOfMin(distance, place);
        if (Group.IdxX == 0 && row < a.Rows) a.Output[row] = place;
    }
}
