using ClipGen.Kernels;

namespace ClipGen.OpCases;

internal sealed class CodeCases : IOpCases
{
    public IEnumerable<OpCase> Cases()
    {
        foreach (var (rows, codes, width) in new[] { (1, 1, 1), (5, 33, 7), (130, 64, 32), (14, 300, 19), (40, 300, 5) })
            yield return Nearest($"{rows}x{codes}x{width}", CaseData.Normal(rows * width, 1), CaseData.Normal(codes * width, 2), rows, codes, width);
        // Every code twice: the first of the two must win. And inputs that are codes.
        var half = CaseData.Normal(20 * 6, 3);
        yield return Nearest("duplicated codes", [.. half, .. half], [.. half, .. half], 40, 40, 6);
        // Far from the origin: |e|² − 2x·e loses the digits that decide, the distances in double do not.
        yield return Nearest("offset 1000", CaseData.Normal(30 * 8, 4, 1000, 0.01), CaseData.Normal(50 * 8, 5, 1000, 0.01), 30, 50, 8);
        yield return Nearest("256x16384x256", CaseData.Normal(256 * 256, 1), CaseData.Normal(16384 * 256, 2), 256, 16384, 256, large: true);

        foreach (var filter in new SamplingFilter[] { new(1, 0, 1), new(0.7f, 5, 1), new(1, 0, 0.6f), new(1.3f, 20, 0.9f), new(1, 500, 0.95f), new(1, 1, 1), new(1, 0, 0) })
            foreach (var (rows, columns) in new[] { (1, 1), (3, 40), (2, 1000) })
            {
                var logits = CaseData.Normal(rows * columns, 6, 0, 2);
                var name = $"{rows}x{columns} t{filter.Temperature} k{filter.TopK} p{filter.TopP}";
                yield return OpCase.Create<ISampling>($"FilterLogits {name}", [CaseBuffer.Input("x", logits), CaseBuffer.Output("y", rows * columns)], Tolerance.Exact, default, (op, args) => op.FilterLogits(args["x"], rows, columns, filter, args["y"]));
                yield return OpCase.Create<ISampling>($"Sample {name}", [CaseBuffer.Input("x", logits), CaseBuffer.Input("u", CaseData.Uniform(rows, 7)), CaseBuffer.IntOutput("y", rows)], Tolerance.Exact, default, (op, args) => op.Sample(args["x"], rows, columns, filter, args["u"], args.Ints("y")));
            }
        // Ties with the k-th stay.
        float[] ties = [1, 3, 2, 3, 2, 2, float.NegativeInfinity, 0];
        yield return OpCase.Create<ISampling>("FilterLogits ties", [CaseBuffer.Input("x", ties), CaseBuffer.Output("y", 8)], Tolerance.Exact, default, (op, args) => op.FilterLogits(args["x"], 1, 8, new SamplingFilter(1, 3, 1), args["y"]));
        yield return OpCase.Create<ISampling>("FilterLogits ties nucleus", [CaseBuffer.Input("x", ties), CaseBuffer.Output("y", 8)], Tolerance.Exact, default, (op, args) => op.FilterLogits(args["x"], 1, 8, new SamplingFilter(1, 3, 0.7f), args["y"]));
        // More entries stay than are gathered, and more than one digit of places.
        var wide = new SamplingFilter(1, 4000, 0.999f);
        yield return OpCase.Create<ISampling>("FilterLogits 1x5000", [CaseBuffer.Input("x", CaseData.Normal(5000, 6)), CaseBuffer.Output("y", 5000)], Tolerance.Exact, default, (op, args) => op.FilterLogits(args["x"], 1, 5000, wide, args["y"]));
        yield return OpCase.Create<ISampling>("Sample 2x5000", [CaseBuffer.Input("x", CaseData.Normal(2 * 5000, 6)), CaseBuffer.Input("u", CaseData.Uniform(2, 7)), CaseBuffer.IntOutput("y", 2)], Tolerance.Exact, default, (op, args) => op.Sample(args["x"], 2, 5000, wide, args["u"], args.Ints("y")));
        // Many equals at the border of the nucleus: the first of them stay, found among gathered entries.
        float[] steps = [.. Enumerable.Range(0, 300).Select(i => (float)(i * 7 % 5))];
        yield return OpCase.Create<ISampling>("FilterLogits steps nucleus", [CaseBuffer.Input("x", steps), CaseBuffer.Output("y", 300)], Tolerance.Exact, default, (op, args) => op.FilterLogits(args["x"], 1, 300, new SamplingFilter(1, 200, 0.8123f), args["y"]));
        var large = new SamplingFilter(1, 500, 0.95f);
        yield return OpCase.Create<ISampling>("Sample 8x16384", [CaseBuffer.Input("x", CaseData.Normal(8 * 16384, 6, 0, 2)), CaseBuffer.Input("u", CaseData.Uniform(8, 7)), CaseBuffer.IntOutput("y", 8)], Tolerance.Exact, new OpWork("Sample", 0, 4.0 * 8 * 16384), (op, args) => op.Sample(args["x"], 8, 16384, large, args["u"], args.Ints("y")), large: true);
        foreach (var (first, count) in new[] { (0L, 1), (3, 10), ((1L << 34) + 1, 70) })
            yield return OpCase.Create<IRandom>($"FillUniform {first}+{count}", [CaseBuffer.Output("y", count)], Tolerance.Exact, default, (op, args) => op.FillUniform(new RandomKey(0x123456789ABCDEF0, 3, 17), first, args["y"]));
    }

    private static OpCase Nearest(string name, float[] x, float[] codebook, int rows, int codes, int width, bool large = false) =>
        OpCase.Create<IVectorQuantize>($"NearestCode {name}", [CaseBuffer.Input("x", x), CaseBuffer.Input("codebook", codebook), CaseBuffer.IntOutput("y", rows)], Tolerance.Exact,
            new OpWork("NearestCode", 2.0 * rows * codes * width, 4.0 * (x.Length + codebook.Length + rows)), (op, args) => op.NearestCode(args["x"], args["codebook"], rows, codes, width, args.Ints("y")), large);
}
