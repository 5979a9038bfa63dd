using System.Text;
using ClipGen.Models.VqGan;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models;

/// <summary>
/// Weights that a rule computes from names and places: no file is needed to test or time a model of full size, and every
/// implementation of the rule gets the same bits. Element i of a tensor is <c>a + b·u</c>, u in [−1, 1) from SplitMix64 of
/// fnv1a64(name) + i; a and b keep activations of deep networks near size one.
/// </summary>
/// <param name="name">What to call the model in messages.</param>
/// <param name="tensors">Its tensors, in state-dict order.</param>
public sealed class ComputedWeights(string name, IReadOnlyList<TensorShape> tensors) : IWeightSource
{
    private readonly Dictionary<string, long[]> shapes = tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.Shape.ToArray());

    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names => shapes.Keys;

    /// <inheritdoc/>
    public long[]? ShapeOf(string tensor) => shapes.GetValueOrDefault(tensor);

    /// <inheritdoc/>
    public void ReadFloats(string tensor, long first, Span<float> destination) => Fill(tensor, shapes[tensor], first, destination);

    /// <summary>Elements <paramref name="first"/>… of a tensor under the rule.</summary>
    public static void Fill(string name, ReadOnlySpan<long> shape, long first, Span<float> destination)
    {
        if (Fixed(name, shape, first, destination)) return;
        var (a, b) = Range(name, shape);
        var seed = Fnv1a64(name);
        for (var i = 0; i < destination.Length; i++)
            destination[i] = (float)(a + b * Uniform(seed + (ulong)(first + i)));
    }

    /// <summary>u in [−1, 1): the upper 24 bits of SplitMix64.</summary>
    private static double Uniform(ulong s)
    {
        var z = s + 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        var x = z ^ (z >> 31);
        return ((long)(x >> 40) - (1 << 23)) / (double)(1 << 23);
    }

    private static ulong Fnv1a64(string text)
    {
        var hash = 0xcbf29ce484222325;
        foreach (var octet in Encoding.UTF8.GetBytes(text)) hash = (hash ^ octet) * 0x100000001b3;
        return hash;
    }

    /// <summary>Tensors with given values.</summary>
    private static bool Fixed(string name, ReadOnlySpan<long> shape, long first, Span<float> destination)
    {
        if (name.EndsWith("num_batches_tracked", StringComparison.Ordinal))
        {
            destination.Clear();
            return true;
        }
        if (name.EndsWith(".mask", StringComparison.Ordinal))
        {
            for (var i = 0; i < destination.Length; i++) destination[i] = (first + i) % shape[1] > (first + i) / shape[1] ? 1 : 0;
            return true;
        }
        if (name == "logit_scale")
        {
            destination.Fill((float)Math.Log(1 / 0.07));
            return true;
        }
        if (name is "scaling_layer.shift" or "scaling_layer.scale")
        {
            float[] values = name.EndsWith("shift", StringComparison.Ordinal) ? [-.030f, -.088f, -.188f] : [.458f, .448f, .450f];
            for (var i = 0; i < destination.Length; i++) destination[i] = values[first + i];
            return true;
        }
        return false;
    }

    /// <summary>Offset and spread; the first rule that fits.</summary>
    private static (double A, double B) Range(string name, ReadOnlySpan<long> shape)
    {
        var elements = 1.0;
        foreach (var axis in shape) elements *= axis;
        var fanIn = shape.Length == 0 ? 1 : elements / shape[0];
        if (name.EndsWith("running_mean", StringComparison.Ordinal)) return (0, 0.02);
        if (name.EndsWith("running_var", StringComparison.Ordinal)) return (1, 0.1);
        if (name.StartsWith("lin", StringComparison.Ordinal)) return (0.5, 0.5);
        if (name == VqGanModel.CodebookName) return (0, 1);
        if (name is "token_embedding.weight" or "positional_embedding" or "visual.class_embedding" or "visual.positional_embedding" or "tok_emb.weight" or "pos_emb") return (0, 0.5);
        if (name == "cond_proj.weight") return (0, 1);
        if (name.StartsWith("net.slice", StringComparison.Ordinal) && shape.Length == 4) return (0, Math.Sqrt(6 / fanIn));
        if (shape.Length == 1 && name.EndsWith("weight", StringComparison.Ordinal)) return (1, 0.1);
        if (shape.Length == 1 && name.EndsWith("bias", StringComparison.Ordinal)) return (0, 0.02);
        if (name is "visual.proj" or "text_projection") return (0, Math.Sqrt(3.0 / shape[0]));
        return (0, Math.Sqrt(3 / fanIn));
    }
}

/// <summary>Name and shape of a tensor of a state dict, in PyTorch's layout.</summary>
/// <param name="Name">Dotted name.</param>
/// <param name="Shape">Axes.</param>
public readonly record struct TensorShape(string Name, IReadOnlyList<long> Shape);
