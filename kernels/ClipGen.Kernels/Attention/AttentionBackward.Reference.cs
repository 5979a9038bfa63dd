namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void AttentionBackward(in AttentionShape shape, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output, View<float> outputGradient,
        View<float> queryGradient, View<float> keyGradient, View<float> valueGradient)
    {
        var s = AttentionStrides.Of(shape);
        // With p a query's weights, f the dropout's factors and o = Σ p f v: dv = p f · do, dp = f · (do·v), and the softmax's gradient ds = p (dp − Σ p dp).
        double[] weights = new double[s.KeyLength], scores = new double[s.KeyLength];
        double[] dk = new double[s.KeyLength * s.HeadSize], dv = new double[s.KeyLength * s.HeadSize];
        for (var b = 0; b < s.Batch; b++)
            for (var h = 0; h < s.Heads; h++)
            {
                long queries = (long)b * s.QueryLength * s.QueryStride + h * s.HeadSize, keys = (long)b * s.KeyLength * s.KeyStride + h * s.HeadSize, outputs = (long)b * s.QueryLength * s.OutputStride + h * s.HeadSize;
                Reals k = Real(key) + keys, v = Real(value) + keys;
                Array.Clear(dk);
                Array.Clear(dv);
                for (var t = 0; t < s.QueryLength; t++)
                {
                    var seen = s.Causal ? t + 1 + s.KeyLength - s.QueryLength : s.KeyLength;
                    Reals q = Real(query) + (queries + (long)t * s.QueryStride), dq = Real(queryGradient) + (queries + (long)t * s.QueryStride), g = Real(outputGradient) + (outputs + (long)t * s.OutputStride);
                    Weights(q, k, s.KeyStride, seen, s.HeadSize, weights);
                    var mean = 0.0;
                    for (var j = 0; j < seen; j++)
                    {
                        var factor = dropout.Factor((((long)b * s.Heads + h) * s.QueryLength + t) * s.KeyLength + j);
                        var dot = 0.0;
                        for (var d = 0; d < s.HeadSize; d++)
                        {
                            dot += g[d] * v[(long)j * s.KeyStride + d];
                            dv[j * s.HeadSize + d] += weights[j] * factor * g[d];
                        }
                        scores[j] = factor * dot;
                        mean += weights[j] * scores[j];
                    }
                    for (var j = 0; j < seen; j++) scores[j] = weights[j] * (scores[j] - mean) / Math.Sqrt(s.HeadSize);
                    for (var d = 0; d < s.HeadSize; d++)
                    {
                        var sum = 0.0;
                        for (var j = 0; j < seen; j++)
                        {
                            sum += scores[j] * k[(long)j * s.KeyStride + d];
                            dk[j * s.HeadSize + d] += scores[j] * q[d];
                        }
                        dq[d] = sum;
                    }
                }
                Reals keyRows = Real(keyGradient) + keys, valueRows = Real(valueGradient) + keys;
                for (var j = 0; j < s.KeyLength; j++)
                    for (var d = 0; d < s.HeadSize; d++)
                    {
                        keyRows[(long)j * s.KeyStride + d] = dk[j * s.HeadSize + d];
                        valueRows[(long)j * s.KeyStride + d] = dv[j * s.HeadSize + d];
                    }
            }
    }
}
