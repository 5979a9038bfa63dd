namespace ClipGen.Kernels;

/// <summary>Reductions of rows, each in a fixed order.</summary>
public interface IReduce
{
    /// <summary>Arithmetic mean of each row, accumulated so that the error does not grow with the length.</summary>
    void MeanRows(View<float> input, int rows, int columns, View<float> output);

    /// <summary>Sum of each row.</summary>
    void SumRows(View<float> input, int rows, int columns, View<float> output);

    /// <summary>Index of the largest entry of each row; the first of equals. A NaN counts as larger than any number, as in PyTorch.</summary>
    void ArgMaxRows(View<float> input, int rows, int columns, View<int> output);

    /// <summary><c>y[c] = Σ_rows x[r, c]</c>, in fixed blocks of rows: equal bits for any number of threads.</summary>
    void SumColumns(View<float> input, int rows, int columns, View<float> output);

    /// <summary><c>y[0] = Σ x²</c> of everything, in fixed blocks with double sums: the square of a gradient's length.</summary>
    void SumOfSquares(View<float> input, View<float> output);
}
