namespace ClipGen.Kernels;

/// <summary>Matrix products: <c>Y[M,N] = epilogue(A[M,K] · Bᵀ)</c>, as a rule with B stored as PyTorch stores a linear layer's weight, [N,K].</summary>
/// <remarks>
/// The arithmetic of one output element depends on its row of A, its row of B and K alone: never on M, on the batch it is in
/// or on the number of threads. So a sequence gives the same bits alone and in a batch of 64.
/// </remarks>
public interface IMatMul
{
    /// <summary>Memory for a [N,K] operand in this backend's own layout (weights are packed once, when they are loaded, and held only so).</summary>
    /// <param name="n">Rows: output features.</param>
    /// <param name="k">Columns: input features.</param>
    /// <param name="type">How its numbers are held; <see cref="PackRows"/> rounds to it.</param>
    PackedMatrix AllocatePacked(int n, int k, PackedType type = PackedType.Float32);

    /// <summary>Packs <paramref name="rowCount"/> rows of K floats each from host memory, as rows <paramref name="firstRow"/>… of the operand. Rows may come in any order and from several threads.</summary>
    void PackRows(ReadOnlySpan<float> rows, int firstRow, int rowCount, PackedMatrix destination);

    /// <summary>Product with a packed operand. <paramref name="a"/> holds M rows of K, <paramref name="output"/> M rows of N. The output may not overlap <paramref name="a"/>.</summary>
    void MatMul(View<float> a, int m, PackedMatrix b, in Epilogue epilogue, View<float> output);

    /// <summary>
    /// Product with operands in any orientation, none of them packed: what gradients are made of. <c>Y[M,N] = epilogue(op(A) · op(B)ᵀ)</c>, op(A) [M,K] and op(B) [N,K];
    /// see <see cref="MatMulShape"/>. One output element is one chain over K in the same order whatever M, N and the threads are. The output may be the epilogue's residual, but neither operand.
    /// </summary>
    void MatMulPlain(in MatMulShape shape, View<float> a, View<float> b, in Epilogue epilogue, View<float> output);
}

/// <summary>A [N,K] operand in the layout that the backend which made it prefers.</summary>
/// <param name="n">Rows: output features.</param>
/// <param name="k">Columns: input features.</param>
/// <param name="memory">The packed data.</param>
/// <param name="type">How its numbers are held.</param>
public sealed class PackedMatrix(int n, int k, DeviceMemory memory, PackedType type = PackedType.Float32) : IDisposable
{
    /// <summary>Rows: output features.</summary>
    public int N { get; } = n;

    /// <summary>Columns: input features.</summary>
    public int K { get; } = k;

    /// <summary>How its numbers are held.</summary>
    public PackedType Type { get; } = type;

    /// <summary>The packed data, in a layout only its backend knows.</summary>
    public DeviceMemory Memory { get; } = memory;

    /// <summary>What the backend made of it besides, for itself; goes with it, and with new data.</summary>
    internal IDisposable? Companion { get; set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Companion?.Dispose();
        Memory.Dispose();
    }
}

/// <summary>Sizes and orientation of a product.</summary>
/// <param name="M">Rows of the output.</param>
/// <param name="N">Columns of the output.</param>
/// <param name="K">Length of the sums.</param>
/// <param name="TransposeA">False: a holds M rows of K. True: a holds K rows of M.</param>
/// <param name="TransposeB">False: b holds N rows of K, as a linear layer's weight. True: b holds K rows of N.</param>
public readonly record struct MatMulShape(int M, int N, int K, bool TransposeA = false, bool TransposeB = false);
