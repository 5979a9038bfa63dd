namespace ClipGen.Kernels;

/// <summary>Which inputs make one output of a bilinear resize, along one axis.</summary>
internal static class ResampleTaps
{
    /// <summary>
    /// Input positions and weights (they sum to one) of output <paramref name="index"/>. Without antialiasing: the two neighbours of
    /// (index + ½)·in/out − ½, rounded to float as in PyTorch and clamped to the picture. With it, when shrinking: a triangle of half-width in/out around
    /// (index + ½)·in/out, cut off at the border and normalised, as Pillow and torchvision do.
    /// </summary>
    public static (int Position, double Weight)[] At(int index, int inputs, int outputs, bool antialias)
    {
        var scale = (double)inputs / outputs;
        var centre = (index + 0.5) * scale;
        if (antialias)
        {
            var support = Math.Max(scale, 1);
            var first = Math.Max((int)(centre - support + 0.5), 0);
            var end = Math.Min((int)(centre + support + 0.5), inputs);
            var taps = new (int, double)[end - first];
            var total = 0.0;
            for (var i = first; i < end; i++)
            {
                var weight = Math.Max(0, 1 - Math.Abs((i - centre + 0.5) / support));
                taps[i - first] = (i, weight);
                total += weight;
            }
            for (var i = 0; i < taps.Length; i++) taps[i].Item2 /= total;
            return taps;
        }
        // In float, as PyTorch computes it: near position 256 that moves a weight by up to 1.5e-5, more than everything else in the op together.
        var position = MathF.Max((float)inputs / outputs * (index + 0.5f) - 0.5f, 0);
        var lower = Math.Min((int)position, inputs - 1);
        var upper = Math.Min(lower + 1, inputs - 1);
        var share = position - lower;
        return [(lower, 1 - share), (upper, share)];
    }

    /// <summary>
    /// The transposed map: for each input position the outputs that look at it, in ascending order, with their weights. An output that is clamped at the border may name
    /// a position twice.
    /// </summary>
    public static (int Output, float Weight)[][] Transposed(int inputs, int outputs, bool antialias)
    {
        var lists = new List<(int, float)>[inputs];
        for (var i = 0; i < inputs; i++) lists[i] = [];
        for (var output = 0; output < outputs; output++)
            foreach (var (position, weight) in At(output, inputs, outputs, antialias)) lists[position].Add((output, (float)weight));
        return Array.ConvertAll(lists, list => list.ToArray());
    }
}
