using ClipGen.Kernels;
using ClipGen.Models.VqGan;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models;

/// <summary>
/// Weights of a new model, as PyTorch's layers draw them: uniform within 1/sqrt(fan-in) for linear layers, convolutions and their biases, Xavier for the packed
/// attention projection, ones and zeros for norms; and as CLIP and the VQ-GAN's codebook set theirs. Every number is a function of (seed, tensor's name, place).
/// </summary>
/// <param name="kind">The model.</param>
/// <param name="tensors">Its state dict.</param>
/// <param name="seed">Seed of the random numbers.</param>
/// <param name="options">Sizes that no tensor's shape tells.</param>
public sealed class InitialWeights(ModelKind kind, IReadOnlyList<TensorShape> tensors, ulong seed, IReadOnlyDictionary<string, int>? options = null) : IWeightSource
{
    // Purposes of random numbers are 32 bits: this one says "initial weights".
    private const uint Purpose = 0x1417 << 16;
    /// <summary>
    /// Factor on the filters of convolutions. 1 is PyTorch's, which makes signals smaller from layer to layer; √6 keeps their size through convolutions and rectifiers
    /// (He et al. 2015, "Delving deep into rectifiers", equation 10).
    /// </summary>
    public double FilterGain { get; init; } = 1;

    private readonly Dictionary<string, long[]> shapes = tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.Shape.ToArray());
    private readonly Dictionary<string, uint> numbers = tensors.Select((tensor, index) => (tensor.Name, Index: (uint)index)).ToDictionary(pair => pair.Name, pair => pair.Index);

    /// <inheritdoc/>
    public string Name => "initial weights";

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names => shapes.Keys;

    /// <inheritdoc/>
    public long[]? ShapeOf(string name) => shapes.GetValueOrDefault(name);

    /// <inheritdoc/>
    public int? Option(string name) => options is not null && options.TryGetValue(name, out var value) ? value : null;

    /// <inheritdoc/>
    public void ReadFloats(string name, long first, Span<float> destination)
    {
        var rule = RuleOf(name, shapes[name]);
        var key = new RandomKey(seed, Purpose, numbers[name]);
        for (var i = 0; i < destination.Length; i++)
            destination[i] = rule.Kind switch
            {
                Distribution.Constant => (float)rule.Value,
                Distribution.Uniform => (float)(rule.Value * (2.0 * Philox.Uniform(key, first + i) - 1)),
                _ => (float)(rule.Value * Philox.Normal(key, first + i)),
            };
    }

    private (Distribution Kind, double Value) RuleOf(string name, long[] shape)
    {
        bool Ends(string end) => name.EndsWith(end, StringComparison.Ordinal);
        var fanIn = shape.Length < 2 ? 1.0 : shape[1..].Aggregate(1.0, (product, axis) => product * axis);
        if (Ends("running_mean") || Ends("num_batches_tracked")) return (Distribution.Constant, 0);
        if (Ends("running_var")) return (Distribution.Constant, 1);
        if (name == "logit_scale") return (Distribution.Constant, Math.Log(1 / 0.07));
        if (name == VqGanModel.CodebookName) return (Distribution.Uniform, 1.0 / shape[0]);
        if (name == "pos_emb") return (Distribution.Constant, 0);
        if (name == "tok_emb.weight") return (Distribution.Normal, 1);
        if (kind == ModelKind.Clip && Clip(name, shape) is { } clip) return clip;
        if (Ends("in_proj_weight")) return (Distribution.Uniform, Math.Sqrt(6.0 / (shape[0] + shape[1])));
        if (Ends("in_proj_bias") || Ends("out_proj.bias")) return (Distribution.Constant, 0);
        if (shape.Length >= 2) return (Distribution.Uniform, (shape.Length == 4 ? FilterGain : 1) / Math.Sqrt(fanIn));
        // One axis: a bias follows its weight's fan-in, a norm's weight is one and its bias zero.
        var weight = Ends(".bias") ? shapes.GetValueOrDefault($"{name[..^5]}.weight") : null;
        if (weight is { Length: >= 2 }) return (Distribution.Uniform, 1 / Math.Sqrt(weight[1..].Aggregate(1.0, (product, axis) => product * axis)));
        return (Distribution.Constant, Ends(".bias") ? 0 : 1);
    }

    /// <summary>What CLIP sets on its own (Radford et al. 2021, their code's <c>initialize_parameters</c>): embeddings, projections and the text tower's matrices.</summary>
    private (Distribution, double)? Clip(string name, long[] shape)
    {
        if (name == "token_embedding.weight") return (Distribution.Normal, 0.02);
        if (name == "positional_embedding") return (Distribution.Normal, 0.01);
        if (name is "visual.class_embedding" or "visual.positional_embedding") return (Distribution.Normal, 1 / Math.Sqrt(shape[^1]));
        if (name is "visual.proj" or "text_projection") return (Distribution.Normal, 1 / Math.Sqrt(shape[0]));
        if (!name.StartsWith("transformer.", StringComparison.Ordinal) || shape.Length != 2) return null;
        var layers = shapes.Keys.Count(other => other.StartsWith("transformer.", StringComparison.Ordinal) && other.EndsWith("in_proj_weight", StringComparison.Ordinal));
        var width = shapes["ln_final.weight"][0];
        var projection = 1 / Math.Sqrt(width) / Math.Sqrt(2.0 * layers);
        if (name.EndsWith("in_proj_weight", StringComparison.Ordinal)) return (Distribution.Normal, 1 / Math.Sqrt(width));
        return name.EndsWith("c_fc.weight", StringComparison.Ordinal) ? (Distribution.Normal, 1 / Math.Sqrt(2.0 * width)) : (Distribution.Normal, projection);
    }

    private enum Distribution
    {
        Constant,
        Uniform,
        Normal,
    }
}
