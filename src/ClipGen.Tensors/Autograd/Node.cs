using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>Computes the gradients of an op's inputs from that of its output.</summary>
/// <param name="upstream">Gradient of the output.</param>
/// <param name="saved">What was saved when the op was recorded.</param>
/// <param name="gradients">Takes the results.</param>
internal delegate void GradientRule(Tensor upstream, Tensor[] saved, GradientSink gradients);

/// <summary>One recorded op, or a leaf: a tensor whose gradient is kept.</summary>
internal sealed class Node(Tape? tape, string op, Device device, Shape shape, Node?[] inputs, Tensor[] saved, GradientRule rule)
{
    private Tensor[]? saved = saved;

    /// <summary>The module that the op belongs to, while a profiler is at work.</summary>
    public string? Place { get; } = Profiler.Place;

    /// <summary>The tape that recorded it; null for a leaf.</summary>
    public Tape? Tape => tape;

    public string Op => op;

    public Device Device => device;

    public Shape Shape => shape;

    public Node?[] Inputs => inputs;

    public GradientRule Rule => rule;

    /// <summary>The tensor that keeps the gradient, for a leaf.</summary>
    public Tensor? Leaf { get; private init; }

    /// <summary>True once what the rule needs was let go.</summary>
    public bool IsUsedUp => saved is null;

    /// <summary>What the rule needs.</summary>
    public Tensor[] Saved => saved ?? throw new InvalidOperationException($"{op}: what its gradient needs was let go");

    public static Node OfLeaf(Tensor leaf) => new(null, "leaf", leaf.Device, leaf.Shape, [], [], (_, _, _) => { }) { Leaf = leaf };

    public void Release()
    {
        if (saved is null) return;
        foreach (var tensor in saved) tensor.Dispose();
        saved = null;
    }
}

/// <summary>Where a rule puts its results.</summary>
internal readonly struct GradientSink(Node node, Action<Node, Tensor> accumulate, Func<Node, bool> wanted)
{
    /// <summary>Whether the gradient of input <paramref name="index"/> is asked for; a rule skips what is not.</summary>
    public bool Needs(int index) => node.Inputs[index] is { } input && wanted(input);

    /// <summary>Hands over a gradient, whose memory is the tape's from now on. It has the input's number of elements.</summary>
    public void Add(int index, Tensor gradient)
    {
        if (!Needs(index))
        {
            gradient.Dispose();
            return;
        }
        var input = node.Inputs[index]!;
        if (gradient.Count != input.Shape.Count) throw new InvalidOperationException($"{node.Op}: gradient {gradient.Shape} for input {index} of shape {input.Shape}");
        if (gradient.Shape != input.Shape)
        {
            var shaped = gradient.Reshape(input.Shape);
            gradient.Dispose();
            gradient = shaped;
        }
        accumulate(input, gradient);
    }

    /// <summary>Hands over the upstream gradient itself, for ops whose derivative is 1.</summary>
    public void Pass(int index, Tensor upstream)
    {
        if (Needs(index)) Add(index, upstream.Share());
    }

    /// <summary>A tensor of an input's shape for a kernel to write into.</summary>
    public Tensor Empty(int index) => node.Device.Empty(node.Inputs[index]!.Shape);
}
