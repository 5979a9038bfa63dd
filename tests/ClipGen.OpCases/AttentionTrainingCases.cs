using ClipGen.Kernels;

namespace ClipGen.OpCases;

internal sealed class AttentionTrainingCases : IOpCases
{
    private static readonly DropoutMask Dropped = new(0.3f, new RandomKey(0xC0FFEE1234567890, 2, 5));

    private static readonly Tolerance Weighted = new(4e-6, 4e-6, "an average of values of size one, enlarged by 1 / 0.7, with weights whose exponents have absolute errors of about 1e-6");

    private static readonly Tolerance Gradient = new(4e-6, 4e-6, "scores, dP and D are sums of up to 260 products with errors of about 1e-6; the gradients are sums of them with weights P, which add up to about one per row");

    public IEnumerable<OpCase> Cases()
    {
        foreach (var dropout in new[] { DropoutMask.None, Dropped })
        {
            // One query, fewer queries than keys, sizes around vectors and tiles; a block of queries less one, whole, and one more; several blocks on one head, whose parts are then summed.
            foreach (var (batch, heads, size, query, key, causal) in new[]
            {
                (1, 1, 32, 1, 1, false), (2, 3, 5, 4, 7, false), (1, 2, 64, 13, 13, true), (2, 1, 33, 50, 50, false), (3, 2, 16, 3, 9, true), (2, 5, 17, 31, 31, true), (1, 1, 130, 20, 33, false),
                (1, 1, 8, 95, 95, true), (1, 1, 8, 96, 100, true), (2, 3, 8, 97, 97, true), (1, 1, 40, 200, 200, true), (1, 2, 24, 200, 70, false), (1, 1, 260, 100, 100, false), (2, 4, 15, 65, 65, false),
                // More than one tile of a wide head's keys, and of its queries.
                (1, 1, 66, 9, 140, true), (1, 1, 66, 140, 20, false),
            })
            {
                yield return Forward(batch, heads, size, query, key, causal, dropout);
                yield return Backward(batch, heads, size, query, key, causal, dropout);
            }
            yield return Backward(2, 2, 6, 0, 3, false, dropout);
        }
        yield return Backward(1, 2, 32, 9, 9, false, DropoutMask.None, 8, new Tolerance(5e-4, 5e-3, "scores of several hundred are rounded to 3e-5, which moves weights by that share; they are multiplied by values of size 8 up to three times"));
        yield return Backward(1, 1, 48, 130, 130, true, Dropped, 8, new Tolerance(5e-4, 5e-3, "scores of several hundred are rounded to 3e-5, which moves weights by that share; they are multiplied by values of size 8 up to three times"));

        var gentle = Dropped with { Probability = 0.1f };
        yield return Forward(4, 16, 64, 256, 256, true, gentle, large: true);
        yield return Backward(4, 16, 64, 256, 256, true, gentle, large: true);
        yield return Backward(4, 16, 64, 256, 256, true, DropoutMask.None, large: true);
        yield return Backward(32, 8, 32, 65, 65, true, gentle, large: true);
        yield return Backward(32, 4, 64, 65, 65, false, DropoutMask.None, large: true);
        yield return Backward(1, 1, 512, 256, 256, false, DropoutMask.None, large: true);
    }

    private static string Name(string op, int batch, int heads, int size, int query, int key, bool causal, in DropoutMask dropout, double spread) =>
        $"{op} {batch}x{heads}x{size} q{query} k{key}{(causal ? " causal" : "")}{(dropout.Probability > 0 ? $" dropout {dropout.Probability}" : "")}{(spread == 1 ? "" : $" spread {spread}")}";

    private static AttentionShape Shape(int batch, int heads, int size, int query, int key, bool causal) => new()
    {
        // Query, key and value as views into wider rows, as a packed product gives them; the output with a stride of its own.
        Batch = batch,
        Heads = heads,
        HeadSize = size,
        QueryLength = query,
        KeyLength = key,
        Causal = causal,
        QueryStride = heads * size + 3,
        KeyStride = 2 * heads * size + 1,
        OutputStride = heads * size + 2,
    };

    private static OpCase Forward(int batch, int heads, int size, int query, int key, bool causal, DropoutMask dropout, bool large = false)
    {
        var shape = Shape(batch, heads, size, query, key, causal);
        var width = heads * size;
        return OpCase.Create<IAttention>(Name("AttentionTraining", batch, heads, size, query, key, causal, dropout, 1),
            [CaseBuffer.Input("q", CaseData.Normal(batch * query * shape.QueryStride, 1)), CaseBuffer.Input("kv", CaseData.Normal(batch * key * shape.KeyStride, 2)), CaseBuffer.InOut("y", CaseData.Normal(batch * query * shape.OutputStride, 3))],
            Weighted, new OpWork("AttentionTraining", 4 * Pairs(shape) * batch * width, 8.0 * batch * width * (query + key)),
            (op, args) => op.AttentionTraining(shape, dropout, args["q"], args["kv"], args["kv"].Slice(width, args["kv"].Length - width), args["y"]), large);
    }

    private static OpCase Backward(int batch, int heads, int size, int query, int key, bool causal, DropoutMask dropout, double spread = 1, Tolerance? tolerance = null, bool large = false)
    {
        var shape = Shape(batch, heads, size, query, key, causal);
        var width = heads * size;
        float[] q = CaseData.Normal(batch * query * shape.QueryStride, 1, 0, spread), kv = CaseData.Normal(batch * key * shape.KeyStride, 2, 0, spread);
        // What the forward call wrote; at the models' sizes, where the reference would take long and nothing is compared, anything.
        var outputGradient = CaseData.Normal(batch * query * shape.OutputStride, 3);
        var output = large ? outputGradient : Output(shape, dropout, q, kv);
        // The gradients lie as the operands do, with floats between their rows that must stay as they are.
        return OpCase.Create<IAttention>(Name("AttentionBackward", batch, heads, size, query, key, causal, dropout, spread),
            [
                CaseBuffer.Input("q", q), CaseBuffer.Input("kv", kv), CaseBuffer.Input("y", output), CaseBuffer.Input("dy", outputGradient),
                CaseBuffer.InOut("dq", large ? new float[q.Length] : CaseData.Normal(q.Length, 6)), CaseBuffer.InOut("dkv", large ? new float[kv.Length] : CaseData.Normal(kv.Length, 7)),
            ],
            tolerance ?? Gradient, new OpWork("AttentionBackward", 10 * Pairs(shape) * batch * width, 16.0 * batch * width * (query + key)),
            (op, args) =>
            {
                View<float> kv = args["kv"], dkv = args["dkv"];
                op.AttentionBackward(shape, dropout, args["q"], kv, kv.Slice(width, kv.Length - width), args["y"], args["dy"], args["dq"], dkv, dkv.Slice(width, dkv.Length - width));
            }, large);
    }

    private static double Pairs(in AttentionShape s) => s.Causal ? s.QueryLength * (s.KeyLength - (s.QueryLength - 1) / 2.0) : (double)s.QueryLength * s.KeyLength;

    private static float[] Output(in AttentionShape shape, in DropoutMask dropout, float[] q, float[] kv)
    {
        using var reference = new ReferenceBackend();
        var output = new float[shape.Batch * shape.QueryLength * shape.OutputStride];
        using DeviceMemory queries = reference.Allocate(4L * q.Length), keys = reference.Allocate(4L * kv.Length), outputs = reference.Allocate(4L * output.Length);
        View<float> queryView = new(queries, 0, q.Length), keyView = new(keys, 0, kv.Length), outputView = new(outputs, 0, output.Length);
        reference.Upload(q, queryView);
        reference.Upload(kv, keyView);
        reference.Upload(output, outputView);
        var width = shape.Heads * shape.HeadSize;
        reference.AttentionTraining(shape, dropout, queryView, keyView, keyView.Slice(width, kv.Length - width), outputView);
        reference.Download(outputView, output);
        return output;
    }
}
