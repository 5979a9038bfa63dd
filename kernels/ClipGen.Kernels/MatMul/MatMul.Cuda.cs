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
        MatMulPlain(new MatMulShape(m, b.N, b.K), a, Rows(b), epilogue, output);
    }

    /// <inheritdoc/>
    public void MatMulPlain(in MatMulShape shape, View<float> a, View<float> b, in Epilogue epilogue, View<float> output)
    {
        int m = shape.M, n = shape.N, k = shape.K;
        Arguments.Require(m >= 0 && n >= 0 && k >= 0, $"illegal sizes: {m}x{n}x{k}");
        Arguments.Length(a, (long)m * k);
        Arguments.Length(b, (long)n * k);
        Arguments.Length(output, (long)m * n);
        Arguments.OptionalLength(epilogue.Bias, n);
        Arguments.OptionalLength(epilogue.Residual, (long)m * n);
        if (BFloat16Products)
        {
            TensorCoreProduct(shape, a, b, epilogue, output);
            return;
        }
        if (m <= FewRowsCuda.MostRows && !shape.TransposeA && !shape.TransposeB && (long)Math.Max(m, n) * k <= int.MaxValue)
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
