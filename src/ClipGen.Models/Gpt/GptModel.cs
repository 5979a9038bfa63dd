using ClipGen.Kernels;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.Gpt;

/// <summary>
/// A GPT that writes a picture's codes one after another, conditioned on a CLIP embedding (CLIP-GEN, section 3.3).
/// Position 0 holds the projected embedding, position t the code t − 1; the output at position t tells code t.
/// </summary>
public sealed class GptModel : Module
{
    private readonly Tensor positions, codeTable;
    private readonly Linear condition, head;
    private readonly GptBlock[] blocks;
    private readonly LayerNorm norm;

    private GptModel(WeightLoader weights, int? heads) : base("")
    {
        Device = weights.Device;
        var c = Config = GptConfig.Infer(weights, heads);
        positions = Own(weights.Tensor("pos_emb", 1, c.BlockSize, c.Width));
        codeTable = Own(weights.Tensor("tok_emb.weight", c.Vocabulary, c.Width));
        condition = Own(new Linear(weights.In("cond_proj"), c.ConditionSize, c.Width));
        blocks = new GptBlock[c.Layers];
        for (var i = 0; i < blocks.Length; i++) blocks[i] = Own(new GptBlock(weights.In("blocks").In($"{i}"), c.Width, c.Heads));
        norm = Own(new LayerNorm(weights.In("norm"), c.Width));
        head = Own(new Linear(weights.In("head"), c.Width, c.Vocabulary));
        Parameters = weights.Parameters;
    }

    /// <summary>Where it computes.</summary>
    public Device Device { get; }

    /// <summary>Its sizes.</summary>
    public GptConfig Config { get; }

    /// <summary>Its parameters in the checkpoint's order; empty unless it was loaded to be trained.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>Loads the model.</summary>
    /// <param name="device">Where to.</param>
    /// <param name="source">Weights under the reference's names.</param>
    /// <param name="heads">Attention heads; null for width / 64.</param>
    /// <param name="form">How the weights are held.</param>
    /// <param name="type">How the numbers of its packed matrices are held. A step of decoding takes as long as they take to come from memory.</param>
    /// <exception cref="WeightException">The weights are not a GPT's.</exception>
    public static GptModel Load(Device device, IWeightSource source, int? heads = null, WeightForm form = WeightForm.Packed, PackedType type = PackedType.Float32) =>
        WeightLoader.Load(device, source, ModelKind.Gpt.Describe(), weights => new GptModel(weights, heads), Ignored, form, type);

    /// <summary>Checks names and shapes without reading a weight.</summary>
    /// <exception cref="WeightException">The weights are not a GPT's.</exception>
    public static GptConfig Check(Device device, IWeightSource source, int? heads = null) =>
        WeightLoader.Check(device, source, ModelKind.Gpt.Describe(), weights => new GptModel(weights, heads), model => model.Config, Ignored);

    /// <summary>All positions at once: codes int [N, L] and embeddings [N, E] -> logits [N, L + 1, V].</summary>
    /// <exception cref="ShapeException">The sequence is longer than the block.</exception>
    public Tensor Forward(Tensor codes, Tensor embeddings)
    {
        using var span = Profiler.Enter("gpt");
        using var scope = new TensorScope();
        var x = Embedded(codes, embeddings);
        foreach (var block in blocks) x = x.Into(block.Forward);
        x = Trace.Record("norm", norm.Forward(x));
        return scope.Keep(Trace.Record("head", head.Forward(x)));
    }

    /// <summary>
    /// The same for training: with dropout, and, where memory is short, with each block's activations computed again when its gradient is needed.
    /// </summary>
    /// <exception cref="ShapeException">The sequence is longer than the block.</exception>
    public Tensor ForwardTraining(Tensor codes, Tensor embeddings, GptDropout dropout, bool recompute = false)
    {
        using var span = Profiler.Enter("gpt");
        using var scope = new TensorScope();
        var x = Embedded(codes, embeddings).Dropout(dropout.Embedding);
        for (var i = 0; i < blocks.Length; i++)
        {
            var (block, layer) = (blocks[i], i);
            Tensor Step(Tensor input) => block.ForwardTraining(input, dropout, layer);
            x = recompute ? Tape.Recompute(x, Step) : Step(x);
        }
        return scope.Keep(head.Forward(norm.Forward(x)));
    }

    /// <summary>What one layer's positions attend to, for one sequence: the mean over the heads of softmax(q·k / √d), [T, T] with T = L + 1; computed on the host, for looking at.</summary>
    /// <param name="codes">int [1, L].</param>
    /// <param name="embeddings">[1, E].</param>
    /// <param name="layer">Number of the layer.</param>
    /// <exception cref="ShapeException">There is more than one sequence, or it is longer than the block.</exception>
    public float[] AttentionWeights(Tensor codes, Tensor embeddings, int layer)
    {
        if (codes.Shape[0] != 1 || embeddings.Shape[0] != 1) throw new ShapeException("Gpt", $"codes {codes.Shape} and embeddings {embeddings.Shape}; attention is looked at one sequence at a time");
        using var scope = new TensorScope();
        var x = Embedded(codes, embeddings);
        for (var i = 0; i < layer; i++) x = x.Into(blocks[i].Forward);
        return blocks[layer].AttentionWeights(x);
    }

    /// <summary>Starts cached decoding of a batch.</summary>
    /// <param name="embeddings">One row per sequence, [N, E].</param>
    public GptDecoder StartDecoding(Tensor embeddings) => new(this, embeddings);

    /// <summary>What goes into the first block: [N, L + 1, C].</summary>
    private Tensor Embedded(Tensor codes, Tensor embeddings)
    {
        var length = codes.Shape[1];
        if (length + 1 > Config.BlockSize)
            throw new ShapeException("Gpt", $"{length} codes and the condition do not fit the block of {Config.BlockSize} positions");
        var first = Trace.Record("cond_proj", condition.Forward(embeddings)).Reshape(embeddings.Shape[0], 1, Config.Width);
        var x = first;
        if (length > 0) x = Trace.Record("tok_emb", codes.Embedding(codeTable)).Prepend(first);
        return Trace.Record("drop", x.Add(FirstPositions(length + 1)));
    }

    internal Tensor Condition(Tensor embeddings) => condition.Forward(embeddings);

    internal Tensor EmbedCodes(Tensor codes) => codes.Embedding(codeTable);

    /// <summary>The learned vectors of positions: int [N] -> [N, C].</summary>
    internal Tensor Positions(Tensor indices)
    {
        using var table = positions.Reshape(Config.BlockSize, Config.Width);
        return indices.Embedding(table);
    }

    internal Tensor DecodeBlock(int index, Tensor x, Tensor keys, Tensor values, Tensor lengths) => blocks[index].Decode(x, keys, values, lengths);

    internal Tensor Logits(Tensor x) => head.Forward(norm.Forward(x));

    // The causal mask is stored once per block; here it is part of the attention kernel.
    private static bool Ignored(string name) => name.EndsWith(".mask", StringComparison.Ordinal);

    private Tensor FirstPositions(int count)
    {
        using var indices = Device.From(Enumerable.Range(0, count).ToArray(), new Shape(count));
        return Positions(indices);
    }
}
