using ClipGen.Kernels;

namespace ClipGen.OpCases;

/// <summary>What the gradients of biases and tables are made of, and the length of a gradient.</summary>
internal sealed class ParameterGradientCases : IOpCases
{
    public IEnumerable<OpCase> Cases()
    {
        // No rows and no columns; few columns, where rows are added side by side; both sides of a block of 128 such rows, of a vector and of a stripe of 1024 columns.
        foreach (var (rows, columns) in new[] { (0, 5), (4, 0), (1, 1), (3, 7), (127, 64), (128, 65), (129, 63), (517, 16), (2817, 3), (8193, 1), (259, 33), (1030, 17), (6, 1023), (131, 1025), (5, 2048) })
            yield return SumColumns(rows, columns);
        foreach (var (rows, columns) in new[] { (65536, 128), (256, 16384), (65536, 3) })
            yield return SumColumns(rows, columns, large: true);

        foreach (var length in new[] { 0, 1, 15, 16, 17, 4097, 65535, 65536, 65537, 200003 })
            yield return SumOfSquares(length);
        yield return SumOfSquares(4096 * 1024, large: true);

        // No places, every place the same, rows and columns around the parts, and rows that are never looked up.
        foreach (var (rows, width, places) in new[] { (11, 5, 9), (5, 3, 0), (1, 16, 1000), (3, 300, 70), (63, 17, 40), (64, 255, 8), (65, 257, 130), (200, 8, 5) })
            yield return EmbeddingBackward(rows, width, places);
        yield return EmbeddingBackward(49408, 512, 16 * 77, large: true);
        yield return EmbeddingBackward(16384, 1024, 256, large: true);
    }

    private static OpCase SumColumns(int rows, int columns, bool large = false) =>
        OpCase.Create<IReduce>($"SumColumns {rows}x{columns}", [CaseBuffer.Input("x", large ? CaseData.Uniform(rows * columns, 1) : CaseData.Normal(rows * columns, 1, 1000, 1)), CaseBuffer.Output("y", columns)],
            new Tolerance(40 * Math.ScaleB(1, -24), 0, "all of one sign: a sum of four, at most 35 additions of those in a block, and the last rounding"),
            new OpWork("SumColumns", (double)rows * columns, 4.0 * ((double)rows * columns + columns)), (op, args) => op.SumColumns(args["x"], rows, columns, args["y"]), large);

    private static OpCase SumOfSquares(int length, bool large = false) =>
        OpCase.Create<IReduce>($"SumOfSquares {length}", [CaseBuffer.Input("x", large ? CaseData.Uniform(length, 1) : CaseData.Normal(length, 1)), CaseBuffer.Output("y", 1)],
            new Tolerance(6e-6, 0, "growing sums of at most 1024 squares: a random walk of sqrt(1024 / 3) roundings, times five"),
            new OpWork("SumOfSquares", 2.0 * length, 4.0 * length), (op, args) => op.SumOfSquares(args["x"], args["y"]), large);

    private static OpCase EmbeddingBackward(int rows, int width, int places, bool large = false)
    {
        // Half of the places say the same, as the padding of a text does.
        var indices = CaseData.Integers(places, 2, rows);
        for (var i = 0; i < places; i += 2) indices[i] = rows / 2;
        return OpCase.Create<IEmbedding>($"EmbeddingBackward {rows}x{width} from {places}", [CaseBuffer.Input("i", indices), CaseBuffer.Input("dy", CaseData.Normal(places * width, 1)), CaseBuffer.Output("table", rows * width)],
            new Tolerance(2e-6, 5 * (places + 4) * Math.ScaleB(1, -24), "random walk of a rounding per place, each of a sum of size sqrt(places), times five"),
            new OpWork("EmbeddingBackward", (double)places * width, 4.0 * ((double)places + rows) * width), (op, args) => op.EmbeddingBackward(args.Ints("i"), args["dy"], rows, width, args["table"]), large);
    }
}
