using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : ILayout
{
    /// <inheritdoc/>
    public void CopyRows(View<float> source, int sourceStride, int rows, int width, int destinationStride, View<float> destination)
    {
        Arguments.Require(rows >= 0 && width >= 0 && sourceStride >= 0 && (destinationStride >= width || rows <= 1), $"{rows} rows of {width} floats with strides {sourceStride} and {destinationStride}");
        if (rows == 0 || width == 0) return;
        Arguments.Length(source, (long)(rows - 1) * sourceStride + width);
        Arguments.Length(destination, (long)(rows - 1) * destinationStride + width);
        LaunchOver(LayoutCuda.CopyRows, (long)rows * width, new CopyRowsArguments
        {
            Source = View(source),
            Destination = View(destination),
            Count = (long)rows * width,
            Width = width,
            SourceStride = sourceStride,
            DestinationStride = destinationStride,
        });
    }

    /// <inheritdoc/>
    public void Transpose(View<float> input, int batch, int rows, int columns, View<float> output)
    {
        var count = checked((long)batch * rows * columns);
        Arguments.Length(input, count);
        Arguments.Length(output, count);
        if (count == 0) return;
        const int tile = LayoutCuda.Tile;
        int tileRows = (rows + tile - 1) / tile, tileColumns = (columns + tile - 1) / tile;
        Launch(LayoutCuda.Transpose, checked((long)batch * tileRows * tileColumns), MostThreads, new TransposeArguments { Input = View(input), Output = View(output), Rows = rows, Columns = columns, TileRows = tileRows, TileColumns = tileColumns });
    }
}

internal struct CopyRowsArguments
{
    public ArrayView<float> Source, Destination;
    public long Count;
    public int Width, SourceStride, DestinationStride;
}

internal struct TransposeArguments
{
    public ArrayView<float> Input, Output;
    public int Rows, Columns, TileRows, TileColumns;
}

/// <summary>Moving data.</summary>
internal static class LayoutCuda
{
    /// <summary>Side of a square that goes through shared memory.</summary>
    public const int Tile = 32;

    /// <summary>Rows from one stride to another.</summary>
    [CudaKernel]
    public static void CopyRows(CopyRowsArguments a)
    {
        for (var i = GridStride.First; i < a.Count; i += GridStride.Step)
        {
            long row = i / a.Width, column = i % a.Width;
            a.Destination[row * a.DestinationStride + column] = a.Source[row * a.SourceStride + column];
        }
    }

    /// <summary>One square of one matrix: read along its rows, written along its columns, both times neighbours by neighbouring threads. A row of shared memory is one float longer, so that a column lies in 32 banks.</summary>
    [CudaKernel]
    public static void Transpose(TransposeArguments a)
    {
        var square = SharedMemory.Allocate<float>(Tile * (Tile + 1));
        int lane = Group.IdxX % Tile, step = Group.DimX / Tile;
        var tiles = a.TileRows * a.TileColumns;
        int batch = Grid.IdxX / tiles, tile = Grid.IdxX % tiles;
        int row = tile / a.TileColumns * Tile, column = tile % a.TileColumns * Tile;
        var matrix = (long)batch * a.Rows * a.Columns;
        for (var i = Group.IdxX / Tile; i < Tile; i += step)
            if (row + i < a.Rows && column + lane < a.Columns) square[i * (Tile + 1) + lane] = a.Input[matrix + (long)(row + i) * a.Columns + column + lane];
        Group.Barrier();
        for (var i = Group.IdxX / Tile; i < Tile; i += step)
            if (column + i < a.Columns && row + lane < a.Rows) a.Output[matrix + (long)(column + i) * a.Rows + row + lane] = square[lane * (Tile + 1) + i];
    }
}
