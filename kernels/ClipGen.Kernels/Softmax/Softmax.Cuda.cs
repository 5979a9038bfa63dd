using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : ISoftmax
{
    /// <inheritdoc/>
    public void Softmax(View<float> input, int rows, int columns, View<float> output)
    {
        Arguments.Require(rows >= 0 && columns >= 0, $"{rows} rows of {columns} columns");
        Arguments.Length(input, (long)rows * columns);
        Arguments.Length(output, (long)rows * columns);
        if (columns == 0) return;
        Launch(SoftmaxCuda.Softmax, rows, ThreadsOf(columns), new SoftmaxArguments { Input = View(input), Output = View(output), Columns = columns });
    }

    /// <inheritdoc/>
    public void SoftmaxBackward(View<float> output, View<float> outputGradient, int rows, int columns, View<float> inputGradient)
    {
        Arguments.Require(rows >= 0 && columns >= 0, $"{rows} rows of {columns} columns");
        Arguments.Length(output, (long)rows * columns);
        Arguments.Length(outputGradient, (long)rows * columns);
        Arguments.Length(inputGradient, (long)rows * columns);
        if (columns == 0) return;
        Launch(SoftmaxCuda.SoftmaxBackward, rows, ThreadsOf(columns), new SoftmaxBackwardArguments { Output = View(output), OutputGradient = View(outputGradient), InputGradient = View(inputGradient), Columns = columns });
    }
}

internal struct SoftmaxArguments
{
    public ArrayView<float> Input, Output;
    public int Columns;
}

internal struct SoftmaxBackwardArguments
{
    public ArrayView<float> Output, OutputGradient, InputGradient;
    public int Columns;
}

/// <summary>A group of threads per row.</summary>
internal static class SoftmaxCuda
{
    /// <summary><c>y = exp(x − max) / Σ exp(x − max)</c>.</summary>
    [CudaKernel]
    public static void Softmax(SoftmaxArguments a)
    {
        var row = (long)Grid.IdxX * a.Columns;
        var max = Max(a.Input, row, a.Columns);
        var sum = SumOfExponentials(a.Input, row, a.Columns, max);
        for (var c = Group.IdxX; c < a.Columns; c += Group.DimX) a.Output[row + c] = DeviceMath.Exp(a.Input[row + c] - max) / sum;
    }

    /// <summary><c>dx = y · (dy − Σ dy · y)</c>.</summary>
    [CudaKernel]
    public static void SoftmaxBackward(SoftmaxBackwardArguments a)
    {
        var row = (long)Grid.IdxX * a.Columns;
        var dot = 0f;
        for (var c = Group.IdxX; c < a.Columns; c += Group.DimX) dot += a.OutputGradient[row + c] * a.Output[row + c];
        dot = GroupReduce.Sum(dot);
        for (var c = Group.IdxX; c < a.Columns; c += Group.DimX) a.InputGradient[row + c] = a.Output[row + c] * (a.OutputGradient[row + c] - dot);
    }

    /// <summary>Largest entry of a row; −∞ for a row of NaN, whose exponentials are NaN again.</summary>
    internal static float Max(ArrayView<float> input, long row, int columns)
    {
        var max = float.NegativeInfinity;
        for (var c = Group.IdxX; c < columns; c += Group.DimX)
            if (input[row + c] > max) max = input[row + c];
        return GroupReduce.Max(max);
    }

    /// <summary><c>Σ exp(x − max)</c> of a row.</summary>
    internal static float SumOfExponentials(ArrayView<float> input, long row, int columns, float max)
    {
        var sum = 0f;
        for (var c = Group.IdxX; c < columns; c += Group.DimX) sum += DeviceMath.Exp(input[row + c] - max);
        return GroupReduce.Sum(sum);
    }
}
