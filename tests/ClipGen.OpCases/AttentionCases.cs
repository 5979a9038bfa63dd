using ClipGen.Kernels;

namespace ClipGen.OpCases;

internal sealed class AttentionCases : IOpCases
{
    private static readonly Tolerance Weighted = new(4e-6, 4e-6, "an average of values of size one, with weights whose exponents have absolute errors of about 1e-6");

    public IEnumerable<OpCase> Cases()
    {
        foreach (var (batch, heads, size, query, key, causal) in new[]
            { (1, 1, 32, 1, 1, false), (2, 3, 5, 4, 7, false), (1, 2, 64, 13, 13, true), (2, 1, 33, 50, 50, false), (1, 1, 96, 100, 100, true), (3, 2, 16, 3, 9, true), (1, 20, 32, 17, 17, true), (1, 1, 512, 20, 20, false) })
            yield return Case(batch, heads, size, query, key, causal, 1);
        // Scores in the hundreds: without subtracting the maximum, exp would overflow. Rounding of a score of 300 is 3e-5, so are the weights' relative errors.
        yield return Case(1, 2, 32, 9, 9, false, 8, new Tolerance(2e-4, 2e-3, "scores of several hundred are rounded to 3e-5, which moves weights by that share"));
        yield return Case(8, 16, 64, 256, 256, true, 1, large: true);
        yield return Case(1, 1, 512, 256, 256, false, 1, large: true);

        foreach (var (batch, heads, size, max) in new[] { (1, 1, 32, 1), (3, 2, 33, 9), (2, 4, 64, 40), (2, 1, 130, 5) })
            yield return Decode(batch, heads, size, max);
        // Heads that begin at multiples of 16 bytes where all memory is shifted by one float, as 128-bit loads want it; more keys than their scores lie in shared memory at once.
        yield return Decode(2, 3, 36, 12, aligned: true);
        yield return Decode(1, 1, 4, 1030, aligned: true);
        yield return Decode(8, 16, 64, 256, large: true);
    }

    private static OpCase Case(int batch, int heads, int size, int query, int key, bool causal, double spread, Tolerance? tolerance = null, bool large = false)
    {
        // Query, key and value as views into wider rows, as a packed product gives them.
        int width = heads * size, queryStride = width + 3, keyStride = 2 * width + 1;
        var shape = new AttentionShape { Batch = batch, Heads = heads, HeadSize = size, QueryLength = query, KeyLength = key, Causal = causal, QueryStride = queryStride, KeyStride = keyStride };
        var pairs = (double)batch * heads * query * key;
        return OpCase.Create<IAttention>($"Attention {batch}x{heads}x{size} q{query} k{key}{(causal ? " causal" : "")} spread {spread}",
            [CaseBuffer.Input("q", CaseData.Normal(batch * query * queryStride, 1, 0, spread)), CaseBuffer.Input("kv", CaseData.Normal(batch * key * keyStride, 2, 0, spread)), CaseBuffer.Output("y", batch * query * width)],
            tolerance ?? Weighted, new OpWork("Attention", 4 * pairs * size * (causal ? 0.5 : 1), 8.0 * batch * width * (query + key)),
            (op, args) => op.Attention(shape, args["q"], args["kv"], args["kv"].Slice(width, args["kv"].Length - width), args["y"]), large);
    }

    private static OpCase Decode(int batch, int heads, int size, int max, bool aligned = false, bool large = false)
    {
        int width = heads * size, skip = aligned ? 3 : 0;
        var lengths = new int[batch];
        for (var b = 0; b < batch; b++) lengths[b] = b == 0 ? max - 1 : b * 7 % max;
        return OpCase.Create<IAttention>($"AttentionDecode {batch}x{heads}x{size} of {max}{(aligned ? " aligned" : "")}",
            [
                CaseBuffer.Input("qkv", CaseData.Normal(batch * 3 * width + skip, 1)), CaseBuffer.InOut("keys", CaseData.Normal(batch * max * width + skip, 2)),
                CaseBuffer.InOut("values", CaseData.Normal(batch * max * width + skip, 3)), CaseBuffer.Input("lengths", lengths), CaseBuffer.Output("y", batch * width),
            ],
            Weighted, new OpWork("AttentionDecode", lengths.Sum(n => 4.0 * (n + 1) * width), lengths.Sum(n => 8.0 * (n + 1) * width)),
            (op, args) =>
            {
                View<float> qkv = args["qkv"], keys = args["keys"], values = args["values"];
                op.AttentionDecode(new AttentionDecodeShape(batch, heads, size, max), qkv.Slice(skip, qkv.Length - skip), keys.Slice(skip, keys.Length - skip), values.Slice(skip, values.Length - skip), args.Ints("lengths"), args["y"]);
            }, large);
    }
}
