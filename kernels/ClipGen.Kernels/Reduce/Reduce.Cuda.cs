using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IReduce
{
    // Elements of a long sum that a group takes, and the most groups that share one; constants, so that no sum depends on the card.
    private const int SumShare = 16 * MostThreads, SumShares = 2048;

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
        var shape = StripeShape.Of(rows, columns);
        using var memory = Allocate(8L * shape.Blocks * columns);
        View<double> sums = new(memory, 0, (long)shape.Blocks * columns);
        Launch(ReduceCuda.SumColumnBlocks, shape.Groups(1), StripeShape.Threads, new SumColumnsArguments { Stripes = shape, Input = View(input), Sums = View(sums), Output = View(output) });
        if (shape.Blocks > 1) AddBlocks(sums, shape.Blocks, columns, output, default);
    }

    /// <inheritdoc/>
    public void SumOfSquares(View<float> input, View<float> output)
    {
        Arguments.Length(output, 1);
        // Two shares are not worth a second launch.
        var shares = input.Length <= 2 * SumShare ? 1 : SharesOf(input.Length);
        using var memory = Allocate(8L * shares);
        var sums = new View<double>(memory, 0, shares);
        Launch(ReduceCuda.SumOfSquares, shares, ThreadsOf(input.Length), new SumOfSquaresArguments { Input = View(input), Sums = View(sums), Output = View(output) });
        if (shares > 1) AddShares(sums, 1, shares, 1, output);
    }

    /// <summary><c>y[c] = Σ_blocks x[block, c]</c>, in a fixed order and in double. The columns beyond the first output's go to the second.</summary>
    private void AddBlocks(View<double> sums, int blocks, int columns, View<float> output, View<float> second, int secondColumns = 0)
    {
        // Many blocks: 32 lanes for four columns, a sector of memory; few blocks: four lanes for 32 columns.
        var shift = blocks >= 32 ? 2 : 5;
        var all = columns + secondColumns;
        Launch(ReduceCuda.AddBlocks, (all + (1L << shift) - 1) >> shift, StripeShape.Threads,
            new AddBlocksArguments { Sums = View(sums), Output = View(output), Second = View(second), Blocks = blocks, Columns = all, FirstColumns = columns, Shift = shift });
    }

    /// <summary><c>y[r] = factor · Σ_shares x[r, share]</c>, in a fixed order.</summary>
    private void AddShares(View<double> sums, int rows, int shares, double factor, View<float> output) =>
        Launch(ReduceCuda.SumOfSums, rows, ThreadsOf(4L * shares), new SumOfSumsArguments { Sums = View(sums), Output = View(output), Shares = shares, Factor = factor });

    /// <summary>Groups that share a sum of this many elements.</summary>
    private static int SharesOf(long length) => (int)Math.Clamp((length + SumShare - 1) / SumShare, 1, SumShares);

    private void ReduceRows(View<float> input, int rows, int columns, double factor, View<float> output, [System.Runtime.CompilerServices.CallerMemberName] string op = "")
    {
        Arguments.Require(rows >= 0 && columns >= 0, $"illegal sizes: {rows}x{columns}", op);
        Arguments.Length(input, (long)rows * columns, nameof(input), op);
        Arguments.Length(output, rows, nameof(output), op);
        var shares = SharesOf(columns);
        using var memory = Allocate(8L * rows * shares);
        var sums = new View<double>(memory, 0, (long)rows * shares);
        Launch(ReduceCuda.SumRows, (long)rows * shares, ThreadsOf(columns), new SumRowsArguments { Input = View(input), Sums = View(sums), Output = View(output), Columns = columns, Shares = shares, Factor = factor });
        if (shares > 1) AddShares(sums, rows, shares, factor, output);
    }
}

internal struct SumRowsArguments
{
    public ArrayView<float> Input, Output;
    public ArrayView<double> Sums;
    public int Columns, Shares;
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
    public StripeShape Stripes;
    public ArrayView<float> Input, Output;
    public ArrayView<double> Sums;
}

internal struct AddBlocksArguments
{
    public ArrayView<double> Sums;
    public ArrayView<float> Output, Second;
    public int Blocks, Columns, FirstColumns, Shift;
}

internal struct SumOfSquaresArguments
{
    public ArrayView<float> Input, Output;
    public ArrayView<double> Sums;
}

internal struct SumOfSumsArguments
{
    public ArrayView<double> Sums;
    public ArrayView<float> Output;
    public int Shares;
    public double Factor;
}

/// <summary>Reductions; sums in double, which costs nothing where the memory is what takes the time.</summary>
internal static class ReduceCuda
{
    /// <summary>A group per row and share of its columns: <c>Σ x</c>, or <c>factor · Σ x</c> where it has the row alone. Four elements of a thread are read before the first is added.</summary>
    [CudaKernel]
    public static void SumRows(SumRowsArguments a)
    {
        int row = Grid.IdxX / a.Shares, share = Grid.IdxX - row * a.Shares, step = Group.DimX * a.Shares;
        var at = (long)row * a.Columns;
        var end = at + a.Columns;
        at += share * Group.DimX + Group.IdxX;
        var sum = 0.0;
        for (; at + 3L * step < end; at += 4L * step)
        {
            float x0 = a.Input[at], x1 = a.Input[at + step], x2 = a.Input[at + 2L * step], x3 = a.Input[at + 3L * step];
            sum += (double)x0 + x1 + ((double)x2 + x3);
        }
        for (; at < end; at += step) sum += a.Input[at];
        sum = GroupReduce.Sum(sum);
        if (Group.IdxX != 0) return;
        if (a.Shares == 1) a.Output[Grid.IdxX] = (float)(sum * a.Factor);
        else a.Sums[Grid.IdxX] = sum;
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

    /// <summary>A group per stripe of columns and block of rows; the result itself where there is one block.</summary>
    [CudaKernel]
    public static void SumColumnBlocks(SumColumnsArguments a)
    {
        var place = a.Stripes.Place();
        int lanes = a.Stripes.Lanes, columns = a.Stripes.Columns;
        var row = place.Row;
        long at = row * columns + place.Column, step = (long)lanes * columns;
        var sum = 0.0;
        for (; row + 3 * lanes < place.End; row += 4 * lanes)
        {
            float x0 = a.Input[at], x1 = a.Input[at + step], x2 = a.Input[at + 2 * step], x3 = a.Input[at + 3 * step];
            sum += (double)x0 + x1 + ((double)x2 + x3);
            at += 4 * step;
        }
        for (; row < place.End; row += lanes)
        {
            sum += a.Input[at];
            at += step;
        }
        sum = StripeReduce.Sum(sum, a.Stripes.Shift);
        if (!place.Inside || place.Lane != 0) return;
        if (a.Stripes.Blocks == 1) a.Output[place.Column] = (float)sum;
        else a.Sums[(long)place.Block * columns + place.Column] = sum;
    }

    /// <summary>A group per few columns, its lanes down the blocks.</summary>
    [CudaKernel]
    public static void AddBlocks(AddBlocksArguments a)
    {
        int lane = Group.IdxX >> a.Shift, lanes = Group.DimX >> a.Shift, column = (Grid.IdxX << a.Shift) + (Group.IdxX & (1 << a.Shift) - 1);
        var block = column < a.Columns ? lane : a.Blocks;
        long at = (long)lane * a.Columns + column, step = (long)lanes * a.Columns;
        var sum = 0.0;
        for (; block + 3 * lanes < a.Blocks; block += 4 * lanes)
        {
            double x0 = a.Sums[at], x1 = a.Sums[at + step], x2 = a.Sums[at + 2 * step], x3 = a.Sums[at + 3 * step];
            sum += x0 + x1 + (x2 + x3);
            at += 4 * step;
        }
        for (; block < a.Blocks; block += lanes)
        {
            sum += a.Sums[at];
            at += step;
        }
        sum = StripeReduce.Sum(sum, a.Shift);
        if (lane != 0 || column >= a.Columns) return;
        if (column < a.FirstColumns) a.Output[column] = (float)sum;
        else a.Second[column - a.FirstColumns] = (float)sum;
    }

    /// <summary>A share of <c>Σ x²</c> for each group; the result itself where there is one.</summary>
    [CudaKernel]
    public static void SumOfSquares(SumOfSquaresArguments a)
    {
        var sum = 0.0;
        long at = GridStride.First, step = GridStride.Step;
        for (; at + 3 * step < a.Input.Length; at += 4 * step)
        {
            double x0 = a.Input[at], x1 = a.Input[at + step], x2 = a.Input[at + 2 * step], x3 = a.Input[at + 3 * step];
            sum += x0 * x0 + x1 * x1 + (x2 * x2 + x3 * x3);
        }
        for (; at < a.Input.Length; at += step) sum += (double)a.Input[at] * a.Input[at];
        sum = GroupReduce.Sum(sum);
        if (Group.IdxX != 0) return;
        if (Grid.DimX == 1) a.Output[0] = (float)sum;
        else a.Sums[Grid.IdxX] = sum;
    }

    /// <summary>A group per row: the shares of its sum together.</summary>
    [CudaKernel]
    public static void SumOfSums(SumOfSumsArguments a)
    {
        var sum = 0.0;
        var first = (long)Grid.IdxX * a.Shares;
        for (var i = Group.IdxX; i < a.Shares; i += Group.DimX) sum += a.Sums[first + i];
        sum = GroupReduce.Sum(sum);
        if (Group.IdxX == 0) a.Output[Grid.IdxX] = (float)(sum * a.Factor);
    }
}
