namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public void AttentionBackward(in AttentionShape shape, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output, View<float> outputGradient,
        View<float> queryGradient, View<float> keyGradient, View<float> valueGradient)
    {
        dropout.Require();
        var s = AttentionStrides.Of(shape);
        if (s.Batch == 0) return;
        long queryFloats = AttentionStrides.Floats(s, s.QueryLength, s.QueryStride), keyFloats = AttentionStrides.Floats(s, s.KeyLength, s.KeyStride), outputFloats = AttentionStrides.Floats(s, s.QueryLength, s.OutputStride);
        Arguments.Length(query, queryFloats);
        Arguments.Length(key, keyFloats);
        Arguments.Length(value, keyFloats);
        Arguments.Length(output, outputFloats);
        Arguments.Length(outputGradient, outputFloats);
        Arguments.Length(queryGradient, queryFloats);
        Arguments.Length(keyGradient, keyFloats);
        Arguments.Length(valueGradient, keyFloats);
        float* q = Pointer(query), k = Pointer(key), v = Pointer(value), o = Pointer(output), g = Pointer(outputGradient);
        float* dq = Pointer(queryGradient), dk = Pointer(keyGradient), dv = Pointer(valueGradient);
        var (level, mask) = (Simd, dropout);

        // Every query of a sequence adds to the gradients of its keys and values. Blocks of queries add in order, whoever computes them:
        // a part is one (sequence, head) and adds block after block, or, where there are too few heads for the threads, a part is one block and
        // its sums wait in memory until they are added in the same order.
        var heads = s.Batch * s.Heads;
        var blocks = (s.QueryLength + AttentionGradient.BlockRows - 1) / AttentionGradient.BlockRows;
        if (blocks <= 1 || heads >= 2 * Workers.Threads)
        {
            Workers.For(heads, head =>
            {
                var kernel = Prepare(head);
                var at = KeyOffset(head);
                AttentionGradient.ClearRows(dk + at, dv + at, s);
                for (var block = 0; block < blocks; block++) Block(kernel, head, block, dk + at, dv + at, s.KeyStride, add: true);
            });
            return;
        }

        var headFloats = (long)s.KeyLength * s.HeadSize;
        using var memory = Allocate(checked(2 * sizeof(float) * headFloats * heads * blocks));
        var sums = Pointer(new View<float>(memory, 0, 2 * headFloats * heads * blocks));
        Workers.For(heads * blocks, part =>
        {
            var partial = sums + 2 * headFloats * part;
            Block(Prepare(part / blocks), part / blocks, part % blocks, partial, partial + headFloats, s.HeadSize, add: false);
        });
        const int keysPerPart = 32;
        var keyParts = (s.KeyLength + keysPerPart - 1) / keysPerPart;
        Workers.For(heads * keyParts, part =>
        {
            var head = part / keyParts;
            var first = part % keyParts * keysPerPart;
            var at = KeyOffset(head) + (long)first * s.KeyStride;
            var partial = sums + 2 * headFloats * head * blocks + (long)first * s.HeadSize;
            var rows = Math.Min(keysPerPart, s.KeyLength - first);
            AttentionGradient.ClearRows(dk + at, dv + at, s with { KeyLength = rows });
            for (var block = 0; block < blocks; block++, partial += 2 * headFloats)
            {
                var reached = Math.Min(rows, AttentionGradient.KeysOfBlock(s, block) - first);
                AttentionGradient.AddRows(level, partial, reached, s, dk + at);
                AttentionGradient.AddRows(level, partial + headFloats, reached, s, dv + at);
            }
        });

        long KeyOffset(int head) => (long)(head / s.Heads) * s.KeyLength * s.KeyStride + head % s.Heads * s.HeadSize;

        // This thread's kernel with the keys and values of a head packed.
        AttentionGradient Prepare(int head)
        {
            var kernel = new AttentionGradient(level, s, rowScratch.Floats(AttentionGradient.ScratchFloats(s)));
            kernel.PackHead(k + KeyOffset(head), v + KeyOffset(head));
            return kernel;
        }

        void Block(in AttentionGradient kernel, int head, int block, float* keyTarget, float* valueTarget, int targetStride, bool add)
        {
            var position = (long)(head / s.Heads) * s.QueryLength + block * AttentionGradient.BlockRows;
            long queries = position * s.QueryStride + head % s.Heads * s.HeadSize, outputs = position * s.OutputStride + head % s.Heads * s.HeadSize;
            kernel.Block(block, mask, (long)head * s.QueryLength * s.KeyLength, q + queries, o + outputs, g + outputs, dq + queries, keyTarget, valueTarget, targetStride, add);
        }
    }
}
