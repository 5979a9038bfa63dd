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
}
