using ClipGen.Kernels;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.Clip;

/// <summary>
/// CLIP: a picture or a text -> one vector in a shared space (Radford et al. 2021). Embeddings come out unscaled; callers normalise them.
/// </summary>
/// <remarks>
/// <code>
/// picture [N, S, S, 3]  -> patches [N, P, C] + class token + positions -> blocks -> class token -> [N, E]
/// tokens  [N, T]        -> embedding + positions [N, T, C] -> causal blocks -> end token's place -> [N, E]
/// </code>
/// </remarks>
public sealed class ClipModel : Module
{
    private readonly Conv2d patches;
    private readonly Tensor classToken, imagePositions, tokenTable, textPositions, logitScale;
    private readonly LayerNorm normBefore, normAfter, normText;
    private readonly ClipBlock[] visionBlocks, textBlocks;
    private readonly Weight imageProjection, textProjection;

    private ClipModel(WeightLoader weights, int? textHeads) : base("")
    {
        Device = weights.Device;
        var c = Config = ClipConfig.Infer(weights, textHeads);
        // In the order of the checkpoint, which is that of the optimiser's state.
        textPositions = Own(weights.Tensor("positional_embedding", c.ContextLength, c.TextWidth));
        textProjection = Own(weights.TransposedMatrix("text_projection", c.TextWidth, c.EmbeddingSize));
        logitScale = Own(weights.Tensor("logit_scale"));
        var visual = weights.In("visual");
        classToken = Own(visual.Tensor("class_embedding", c.VisionWidth));
        imagePositions = Own(visual.Tensor("positional_embedding", c.Patches + 1, c.VisionWidth));
        imageProjection = Own(visual.TransposedMatrix("proj", c.VisionWidth, c.EmbeddingSize));
        patches = Own(new Conv2d(visual.In("conv1"), c.PatchSize, stride: c.PatchSize, hasBias: false));
        normBefore = Own(new LayerNorm(visual.In("ln_pre"), c.VisionWidth));
        visionBlocks = Blocks(visual, c.VisionLayers, c.VisionWidth, c.VisionHeads, causal: false);
        normAfter = Own(new LayerNorm(visual.In("ln_post"), c.VisionWidth));
        textBlocks = Blocks(weights, c.TextLayers, c.TextWidth, c.TextHeads, causal: true);
        tokenTable = Own(weights.Tensor("token_embedding.weight", c.VocabularySize, c.TextWidth));
        normText = Own(new LayerNorm(weights.In("ln_final"), c.TextWidth));
        Parameters = weights.Parameters;
    }

    /// <summary>Where it computes.</summary>
    public Device Device { get; }

    /// <summary>Its sizes.</summary>
    public ClipConfig Config { get; }

    /// <summary>Natural logarithm of the factor between cosine similarity and logits, learned in training.</summary>
    public Tensor LogitScale => logitScale;

    /// <summary>Its parameters in the checkpoint's order; empty unless it was loaded to be trained.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>Loads the model.</summary>
    /// <param name="device">Where to.</param>
    /// <param name="source">Weights under OpenAI's names.</param>
    /// <param name="textHeads">Heads of the text tower; null for width / 64.</param>
    /// <param name="form">How the weights are held.</param>
    /// <exception cref="WeightException">The weights are not a CLIP model's.</exception>
    public static ClipModel Load(Device device, IWeightSource source, int? textHeads = null, WeightForm form = WeightForm.Packed) =>
        WeightLoader.Load(device, source, ModelKind.Clip.Describe(), weights => new ClipModel(weights, textHeads), Ignored, form);

    /// <summary>Checks names and shapes without reading a weight.</summary>
    /// <exception cref="WeightException">The weights are not a CLIP model's.</exception>
    public static ClipConfig Check(Device device, IWeightSource source, int? textHeads = null) =>
        WeightLoader.Check(device, source, ModelKind.Clip.Describe(), weights => new ClipModel(weights, textHeads), model => model.Config, Ignored);

    /// <summary>Pictures [N, S, S, 3], normalised with CLIP's statistics -> embeddings [N, E].</summary>
    /// <exception cref="ShapeException">The pictures have another size.</exception>
    public Tensor EncodeImage(Tensor pictures)
    {
        using var span = Profiler.Enter("clip picture");
        var c = Config;
        if (pictures.Shape.Rank != 4 || pictures.Shape[1] != c.ImageSize || pictures.Shape[2] != c.ImageSize || pictures.Shape[3] != 3)
            throw new ShapeException("EncodeImage", $"pictures {pictures.Shape}, expected [N, {c.ImageSize}, {c.ImageSize}, 3]");
        using var scope = new TensorScope();
        var grid = Trace.Record("visual.conv1", patches.Forward(pictures));                          // [N, S/p, S/p, C]
        var x = grid.Reshape(grid.Shape[0], grid.Shape[1] * grid.Shape[2], c.VisionWidth);            // [N, P, C]
        x = x.Prepend(classToken.Reshape(1, c.VisionWidth)).Add(imagePositions);                      // [N, 1 + P, C]
        x = Trace.Record("visual.ln_pre", normBefore.Forward(x));
        foreach (var block in visionBlocks) x = x.Into(block.Forward);
        var first = x.SelectPositions(new int[x.Shape[0]]);                                           // [N, C]
        first = Trace.Record("visual.ln_post", normAfter.Forward(first));
        return scope.Keep(Trace.Record("visual", imageProjection.Multiply(first)));
    }

    /// <summary>Token ids, one row of ContextLength per text -> embeddings [N, E], taken at each row's largest id (the first of equals).</summary>
    /// <exception cref="ShapeException">A row has another length.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An id is outside the vocabulary.</exception>
    public Tensor EncodeText(IReadOnlyList<int[]> tokens)
    {
        using var span = Profiler.Enter("clip text");
        var c = Config;
        var ids = new int[tokens.Count * c.ContextLength];
        var places = new int[tokens.Count];
        for (var n = 0; n < tokens.Count; n++)
        {
            if (tokens[n].Length != c.ContextLength)
                throw new ShapeException("EncodeText", $"text {n} has {tokens[n].Length} token ids, expected {c.ContextLength}");
            tokens[n].CopyTo(ids, n * c.ContextLength);
            places[n] = Array.IndexOf(tokens[n], tokens[n].Max());
        }
        using var scope = new TensorScope();
        var x = Trace.Record("token_embedding", Device.From(ids, new Shape(tokens.Count, c.ContextLength)).Embedding(tokenTable)).Add(textPositions);   // [N, T, C]
        foreach (var block in textBlocks) x = x.Into(block.Forward);
        // Norms work row by row: only the rows that are used need one, unless all are to be recorded.
        var chosen = Trace.IsOn
            ? Trace.Record("ln_final", normText.Forward(x)).SelectPositions(places)
            : normText.Forward(x.SelectPositions(places));
        return scope.Keep(textProjection.Multiply(chosen));
    }

    // OpenAI's archive carries three integers beside the weights.
    private static bool Ignored(string name) => name is "input_resolution" or "context_length" or "vocab_size";

    private ClipBlock[] Blocks(WeightLoader weights, int count, int width, int heads, bool causal)
    {
        var blocks = new ClipBlock[count];
        for (var i = 0; i < count; i++) blocks[i] = Own(new ClipBlock(weights.In("transformer").In("resblocks").In($"{i}"), width, heads, causal));
        return blocks;
    }
}
