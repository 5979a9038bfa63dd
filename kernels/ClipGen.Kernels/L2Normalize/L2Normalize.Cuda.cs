using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IL2Normalize
{
    /// <inheritdoc/>
    public void L2Normalize(View<float> input, int rows, int columns, float eps, View<float> output)
    {
        Arguments.Require(rows >= 0 && columns >= 0, $"{rows} rows of {columns}");
        Arguments.Length(input, (long)rows * columns);
        Arguments.Length(output, (long)rows * columns);
        if (columns == 0) return;
        Launch(L2NormalizeCuda.L2Normalize, rows, ThreadsOf(columns), new L2NormalizeArguments { Input = View(input), Output = View(output), Columns = columns, Epsilon = eps });
    }

    /// <inheritdoc/>
    public void L2NormalizeBackward(View<float> input, View<float> outputGradient, int rows, int columns, float eps, View<float> inputGradient)
    {
        Arguments.Require(rows >= 0 && columns >= 0, $"{rows} rows of {columns}");
        Arguments.Length(input, (long)rows * columns);
        Arguments.Length(outputGradient, (long)rows * columns);
        Arguments.Length(inputGradient, (long)rows * columns);
        if (columns == 0) return;
        Launch(L2NormalizeCuda.L2NormalizeBackward, rows, ThreadsOf(columns), new L2NormalizeBackwardArguments { Input = View(input), OutputGradient = View(outputGradient), InputGradient = View(inputGradient), Columns = columns, Epsilon = eps });
    }
}

internal struct L2NormalizeArguments
{
    public ArrayView<float> Input, Output;
    public int Columns;
    public float Epsilon;
}

internal struct L2NormalizeBackwardArguments
{
    public ArrayView<float> Input, OutputGradient, InputGradient;
    public int Columns;
    public float Epsilon;
}

/// <summary>A group of threads per row; lengths in double, whose squares neither overflow nor vanish.</summary>
internal static class L2NormalizeCuda
{
    /// <summary><c>y = x / max(‖x‖, eps)</c>.</summary>
    [CudaKernel]
    public static void L2Normalize(L2NormalizeArguments a)
    {
        var row = (long)Grid.IdxX * a.Columns;
        var norm = Norm(a.Input, row, a.Columns);
        var length = (float)(norm < a.Epsilon ? a.Epsilon : norm);
        for (var c = Group.IdxX; c < a.Columns; c += Group.DimX) a.Output[row + c] = a.Input[row + c] / length;
    }

    /// <summary><c>dx = (dy − y · Σ dy · y) / n</c>, or dy / eps below it.</summary>
    [CudaKernel]
    public static void L2NormalizeBackward(L2NormalizeBackwardArguments a)
    {
        var row = (long)Grid.IdxX * a.Columns;
        var norm = Norm(a.Input, row, a.Columns);
        var dot = 0.0;
        for (var c = Group.IdxX; c < a.Columns; c += Group.DimX) dot += (double)a.OutputGradient[row + c] * a.Input[row + c];
        dot = GroupReduce.Sum(dot);
        if (norm <= a.Epsilon)
        {
            for (var c = Group.IdxX; c < a.Columns; c += Group.DimX) a.InputGradient[row + c] = a.OutputGradient[row + c] / a.Epsilon;
            return;
        }
        for (var c = Group.IdxX; c < a.Columns; c += Group.DimX)
            a.InputGradient[row + c] = (float)((a.OutputGradient[row + c] - a.Input[row + c] / norm * (dot / norm)) / norm);
    }

    private static double Norm(ArrayView<float> input, long row, int columns)
    {
        var sum = 0.0;
        for (var c = Group.IdxX; c < columns; c += Group.DimX) sum += (double)input[row + c] * input[row + c];
        return Math.Sqrt(GroupReduce.Sum(sum));
    }
}
