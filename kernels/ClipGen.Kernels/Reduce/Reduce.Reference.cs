namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IReduce
{
    /// <inheritdoc/>
    public void MeanRows(View<float> input, int rows, int columns, View<float> output)
    {
        Reals x = Real(input), y = Real(output);
        for (var r = 0; r < rows; r++) y[r] = Total(x + (long)r * columns, columns) / columns;
    }

    /// <inheritdoc/>
    public void SumRows(View<float> input, int rows, int columns, View<float> output)
    {
        Reals x = Real(input), y = Real(output);
        for (var r = 0; r < rows; r++) y[r] = Total(x + (long)r * columns, columns);
    }

    /// <inheritdoc/>
    public void ArgMaxRows(View<float> input, int rows, int columns, View<int> output)
    {
        var x = Real(input);
        var y = Pointer(output);
        for (var r = 0; r < rows; r++, x += columns)
        {
            var best = 0;
            for (var c = 1; c < columns && !double.IsNaN(x[best]); c++)
                if (x[c] > x[best] || double.IsNaN(x[c])) best = c;
            y[r] = best;
        }
    }

    /// <inheritdoc/>
    public void SumColumns(View<float> input, int rows, int columns, View<float> output)
    {
        Reals x = Real(input), y = Real(output);
        for (var c = 0; c < columns; c++)
        {
            var sum = 0.0;
            for (var r = 0; r < rows; r++) sum += x[(long)r * columns + c];
            y[c] = sum;
        }
    }

    /// <inheritdoc/>
    public void SumOfSquares(View<float> input, View<float> output)
    {
        Reals x = Real(input), y = Real(output);
        var sum = 0.0;
        for (var i = 0L; i < input.Length; i++) sum += x[i] * x[i];
        y[0] = sum;
    }

    private static double Total(Reals x, int count)
    {
        var sum = 0.0;
        for (var i = 0; i < count; i++) sum += x[i];
        return sum;
    }
}
