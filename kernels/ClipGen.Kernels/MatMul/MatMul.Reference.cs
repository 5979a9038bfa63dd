namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IMatMul
{
    /// <inheritdoc/>
    public PackedMatrix AllocatePacked(int n, int k, PackedType type = PackedType.Float32) => new(n, k, Allocate(4L * n * k), type);

    /// <inheritdoc/>
    public void PackRows(ReadOnlySpan<float> rows, int firstRow, int rowCount, PackedMatrix destination)
    {
        var rounded = new float[destination.K];
        for (var row = 0; row < rowCount; row++)
        {
            PackedTypes.Round(destination.Type, rows.Slice(checked(row * destination.K), destination.K), rounded);
            Upload<float>(rounded, new View<float>(destination.Memory, (long)(firstRow + row) * destination.K, destination.K));
        }
    }

    /// <inheritdoc/>
    public void MatMul(View<float> a, int m, PackedMatrix b, in Epilogue epilogue, View<float> output) =>
        MatMulPlain(new MatMulShape(m, b.N, b.K), a, new View<float>(b.Memory, 0, (long)b.N * b.K), epilogue, output);

    /// <inheritdoc/>
    public void MatMulPlain(in MatMulShape shape, View<float> a, View<float> b, in Epilogue epilogue, View<float> output)
    {
        int m = shape.M, n = shape.N, k = shape.K;
        Reals x = Real(a), w = Real(b), bias = Real(epilogue.Bias), residual = Real(epilogue.Residual), y = Real(output);
        for (var i = 0; i < m; i++)
            for (var j = 0; j < n; j++)
            {
                var sum = 0.0;
                for (var t = 0; t < k; t++)
                    sum += x[shape.TransposeA ? (long)t * m + i : (long)i * k + t] * w[shape.TransposeB ? (long)t * n + j : (long)j * k + t];
                y[(long)i * n + j] = Finish(sum, (long)i * n + j, j, bias, epilogue.Activation, residual);
            }
    }

    /// <summary>The epilogue in double: activation(sum + bias) + residual, rounded once.</summary>
    private static double Finish(double sum, long index, int column, Reals bias, Activation activation, Reals residual)
    {
        if (!bias.IsNone) sum += bias[column];
        sum = Activated(activation, sum);
        if (!residual.IsNone) sum += residual[index];
        return sum;
    }
}
