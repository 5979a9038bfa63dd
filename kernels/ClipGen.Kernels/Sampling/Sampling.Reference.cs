namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : ISampling
{
    /// <inheritdoc/>
    public void FilterLogits(View<float> logits, int rows, int columns, in SamplingFilter filter, View<float> output)
    {
        for (var r = 0; r < rows; r++)
            Filter(Span(logits).Slice(r * columns, columns), filter).CopyTo(Span(output).Slice(r * columns, columns));
    }

    /// <inheritdoc/>
    public void Sample(View<float> logits, int rows, int columns, in SamplingFilter filter, View<float> uniforms, View<int> output)
    {
        for (var r = 0; r < rows; r++)
        {
            var kept = Filter(Span(logits).Slice(r * columns, columns), filter);
            var max = kept.Max();
            var total = kept.Sum(x => Math.Exp((double)x - max));
            var mass = 0.0;
            var chosen = -1;
            for (var c = 0; c < columns; c++)
            {
                if (float.IsNegativeInfinity(kept[c])) continue;
                chosen = c;
                mass += Math.Exp((double)kept[c] - max) / total;
                if (mass > Pointer(uniforms)[r]) break;
            }
            Pointer(output)[r] = chosen;
        }
    }

    /// <summary>Sorts everything: slow and plain.</summary>
    private static float[] Filter(ReadOnlySpan<float> logits, in SamplingFilter filter)
    {
        SamplingRules.Require(filter);
        var scaled = new float[logits.Length];
        for (var c = 0; c < scaled.Length; c++) scaled[c] = logits[c] / filter.Temperature;
        if (filter.TopK > 0 && filter.TopK < scaled.Length)
        {
            var threshold = scaled.OrderDescending().ElementAt(filter.TopK - 1);
            for (var c = 0; c < scaled.Length; c++)
                if (scaled[c] < threshold) scaled[c] = float.NegativeInfinity;
        }
        if (filter.TopP < 1)
        {
            // A stable sort, so that of equal entries the first in the vocabulary counts first.
            var order = Enumerable.Range(0, scaled.Length).OrderByDescending(c => scaled[c]).ToArray();
            var max = scaled[order[0]];
            var total = scaled.Sum(x => Math.Exp((double)x - max));
            var before = 0.0;
            for (var i = 0; i < order.Length; i++)
            {
                var mass = Math.Exp((double)scaled[order[i]] - max) / total;
                if (i > 0 && before > filter.TopP) scaled[order[i]] = float.NegativeInfinity;
                before += mass;
            }
        }
        return scaled;
    }
}
