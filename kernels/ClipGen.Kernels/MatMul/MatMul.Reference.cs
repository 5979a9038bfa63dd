namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IMatMul
{
    /// <inheritdoc/>
    public PackedMatrix AllocatePacked(int n, int k) => new(n, k, Allocate(4L * n * k));

    /// <inheritdoc/>
    public void PackRows(ReadOnlySpan<float> rows, int firstRow, int rowCount, PackedMatrix destination) =>
        rows[..checked(rowCount * destination.K)].CopyTo(Span(new View<float>(destination.Memory, (long)firstRow * destination.K, (long)rowCount * destination.K)));

    /// <inheritdoc/>
    public void MatMul(View<float> a, int m, PackedMatrix b, in Epilogue epilogue, View<float> output) =>
        MatMul(a, new View<float>(b.Memory, 0, (long)b.N * b.K), m, b.N, b.K, epilogue, output);

    /// <inheritdoc/>
    public void MatMul(View<float> a, View<float> b, int m, int n, int k, in Epilogue epilogue, View<float> output)
    {
        float* x = Pointer(a), w = Pointer(b), bias = Pointer(epilogue.Bias), residual = Pointer(epilogue.Residual), y = Pointer(output);
        for (var i = 0; i < m; i++)
            for (var j = 0; j < n; j++)
            {
                var sum = 0.0;
                for (var t = 0; t < k; t++) sum += (double)x[(long)i * k + t] * w[(long)j * k + t];
                y[(long)i * n + j] = Finish(sum, (long)i * n + j, j, bias, epilogue.Activation, residual);
            }
    }

    /// <summary>The epilogue in double: activation(sum + bias) + residual, rounded once.</summary>
    private static float Finish(double sum, long index, int column, float* bias, Activation activation, float* residual)
    {
        if (bias != null) sum += bias[column];
        sum = Activated(activation, sum);
        if (residual != null) sum += residual[index];
        return (float)sum;
    }
}
