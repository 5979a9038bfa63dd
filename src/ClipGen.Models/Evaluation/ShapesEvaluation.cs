using ClipGen.Data;
using ClipGen.Data.Shapes;
using ClipGen.Models.Pipeline;
using ClipGen.Tensors;

namespace ClipGen.Models.Evaluation;

/// <summary>
/// Judges text-to-image models on the synthetic world: prompts are answered as in generation, and a detector that knows the renderer and no model says whether the
/// picture shows what was asked for. First the detector itself is put to the test.
/// </summary>
public sealed class ShapesEvaluation(PipelineModels models, ITextTokenizer tokenizer)
{
    /// <summary>Share of freshly rendered scenes that the detector has to read right before it judges.</summary>
    public const double LeastDetectorShare = 0.99;

    /// <summary>Most prompts of a group: their numbers have 24 bits of a random stream's, candidates 16.</summary>
    public const int MostPrompts = 1 << 24;

    /// <summary>Most candidates of a prompt.</summary>
    public const int MostCandidates = 1 << 16;

    // Scenes far behind those that any training sees or chooses by.
    private const long FirstFresh = 1L << 40;
    private const int TextsTogether = 64;

    /// <summary>Reads a picture: <see cref="ShapeDetector.Read"/>, unless another detector is to be tried.</summary>
    public Func<Picture, DetectedScene> Detector { get; init; } = ShapeDetector.Read;

    /// <summary>Scenes that the detector is tried on, half of them with held-out pairs.</summary>
    public int DetectorScenes { get; init; } = 1000;

    /// <summary>Scenes whose embeddings are compared, at least 2; and as many families of hard negatives.</summary>
    public int GapScenes { get; init; } = 256;

    /// <summary>Scenes that the VQ-GAN reconstructs.</summary>
    public int ReconstructedScenes { get; init; } = 512;

    /// <summary>How many pictures per group the report keeps.</summary>
    public int Samples { get; init; } = 64;

    /// <summary>Runs the evaluation. Candidate c of a group's prompt p is a function of (seed, group, p, c) alone, whatever the batch and however many prompts there are.</summary>
    /// <param name="prompts">Prompts of each of the four groups.</param>
    /// <param name="settings">Candidates, batch (over several prompts), filter and seed; what to keep plays no role.</param>
    /// <param name="progress">Is told how far it is.</param>
    /// <param name="cancellation">Ends the work between batches.</param>
    /// <exception cref="EvaluationException">The models make no pictures of the synthetic world or do not know its words, or the detector failed its test.</exception>
    /// <exception cref="GenerationException">A setting is out of range.</exception>
    public ShapesReport Run(int prompts, GenerationSettings settings, IEvaluationProgress progress, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(progress);
        settings.Validate();
        if (prompts is < 1 or > MostPrompts) throw new GenerationException($"--prompts {prompts}: must be between 1 and {MostPrompts}");
        if (settings.Candidates > MostCandidates) throw new GenerationException($"--candidates {settings.Candidates}: at most {MostCandidates}");
        CheckModels();
        var detector = TryDetector(settings.Seed, progress, cancellation);
        if (!(detector.Share >= LeastDetectorShare))
            throw new EvaluationException($"the detector read {detector.Right} of {detector.Count} freshly rendered scenes right, expected {LeastDetectorShare:P0}; its verdicts on generated pictures would mean nothing");

        List<ShapesGroup> groups = [];
        progress.Begin("prompts", 4L * prompts * (settings.Candidates + 1), "pictures");
        foreach (var heldOut in new[] { false, true })
            foreach (var objects in new[] { 1, 2 })
                groups.Add(Group(groups.Count, heldOut, objects, prompts, settings, progress, cancellation));
        var (gap, hard) = (Gap(settings.Seed, progress, cancellation), HardNegatives(settings.Seed, progress, cancellation));
        var (reconstruction, kept) = Reconstruct(settings.Seed, progress, cancellation);
        return new ShapesReport(detector, groups, gap, hard, reconstruction, kept);
    }

    private void CheckModels()
    {
        var side = PictureCodec.Side(models.Gpt.Config.BlockSize) * models.VqGan.Factor;
        if (side != ShapeRenderer.Side) throw new EvaluationException($"these models make pictures of {side} x {side} pixels, the synthetic world's have {ShapeRenderer.Side} x {ShapeRenderer.Side}; give models that were trained with --ds shapes");
        if (tokenizer.UnknownWords(string.Join(' ', ShapeCaptions.Words)) is { Count: > 0 } unknown) throw new EvaluationException($"the CLIP model does not know {string.Join(", ", unknown)}, words of the synthetic world; give one that was trained with --ds shapes");
    }

    private Proportion TryDetector(ulong seed, IEvaluationProgress progress, CancellationToken cancellation)
    {
        var right = new Proportion();
        progress.Begin("detector", DetectorScenes, "scenes");
        for (var n = 0; n < DetectorScenes; n++)
        {
            cancellation.ThrowIfCancellationRequested();
            var split = n % 2 == 0 ? ShapesSplit.Validation : ShapesSplit.HeldOut;
            var verdict = ShapeJudge.Judge(ShapesWorld.Scene(seed, split, FirstFresh + n), Detector(ShapesWorld.Picture(seed, split, FirstFresh + n)));
            right = right.With(verdict.AllRight && verdict.BackgroundRight);
            progress.Report(n + 1);
        }
        return right;
    }

    private ShapesGroup Group(int group, bool heldOut, int objects, int count, GenerationSettings settings, IEvaluationProgress progress, CancellationToken cancellation)
    {
        var prompts = ShapePrompts.Make(settings.Seed, heldOut, objects, count);
        var texts = EmbedTexts([.. prompts.Select(prompt => prompt.Caption)], cancellation);
        var before = (long)group * count * (settings.Candidates + 1);
        var rows = (long)count * settings.Candidates;
        ShapesScores best = default, first = default, fromPicture = default;
        Proportion any = default;
        List<ShapesSample> samples = [];
        var leader = (Score: float.NegativeInfinity, Picture: (Picture?)null, Verdict: default(ShapeVerdict));
        var someRight = false;
        for (long start = 0; start < rows; start += settings.Batch)
        {
            var together = (int)Math.Min(settings.Batch, rows - start);
            var places = Enumerable.Range(0, together).Select(i => (Prompt: (int)((start + i) / settings.Candidates), Candidate: (int)((start + i) % settings.Candidates))).ToArray();
            var pictures = Generate(places.Select(place => texts[place.Prompt]).ToArray(), [.. places.Select(place => Stream(place.Prompt, place.Candidate))], settings, cancellation);
            for (var i = 0; i < together; i++)
            {
                var (prompt, candidate) = places[i];
                var (picture, score) = pictures[i];
                var verdict = ShapeJudge.Judge(prompts[prompt].Scene, Detector(picture));
                if (candidate == 0) first = first.With(verdict);
                someRight = candidate > 0 && someRight || verdict.AllRight;
                if (candidate == 0 || score > leader.Score) leader = (score, picture, verdict);
                if (candidate < settings.Candidates - 1) continue;
                best = best.With(leader.Verdict);
                any = any.With(someRight);
                if (samples.Count < Samples) samples.Add(new ShapesSample(prompts[prompt], leader.Picture!, leader.Score, leader.Verdict));
            }
            progress.Report(before + start + together);
        }
        // The scenes painted, their pictures in place of the sentences, and all else as for the first candidates.
        for (var start = 0; start < count; start += settings.Batch)
        {
            var together = Math.Min(settings.Batch, count - start);
            int[] asked = [.. Enumerable.Range(start, together)];
            var seen = asked.Select(n => ClipEmbedder.EmbedPicture(models.Clip, ShapesWorld.Picture(prompts[n].Scene, settings.Seed, ShapesSplit.Validation, FirstFresh + n))).ToArray();
            var pictures = Generate(seen, [.. asked.Select(n => Stream(n, 0))], settings, cancellation);
            for (var i = 0; i < together; i++) fromPicture = fromPicture.With(ShapeJudge.Judge(prompts[start + i].Scene, Detector(pictures[i].Picture)));
            progress.Report(before + rows + start + together);
        }
        return new ShapesGroup(heldOut, objects, best, first, any, fromPicture, samples);

        long Stream(int prompt, int candidate) => (long)group << 40 | (long)prompt << 16 | (long)candidate;
    }

    /// <summary>A picture per condition, with its cosine to the condition.</summary>
    private (Picture Picture, float Score)[] Generate(float[][] conditions, long[] streams, GenerationSettings settings, CancellationToken cancellation)
    {
        using var scope = new TensorScope();
        var codes = CodeSampler.Sample(models.Gpt, Rows(conditions), streams, settings, cancellation);
        List<(Picture, float)> results = [];
        foreach (var part in codes.Chunk(PictureCodec.DecodedTogether(models.VqGan, codes[0].Length, settings.Batch)))
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = new TensorScope();
            var painted = PictureCodec.Paint(models.VqGan, part);
            var embeddings = Unit(Reranker.Embed(models.Clip, painted, settings.Parity), "picture");
            foreach (var (picture, embedding) in PictureCodec.Pictures(painted).Zip(embeddings))
                results.Add((picture, ClipEmbedder.Similarity(embedding, conditions[results.Count])));
        }
        return [.. results];
    }

    private EmbeddingGap Gap(ulong seed, IEvaluationProgress progress, CancellationToken cancellation)
    {
        progress.Begin("embeddings", GapScenes, "scenes");
        string[] captions = [.. Enumerable.Range(0, GapScenes).Select(n => ShapeCaptions.Canonical(ShapesWorld.Scene(seed, ShapesSplit.Validation, FirstFresh + n)))];
        var texts = EmbedTexts(captions, cancellation);
        List<float[]> pictures = [];
        for (var n = 0; n < GapScenes; n++)
        {
            cancellation.ThrowIfCancellationRequested();
            pictures.Add(ClipEmbedder.EmbedPicture(models.Clip, ShapesWorld.Picture(seed, ShapesSplit.Validation, FirstFresh + n)));
            progress.Report(n + 1);
        }
        return EmbeddingGap.Measure(captions, texts, pictures);
    }

    private HardNegativeScores HardNegatives(ulong seed, IEvaluationProgress progress, CancellationToken cancellation)
    {
        progress.Begin("hard negatives", GapScenes, "scenes");
        Proportion one = default, two = default, arrangements = default;
        for (var n = 0; n < GapScenes; n++)
        {
            cancellation.ThrowIfCancellationRequested();
            var right = Prefers(seed, FirstFresh + n, n % ShapesWorld.LargestFamily, 0, cancellation, out var objects);
            if (objects == 1)
            {
                one = one.With(right);
            }
            else
            {
                two = two.With(right);
                arrangements = arrangements.With(Prefers(seed, FirstFresh + n, n % ShapesWorld.LargestFamily, 1, cancellation, out _));
            }
            progress.Report(n + 1);
        }
        return new HardNegativeScores(one, two, arrangements);
    }

    // Each member in turn: of a family without arrangements the first differs from all others in one thing, those from each other in two.
    private bool Prefers(ulong seed, long family, int own, double arranged, CancellationToken cancellation, out int objects)
    {
        var members = Enumerable.Range(0, ShapesWorld.LargestFamily);
        var scenes = members.Select(member => ShapesWorld.Relative(seed, ShapesSplit.Validation, family, member, arranged)).ToArray();
        objects = scenes[own].Objects.Count;
        var texts = EmbedTexts([.. scenes.Select(ShapeCaptions.Canonical)], cancellation);
        var picture = ClipEmbedder.EmbedPicture(models.Clip, ShapesWorld.Picture(scenes[own], seed, ShapesSplit.Validation, family));
        var similarities = texts.Select(text => ClipEmbedder.Similarity(text, picture)).ToArray();
        return members.All(member => member == own || similarities[member] < similarities[own]);
    }

    private (ReconstructionReport Report, Proportion Kept) Reconstruct(ulong seed, IEvaluationProgress progress, CancellationToken cancellation)
    {
        Proportion kept = default;
        var pictures = Enumerable.Range(0, ReconstructedScenes).Select(n => ShapesWorld.Picture(seed, ShapesSplit.Validation, FirstFresh + n));
        var report = ReconstructionEvaluation.Run(models.VqGan, null, pictures, ReconstructedScenes, progress, cancellation,
            picture => kept = kept.With(ShapeJudge.Judge(ShapesWorld.Scene(seed, ShapesSplit.Validation, FirstFresh + kept.Count), Detector(picture)).AllRight));
        return (report, kept);
    }

    private float[][] EmbedTexts(IReadOnlyList<string> captions, CancellationToken cancellation)
    {
        List<float[]> embeddings = [];
        foreach (var part in captions.Chunk(TextsTogether))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = new TensorScope();
            var tokens = part.Select(caption => ClipEmbedder.Tokenize(models.Clip.Config, tokenizer, caption)).ToArray();
            if (Array.Find(tokens, text => text.Truncated) is { } cut) throw new EvaluationException($"a caption of the synthetic world does not fit the CLIP model's {models.Clip.Config.ContextLength} tokens: \"{cut.DroppedText}\" would be left out");
            embeddings.AddRange(Unit(models.Clip.EncodeText([.. tokens.Select(text => text.Ids)]).L2Normalize(), "text"));
        }
        return [.. embeddings];
    }

    private Tensor Rows(float[][] rows) => models.Gpt.Device.From([.. rows.SelectMany(row => row)], new Shape(rows.Length, rows[0].Length));

    private static IEnumerable<float[]> Unit(Tensor embeddings, string what) => ClipEmbedder.Finite(embeddings.ToFloats(), what).Chunk(embeddings.Shape[1]);
}
