using ClipGen.Kernels;
using ClipGen.Models.Gpt;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.Pipeline;

/// <summary>Writes the codes of pictures with a GPT.</summary>
public static class CodeSampler
{
    /// <summary>What the random numbers of code sampling are keyed with, besides seed, position and candidate.</summary>
    public const uint RandomPurpose = 1;

    // Positions that are asked for before the device is waited for.
    private const int StepsAhead = 8;

    /// <summary>
    /// Samples all codes of a batch of pictures. Candidate i draws its uniform number for position t from (seed, t, i) alone, and every
    /// kernel treats the rows of a batch independently, so a candidate's codes do not depend on the batch it is in.
    /// </summary>
    /// <param name="gpt">The model.</param>
    /// <param name="condition">CLIP embedding [1, E], normalised.</param>
    /// <param name="firstCandidate">Index of the batch's first picture among all candidates.</param>
    /// <param name="count">Pictures in the batch.</param>
    /// <param name="settings">Filter, seed, greedy.</param>
    /// <param name="onCode">Called after each position with the number of positions done.</param>
    /// <param name="cancellation">Ends the work between two positions.</param>
    /// <returns>One row of codes per picture.</returns>
    public static int[][] Sample(GptModel gpt, Tensor condition, int firstCandidate, int count, GenerationSettings settings, Action<int>? onCode = null, CancellationToken cancellation = default)
    {
        var device = gpt.Device;
        return Sample(gpt, condition, count, settings, (position, logits) =>
        {
            using var uniforms = device.Empty(new Shape(count));
            device.Backend.FillUniform(new RandomKey(settings.Seed, RandomPurpose, (uint)position), firstCandidate, uniforms.Floats);
            return logits.Sample(settings.Filter(gpt.Config), uniforms);
        }, onCode, cancellation);
    }

    /// <summary>
    /// The same for pictures of several texts, in any company: row i draws its uniform number for position t from (seed, t, streams[i]) alone.
    /// </summary>
    /// <param name="gpt">The model.</param>
    /// <param name="conditions">One CLIP embedding per picture, [N, E], normalised.</param>
    /// <param name="streams">A number per picture, for example of the text and of the candidate in one.</param>
    /// <param name="settings">Filter, seed, greedy.</param>
    /// <param name="cancellation">Ends the work between two positions.</param>
    /// <returns>One row of codes per picture.</returns>
    /// <exception cref="ShapeException">There is not one condition per stream.</exception>
    public static int[][] Sample(GptModel gpt, Tensor conditions, IReadOnlyList<long> streams, GenerationSettings settings, CancellationToken cancellation = default)
    {
        var device = gpt.Device;
        if (conditions.Shape.Rank != 2 || conditions.Shape[0] != streams.Count) throw new ShapeException("CodeSampler", $"conditions {conditions.Shape} for {streams.Count} pictures");
        return Sample(gpt, conditions, streams.Count, settings, (position, logits) =>
        {
            var key = new RandomKey(settings.Seed, RandomPurpose, (uint)position);
            using var uniforms = device.From([.. streams.Select(stream => Philox.Uniform(key, stream))], new Shape(streams.Count));
            return logits.Sample(settings.Filter(gpt.Config), uniforms);
        }, null, cancellation);
    }

    /// <summary>The same with given uniform numbers, one row of positions per picture: for comparison with other implementations.</summary>
    public static int[][] Sample(GptModel gpt, Tensor condition, float[][] uniforms, GenerationSettings settings)
    {
        var device = gpt.Device;
        return Sample(gpt, condition, uniforms.Length, settings, (position, logits) =>
        {
            using var row = device.From([.. uniforms.Select(u => u[position])], new Shape(uniforms.Length));
            return logits.Sample(settings.Filter(gpt.Config), row);
        }, null, default);
    }

    /// <summary>Logits that follow the text more closely: without it, plus w times what it changes.</summary>
    internal static Tensor Guided(Tensor text, Tensor free, float guidance) =>
        text.Affine(guidance, 0).Into(scaled => free.Affine(1 - guidance, 0).Into(scaled.Add));

    private static int[][] Sample(GptModel gpt, Tensor condition, int count, GenerationSettings settings, Func<int, Tensor, Tensor> draw, Action<int>? onCode, CancellationToken cancellation)
    {
        var guidance = settings.GuidanceOf(gpt.Config);
        if (guidance != 1 && !gpt.Config.Unconditional) throw new GenerationException($"--guidance {guidance}: this GPT was never trained without an embedding (train gpt --cond-drop), so there is nothing to be guided from; leave it out");
        using var span = Profiler.Enter("codes");
        var (backend, length) = (gpt.Device.Backend, gpt.Config.BlockSize);
        using var scope = new TensorScope();
        var rows = condition.Shape[0] == count ? condition : Repeat(condition, count);
        using var written = gpt.Device.Empty(new Shape(length, count), DType.Int32);
        using var decoder = gpt.StartDecoding(rows);
        using var free = guidance == 1 ? null : gpt.StartDecoding(gpt.Device.Zeros(rows.Shape));
        // Damaged weights show at the first position already; greedy sampling would choose some code all the same.
        if (!Array.TrueForAll(decoder.Logits.ToFloats(), float.IsFinite))
            throw new WeightException("the GPT's output is not a number; its checkpoint is damaged, get it again (--gpt)");
        for (var position = 0; position < length; position++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var guided = free is null ? null : Guided(decoder.Logits, free.Logits, guidance);
            var logits = guided ?? decoder.Logits;
            using var chosen = settings.Greedy ? logits.ArgMaxRows() : draw(position, logits);
            // The codes stay where the next step needs them; the host fetches all at the end.
            backend.Copy(chosen.Ints, written.Ints.Slice((long)position * count, count));
            if (position + 1 < length)
            {
                decoder.Append(chosen);
                free?.Append(chosen);
            }
            // What was asked for is not done yet; progress is, and whoever gives up need not wait for long.
            if (position % StepsAhead == StepsAhead - 1) backend.Synchronize();
            onCode?.Invoke(position + 1);
        }
        var columns = written.ToArray<int>();
        return [.. Enumerable.Range(0, count).Select(n => Enumerable.Range(0, length).Select(position => columns[position * count + n]).ToArray())];
    }

    private static Tensor Repeat(Tensor row, int count)
    {
        using var indices = row.Device.From(new int[count], new Shape(count));
        return indices.Embedding(row);
    }
}
