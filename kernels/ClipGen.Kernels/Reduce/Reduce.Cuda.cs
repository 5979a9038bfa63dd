using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IReduce
{
    // Rows that one thread adds up for its column before the blocks' sums are added.
    private const int ColumnBlockRows = 128;

    // Groups that share a sum of squares; a constant, so that the sum does not depend on the card.
    private const int SquaresGroups = 2048;

    /// <inheritdoc/>
    public void MeanRows(View<float> input, int rows, int columns, View<float> output) => ReduceRows(input, rows, columns, 1.0 / columns, output);

    /// <inheritdoc/>
    public void SumRows(View<float> input, int rows, int columns, View<float> output) => ReduceRows(input, rows, columns, 1, output);

    /// <inheritdoc/>
    public void ArgMaxRows(View<float> input, int rows, int columns, View<int> output)
    {
        Arguments.Require(columns > 0 || rows == 0, "rows without columns have no largest entry");
        Arguments.Length(input, (long)rows * columns);
        Arguments.Length(output, rows);
        Launch(ReduceCuda.ArgMaxRows, rows, ThreadsOf(columns), new ArgMaxRowsArguments { Input = View(input), Output = View(output), Columns = columns });
    }

    /// <inheritdoc/>
    public void SumColumns(View<float> input, int rows, int columns, View<float> output)
    {
        Arguments.Require(rows >= 0 && columns >= 0, $"illegal sizes: {rows}x{columns}");
        Arguments.Length(input, (long)rows * columns);
        Arguments.Length(output, columns);
        if (columns == 0) return;
        var blocks = (int)Math.Max(1, ((long)rows + ColumnBlockRows - 1) / ColumnBlockRows);
        using var memory = Allocate(4L * blocks * columns);
        View<float> sums = new(memory, 0, (long)blocks * columns);
        LaunchOver(ReduceCuda.SumColumnBlocks, sums.Length, new SumColumnsArguments { Input = View(input), Output = View(sums), Rows = rows, Columns = columns, BlockRows = ColumnBlockRows });
        AddBlocks(sums, blocks, columns, output);
    }

    /// <inheritdoc/>
    public void SumOfSquares(View<float> input, View<float> output)
    {
        Arguments.Length(output, 1);
        // As many groups as there is work for. The length alone decides, and with it the order of the sum.
        var groups = (int)Math.Clamp(input.Length / (32 * MostThreads), 1, SquaresGroups);
        using var memory = Allocate(8L * groups);
        var sums = new View<double>(memory, 0, groups);
        Launch(ReduceCuda.SumOfSquares, groups, MostThreads, new SumOfSquaresArguments { Input = View(input), Sums = View(sums) });
        Launch(ReduceCuda.SumOfSums, 1, MostThreads, new SumOfSumsArguments { Sums = View(sums), Output = View(output) });
    }

    /// <summary><c>y[c] = Σ_blocks x[block, c]</c>, in the blocks' order and in double.</summary>
    private void AddBlocks(View<float> sums, int blocks, int columns, View<float> output) =>
        LaunchOver(ReduceCuda.AddBlocks, columns, new AddBlocksArguments { Sums = View(sums), Output = View(output), Blocks = blocks, Columns = columns });

    private void ReduceRows(View<float> input, int rows, int columns, double factor, View<float> output, [System.Runtime.CompilerServices.CallerMemberName] string op = "")
    {
        Arguments.Require(rows >= 0 && columns >= 0, $"illegal sizes: {rows}x{columns}", op);
        Arguments.Length(input, (long)rows * columns, nameof(input), op);
        Arguments.Length(output, rows, nameof(output), op);
        Launch(ReduceCuda.SumRows, rows, ThreadsOf(columns), new SumRowsArguments { Input = View(input), Output = View(output), Columns = columns, Factor = factor });
    }
}

internal struct SumRowsArguments
{
    public ArrayView<float> Input, Output;
    public int Columns;
    public double Factor;
}

internal struct ArgMaxRowsArguments
{
    public ArrayView<float> Input;
    public ArrayView<int> Output;
    public int Columns;
}

internal struct SumColumnsArguments
{
    public ArrayView<float> Input, Output;
    public int Rows, Columns, BlockRows;
}

internal struct AddBlocksArguments
{
    public ArrayView<float> Sums, Output;
    public int Blocks, Columns;
}

internal struct SumOfSquaresArguments
{
    public ArrayView<float> Input;
    public ArrayView<double> Sums;
}

internal struct SumOfSumsArguments
{
    public ArrayView<double> Sums;
    public ArrayView<float> Output;
}

/// <summary>Reductions; sums in double, which costs nothing where the memory is what takes the time.</summary>
internal static class ReduceCuda
{
    /// <summary>A group per row: <c>y = factor · Σ x</c>.</summary>
    [CudaKernel]
    public static void SumRows(SumRowsArguments a)
    {
        var row = (long)Grid.IdxX * a.Columns;
        var sum = 0.0;
        for (var c = Group.IdxX; c < a.Columns; c += Group.DimX) sum += a.Input[row + c];
        sum = GroupReduce.Sum(sum);
        if (Group.IdxX == 0) a.Output[Grid.IdxX] = (float)(sum * a.Factor);
    }

    /// <summary>A group per row: the place of the largest entry, a NaN counting as larger than any.</summary>
    [CudaKernel]
    public static void ArgMaxRows(ArgMaxRowsArguments a)
    {
        var row = (long)Grid.IdxX * a.Columns;
        double key = double.PositiveInfinity;
        var place = int.MaxValue;
        for (var c = Group.IdxX; c < a.Columns; c += Group.DimX)
        {
            var x = a.Input[row + c];
            // Turned round: a NaN before +∞, which comes before the largest float.
            var rank = float.IsNaN(x) ? double.NegativeInfinity : x == float.PositiveInfinity ? -1e300 : -(double)x;
            if (rank < key || place == int.MaxValue)
            {
                key = rank;
                place = c;
            }
        }
        place = GroupReduce.PlaceOfMin(key, place);
        if (Group.IdxX == 0) a.Output[Grid.IdxX] = place;
    }

    /// <summary>A thread per column and block of rows.</summary>
    [CudaKernel]
    public static void SumColumnBlocks(SumColumnsArguments a)
    {
        for (var i = GridStride.First; i < a.Output.Length; i += GridStride.Step)
        {
            var first = i / a.Columns * a.BlockRows;
            var end = first + a.BlockRows < a.Rows ? first + a.BlockRows : a.Rows;
            var sum = 0.0;
            for (var r = first; r < end; r++) sum += a.Input[r * a.Columns + i % a.Columns];
            a.Output[i] = (float)sum;
        }
    }

    /// <summary>A thread per column: the blocks' sums, in their order.</summary>
    [CudaKernel]
    public static void AddBlocks(AddBlocksArguments a)
    {
        for (var c = GridStride.First; c < a.Columns; c += GridStride.Step)
        {
            var sum = 0.0;
            for (var block = 0L; block < a.Blocks; block++) sum += a.Sums[block * a.Columns + c];
            a.Output[c] = (float)sum;
        }
    }

    /// <summary>A share of <c>Σ x²</c> for each group.</summary>
    [CudaKernel]
    public static void SumOfSquares(SumOfSquaresArguments a)
    {
        var sum = 0.0;
        for (var i = GridStride.First; i < a.Input.Length; i += GridStride.Step) sum += (double)a.Input[i] * a.Input[i];
        sum = GroupReduce.Sum(sum);
        if (Group.IdxX == 0) a.Sums[Grid.IdxX] = sum;
    }

    /// <summary>The groups' shares together.</summary>
    [CudaKernel]
    public static void SumOfSums(SumOfSumsArguments a)
    {
        var sum = 0.0;
        for (var i = Group.IdxX; i < a.Sums.IntLength; i += Group.DimX) sum += a.Sums[i];
        sum = GroupReduce.Sum(sum);
        if (Group.IdxX == 0) a.Output[0] = (float)sum;
    }
}
