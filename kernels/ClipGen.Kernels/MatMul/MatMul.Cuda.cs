namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IMatMul
{
    /// <inheritdoc/>
    public PackedMatrix AllocatePacked(int n, int k, PackedType type = PackedType.Float32)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        // Fewer bits round the numbers; they lie here as floats all the same.
        return new PackedMatrix(n, k, Allocate(4L * n * k), type);
    }

    /// <inheritdoc/>
    public void PackRows(ReadOnlySpan<float> rows, int firstRow, int rowCount, PackedMatrix destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        var k = destination.K;
        Arguments.Require(firstRow >= 0 && rowCount >= 0 && firstRow + rowCount <= destination.N, $"rows {firstRow}..{firstRow + rowCount} of a matrix with {destination.N}");
        Arguments.Require(rows.Length >= (long)rowCount * k, $"{rows.Length} floats given for {rowCount} rows of {k}");
        destination.Companion?.Dispose();
        destination.Companion = null;
        var target = new View<float>(destination.Memory, (long)firstRow * k, (long)rowCount * k);
        if (destination.Type == PackedType.Float32)
        {
            Upload(rows[..(rowCount * k)], target);
            return;
        }
        var rounded = new float[rowCount * k];
        for (var row = 0; row < rowCount; row++) PackedTypes.Round(destination.Type, rows.Slice(row * k, k), rounded.AsSpan(row * k, k));
        Upload<float>(rounded, target);
    }

    /// <inheritdoc/>
    public void MatMul(View<float> a, int m, PackedMatrix b, in Epilogue epilogue, View<float> output)
    {
        ArgumentNullException.ThrowIfNull(b);
        var shape = new MatMulShape(m, b.N, b.K);
        RequireProduct(shape, a, Rows(b), epilogue, output);
        // Up to eight rows the weights' way to the card's cores is all, and float32's one kernel is quicker than three.
        if (!BFloat16Products || IsFewRows(shape) && m <= FewRowsCuda.Rows)
        {
            Product(shape, a, Rows(b), epilogue, output);
            return;
        }
        using var left = Rounded(a, m, b.K, out var x);
        TensorCoreProduct(new ChunkRows { Values = x, Rows = m, RowChunks = Filled(b.K) / TensorCoreTileCuda.Chunk }, new ChunkRows { Values = Rounded(b, b.N, b.K), Rows = b.N, RowChunks = Filled(b.K) / TensorCoreTileCuda.Chunk },
            m, b.N, b.K, epilogue, output);
    }

    /// <inheritdoc/>
    public void MatMulPlain(in MatMulShape shape, View<float> a, View<float> b, in Epilogue epilogue, View<float> output)
    {
        RequireProduct(shape, a, b, epilogue, output);
        if (BFloat16Products) TensorCoreProduct(shape, a, b, epilogue, output);
        else Product(shape, a, b, epilogue, output);
    }

    private static void RequireProduct(in MatMulShape shape, View<float> a, View<float> b, in Epilogue epilogue, View<float> output)
    {
        int m = shape.M, n = shape.N, k = shape.K;
        Arguments.Require(m >= 0 && n >= 0 && k >= 0, $"illegal sizes: {m}x{n}x{k}", nameof(MatMul));
        Arguments.Length(a, (long)m * k, nameof(a), nameof(MatMul));
        Arguments.Length(b, (long)n * k, nameof(b), nameof(MatMul));
        Arguments.Length(output, (long)m * n, nameof(output), nameof(MatMul));
        Arguments.OptionalLength(epilogue.Bias, n, nameof(epilogue.Bias), nameof(MatMul));
        Arguments.OptionalLength(epilogue.Residual, (long)m * n, nameof(epilogue.Residual), nameof(MatMul));
    }

    private static bool IsFewRows(in MatMulShape shape) => shape.M <= FewRowsCuda.MostRows && !shape.TransposeA && !shape.TransposeB && (long)Math.Max(shape.M, shape.N) * shape.K <= int.MaxValue;

    /// <summary>A product in float32.</summary>
    private void Product(in MatMulShape shape, View<float> a, View<float> b, in Epilogue epilogue, View<float> output)
    {
        int m = shape.M, n = shape.N, k = shape.K;
        if (IsFewRows(shape))
        {
            FewRowsProduct(a, b, m, n, k, epilogue, output);
            return;
        }
        var (x, w) = (View(a), View(b));
        switch (shape.TransposeA, shape.TransposeB)
        {
            case (false, false): Product(new TileRows { Values = x, Length = k }, new TileRows { Values = w, Length = k }, m, n, k, epilogue, output); break;
            case (false, true): Product(new TileRows { Values = x, Length = k }, new TileColumns { Values = w, Rows = n }, m, n, k, epilogue, output); break;
            case (true, false): Product(new TileColumns { Values = x, Rows = m }, new TileRows { Values = w, Length = k }, m, n, k, epilogue, output); break;
            default: Product(new TileColumns { Values = x, Rows = m }, new TileColumns { Values = w, Rows = n }, m, n, k, epilogue, output); break;
        }
    }

    /// <summary>A packed operand: on a card it is packed as it is stored.</summary>
    private static View<float> Rows(PackedMatrix packed) => new(packed.Memory, 0, (long)packed.N * packed.K);
}
