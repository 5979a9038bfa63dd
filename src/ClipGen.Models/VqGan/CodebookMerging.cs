using System.Numerics.Tensors;
using ClipGen.Data;
using ClipGen.Models.Evaluation;
using ClipGen.Models.Pipeline;
using ClipGen.Tensors;

namespace ClipGen.Models.VqGan;

/// <summary>A codebook whose codes that look alike have become one.</summary>
/// <param name="Vectors">The new codes, row by row: of each, the mean of the latents that its former codes stood for.</param>
/// <param name="Codes">How many there are.</param>
/// <param name="Used">Former codes that the pictures used; the others are gone.</param>
/// <param name="Former">Entropy of the former codes over the pictures, in nats a code: what a GPT that knew nothing of a picture but how frequent each code is would lose.</param>
/// <param name="Merged">The same of the new ones, each square keeping its place in the union.</param>
public sealed record MergedCodebook(float[] Vectors, int Codes, int Used, double Former, double Merged);

/// <summary>
/// Makes a trained VQ-GAN's codebook smaller by uniting codes that stand for squares of pictures that look alike. A codebook spends its codes by how much of the pictures' area there is to represent, so flat
/// backgrounds take many of them for shades that nobody sees; a GPT must then guess between them, square after square, although the choice means nothing. Codes are united two by two, always those
/// whose union costs the least: <c>nᵢ·nⱼ / (nᵢ + nⱼ) · |μᵢ − μⱼ|²</c>, the increase of the squared error when both are shown as their common mean; n is how many squares chose a code and μ the mean of their pixels
/// (pairwise nearest neighbours, Equitz 1989, "A new vector quantization clustering algorithm"; the cost is Ward's, 1963). Encoder and decoder stay as they are. It sees pictures alone.
/// </summary>
public static class CodebookMerging
{
    /// <summary>Unites codes until so many are left.</summary>
    /// <param name="vqgan">The model.</param>
    /// <param name="pictures">Square pictures of one size, a multiple of the model's factor.</param>
    /// <param name="count">How many there are, for the progress.</param>
    /// <param name="codes">Codes to keep.</param>
    /// <param name="progress">Is told how far it is.</param>
    /// <param name="cancellation">Ends the work between batches.</param>
    /// <exception cref="EvaluationException">The pictures do not use more codes than are to be kept.</exception>
    public static MergedCodebook Run(VqGanModel vqgan, IEnumerable<Picture> pictures, long count, int codes, IEvaluationProgress progress, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(vqgan);
        ArgumentNullException.ThrowIfNull(pictures);
        ArgumentOutOfRangeException.ThrowIfLessThan(codes, 1);
        int factor = vqgan.Factor, pixels = factor * factor * 3;
        var chosen = new long[vqgan.Codes];
        var squares = new double[vqgan.Codes][];
        var latents = new double[vqgan.Codes][];
        var done = 0;
        progress.Begin("squares of pictures", count, "pictures");
        foreach (var batch in PictureCodec.Batches(vqgan, pictures))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = new TensorScope();
            var side = batch[0].Width;
            float[] values = [.. batch.SelectMany(PictureTransforms.ToVqGan)];
            var encoded = vqgan.Encode(vqgan.Device.From(values, new Shape(batch.Count, side, side, 3)));
            var vectors = encoded.ToFloats();
            var grid = vqgan.Quantize(encoded).ToArray<int>();
            var columns = side / factor;
            for (var at = 0; at < grid.Length; at++)
            {
                var code = grid[at];
                chosen[code]++;
                Add(latents[code] ??= new double[vqgan.CodeSize], 0, vectors.AsSpan(at * vqgan.CodeSize, vqgan.CodeSize));
                var square = squares[code] ??= new double[pixels];
                int picture = at / (columns * columns), top = at / columns % columns * factor, left = at % columns * factor;
                for (var row = 0; row < factor; row++) Add(square, row * factor * 3, values.AsSpan(((picture * side + top + row) * side + left) * 3, factor * 3));
            }
            progress.Report(done += batch.Count);
        }

        int[] used = [.. Enumerable.Range(0, chosen.Length).Where(code => chosen[code] > 0)];
        if (used.Length <= codes) throw new EvaluationException($"the pictures use {used.Length:N0} of the {vqgan.Codes:N0} codes, so there is nothing to unite for {codes:N0}; keep fewer codes, or show more pictures");
        long[] counts = [.. used.Select(code => chosen[code])];
        var groups = Unite([.. used.Select(code => Scaled(squares[code], 1.0 / chosen[code]))], counts, codes, cancellation);
        var united = new long[codes];
        var table = new double[codes][];
        for (var i = 0; i < used.Length; i++)
        {
            united[groups[i]] += counts[i];
            var sum = table[groups[i]] ??= new double[vqgan.CodeSize];
            TensorPrimitives.Add(sum, latents[used[i]], sum);
        }
        return new MergedCodebook([.. table.SelectMany((sum, group) => Scaled(sum, 1.0 / united[group])).Select(value => (float)value)], codes, used.Length, CodeUsage.Of<long>(counts).Entropy, CodeUsage.Of<long>(united).Entropy);
    }

    /// <summary>Puts things with weights into groups, joining two groups at a time, those whose union adds least to the squared error.</summary>
    /// <param name="means">What is alike or not; becomes the groups' means.</param>
    /// <param name="weights">Positive weight of each.</param>
    /// <param name="groups">Groups to make, at most as many as there are things.</param>
    /// <param name="cancellation">Ends the work.</param>
    /// <returns>The group of each thing, numbered in the order of their first members.</returns>
    internal static int[] Unite(double[][] means, IReadOnlyList<long> weights, int groups, CancellationToken cancellation = default)
    {
        var count = means.Length;
        double[] weight = [.. weights.Select(w => (double)w)];
        int[] group = [.. Enumerable.Range(0, count)], nearest = new int[count];
        var costs = new double[count];
        var alive = new bool[count];
        Array.Fill(alive, true);

        double Cost(int i, int j)
        {
            var distance = TensorPrimitives.Distance<double>(means[i], means[j]);
            return weight[i] * weight[j] / (weight[i] + weight[j]) * distance * distance;
        }

        // Every group knows its cheapest partner. Others than the two that are joined mostly keep theirs.
        void FindNearest(int i)
        {
            costs[i] = double.PositiveInfinity;
            for (var j = 0; j < count; j++)
                if (j != i && alive[j] && Cost(i, j) is var cost && cost < costs[i]) (costs[i], nearest[i]) = (cost, j);
        }

        for (var i = 0; i < count; i++) FindNearest(i);
        for (var left = count; left > groups; left--)
        {
            cancellation.ThrowIfCancellationRequested();
            var first = -1;
            for (var i = 0; i < count; i++)
                if (alive[i] && (first < 0 || costs[i] < costs[first])) first = i;
            var (into, gone) = (Math.Min(first, nearest[first]), Math.Max(first, nearest[first]));
            var total = weight[into] + weight[gone];
            for (var p = 0; p < means[into].Length; p++) means[into][p] = (means[into][p] * weight[into] + means[gone][p] * weight[gone]) / total;
            (weight[into], alive[gone]) = (total, false);
            for (var i = 0; i < count; i++)
                if (group[i] == gone) group[i] = into;
            FindNearest(into);
            for (var i = 0; i < count; i++)
            {
                if (!alive[i] || i == into) continue;
                if (nearest[i] == into || nearest[i] == gone) FindNearest(i);
                else if (Cost(i, into) is var cost && cost < costs[i]) (costs[i], nearest[i]) = (cost, into);
            }
        }
        int[] kept = [.. Enumerable.Range(0, count).Where(i => alive[i])];
        return [.. group.Select(into => Array.BinarySearch(kept, into))];
    }

    private static void Add(double[] sum, int at, ReadOnlySpan<float> values)
    {
        for (var i = 0; i < values.Length; i++) sum[at + i] += values[i];
    }

    private static double[] Scaled(double[] values, double factor) => [.. values.Select(value => value * factor)];
}
