using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>
/// Reverse-mode differentiation. While a tape is current on its thread, every op with an input that needs a gradient writes down its rule and
/// what the rule will need; <see cref="Backward"/> runs the rules from the last to the first. Without a tape nothing is kept: inference costs nothing.
/// </summary>
/// <remarks>
/// <para>Ops are recorded in the order in which they ran, so the reverse of that order is a topological order: a loop, no recursion, any depth.</para>
/// <para>One rule of accumulation: a gradient kernel overwrites its output; the tape adds where a value was used more than once, in the order of the rules.</para>
/// <para>What a rule needs is held by the tape (memory counts its users, so scopes may free their tensors meanwhile) and let go as soon as the rule
/// has run; what is left goes when the tape is disposed.</para>
/// <code>
/// using var tape = new Tape();
/// var loss = model.Forward(x).Subtract(y).Absolute().Mean();
/// tape.Backward(loss);            // parameter.Gradient of every parameter with RequiresGrad
/// </code>
/// </remarks>
public sealed class Tape : IDisposable
{
    [ThreadStatic]
    private static Tape? current;

    private readonly Tape? outer;
    private readonly List<Node> nodes = [];
    private readonly BlockInputs? inputsOnly;
    private bool disposed;

    /// <summary>Starts recording on this thread.</summary>
    public Tape()
    {
        outer = current;
        current = this;
    }

    private Tape(BlockInputs inputsOnly) : this() => this.inputsOnly = inputsOnly;

    /// <summary>True while ops are recorded on this thread.</summary>
    public static bool IsOn => current is not null;

    /// <summary>Ops recorded and not yet let go.</summary>
    public int Count => nodes.Count;

    /// <summary>Checks every recorded output and every gradient for values that are not finite, and names the first op that makes one. Slow: for finding out, after a loss was NaN.</summary>
    public bool FindNonFinite { get; init; }

    /// <summary>Ends recording until the result is disposed: for what needs no gradient inside a part that does (<c>no_grad</c>).</summary>
    public static IDisposable Pause() => new Paused();

    /// <summary>
    /// Runs <paramref name="block"/> without keeping anything but its input, and runs it again when its gradient is needed: half as much again in time
    /// for the memory of all but one block.
    /// </summary>
    /// <param name="x">The block's input.</param>
    /// <param name="block">A function of its input, of parameters and of constants, which makes the same each time. What it makes on the way is freed here.</param>
    /// <exception cref="InvalidOperationException">The block uses another tensor that a recorded op made; its gradient would be lost.</exception>
    public static Tensor Recompute(Tensor x, Func<Tensor, Tensor> block)
    {
        using var scope = new TensorScope();
        if (current is not { } tape) return scope.Keep(block(x));
        var noted = new BlockInputs(x.Node);
        Tensor output;
        using (var notes = new Tape(noted) { FindNonFinite = tape.FindNonFinite })
        {
            output = scope.Keep(block(x));
            // The input itself, or what needs no gradient.
            if (output.Node?.Tape != notes) return output;
        }
        Tensor[] parameters = [.. noted.Parameters];
        tape.Write("Recompute", output, [x, .. parameters], [x], (upstream, saved, gradients) =>
        {
            using var rerun = new TensorScope();
            var again = TensorScope.Adopted(saved[0].Share());
            again.RequiresGrad = gradients.Needs(0);
            Tensor[] inputs = [again, .. parameters];
            int[] needed = [.. Enumerable.Range(0, inputs.Length).Where(gradients.Needs)];
            using var inner = new Tape { FindNonFinite = tape.FindNonFinite };
            var found = inner.Gradients(block(again), [.. needed.Select(index => inputs[index])], upstream);
            for (var i = 0; i < needed.Length; i++) gradients.Add(needed[i], found[i]);
        });
        return output;
    }

    /// <summary>Adds d<paramref name="loss"/>/d(leaf) to the <see cref="Tensor.Gradient"/> of every leaf with <see cref="Tensor.RequiresGrad"/> that the loss depends on.</summary>
    /// <param name="loss">Usually one number; with another shape, <paramref name="upstream"/> is required.</param>
    /// <param name="upstream">Gradient of what follows with respect to <paramref name="loss"/>; null for 1.</param>
    /// <param name="retainGraph">Keep what the rules need, for another pass over the same recording.</param>
    /// <exception cref="InvalidOperationException">The loss does not depend on anything that needs a gradient, or this tape did not record it, or its recording was used up by an earlier pass.</exception>
    public void Backward(Tensor loss, Tensor? upstream = null, bool retainGraph = false) => Run(loss, upstream, null, retainGraph);

    /// <summary>Gradients with respect to chosen tensors alone; nothing is added to any <see cref="Tensor.Gradient"/>, and only the ops between them and the loss are run.</summary>
    /// <param name="loss">As for <see cref="Backward"/>.</param>
    /// <param name="of">Leaves or results of recorded ops.</param>
    /// <param name="upstream">As for <see cref="Backward"/>.</param>
    /// <param name="retainGraph">As for <see cref="Backward"/>.</param>
    /// <returns>One tensor each, zeros where the loss does not depend on it.</returns>
    /// <exception cref="InvalidOperationException">As for <see cref="Backward"/>; or one of the tensors needs no gradient.</exception>
    public Tensor[] Gradients(Tensor loss, IReadOnlyList<Tensor> of, Tensor? upstream = null, bool retainGraph = false)
    {
        var targets = of.Select(tensor => tensor.Node ?? throw new InvalidOperationException($"no gradient with respect to {tensor}: it neither needs one nor was made by a recorded op")).ToArray();
        return Run(loss, upstream, targets, retainGraph);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        if (current == this) current = Running(outer);
        foreach (var node in nodes) node.Release();
        nodes.Clear();
    }

    /// <summary>Whether an op on these inputs must be recorded.</summary>
    internal static bool Wants(Tensor? a, Tensor? b = null, Tensor? c = null, Tensor? d = null) =>
        current is not null && (a?.Node is not null || b?.Node is not null || c?.Node is not null || d?.Node is not null);

    /// <summary>Records an op; call it only when <see cref="Wants"/> said so.</summary>
    /// <param name="op">Name for messages.</param>
    /// <param name="output">What the op made.</param>
    /// <param name="inputs">What gradients may be asked for, in the order of the rule's indices.</param>
    /// <param name="saved">What the rule needs of the forward pass; held until it has run.</param>
    /// <param name="rule">Computes the inputs' gradients from the output's.</param>
    internal static void Record(string op, Tensor output, ReadOnlySpan<Tensor?> inputs, ReadOnlySpan<Tensor> saved, GradientRule rule) => current!.Write(op, output, inputs, saved, rule);

    private void Write(string op, Tensor output, ReadOnlySpan<Tensor?> inputs, ReadOnlySpan<Tensor> saved, GradientRule rule)
    {
        if (FindNonFinite) RequireFinite(output, $"{op} gave");
        var edges = new Node?[inputs.Length];
        for (var i = 0; i < edges.Length; i++) edges[i] = inputs[i]?.Node;
        if (inputsOnly is not null)
        {
            inputsOnly.Note(this, op, edges);
            output.Node = new Node(this, op, output.Device, output.Shape, [], [], rule);
            return;
        }
        var held = new Tensor[saved.Length];
        for (var i = 0; i < held.Length; i++) held[i] = saved[i].Share();
        var node = new Node(this, op, output.Device, output.Shape, edges, held, rule);
        nodes.Add(node);
        output.Node = node;
    }

    /// <summary>One pass: to the leaves and with no result, or to the targets and with one gradient each.</summary>
    private Tensor[] Run(Tensor loss, Tensor? upstream, Node[]? targets, bool retainGraph)
    {
        if (upstream is null && loss.Count != 1) throw new InvalidOperationException($"the gradient of {loss} needs an upstream gradient of its shape; only a single number goes without");
        if (upstream is not null && upstream.Shape != loss.Shape) throw new InvalidOperationException($"upstream gradient {upstream.Shape} for {loss.Shape}");
        if (loss.Node is not { } last) throw new InvalidOperationException($"{loss} does not depend on anything that needs a gradient, or was made while no tape was recording");
        if (FindNonFinite && upstream is not null) RequireFinite(upstream, "the upstream gradient has");
        // Every gradient that is not yet used lies here and in no scope, so that whatever happens it is freed below.
        var found = new Dictionary<Node, Tensor>(ReferenceEqualityComparer.Instance);
        var wanted = targets is null ? null : Between(targets);
        // The rules below are not recorded themselves: second derivatives are not offered.
        using var pause = Pause();
        using var span = Profiler.Enter("backward");
        try
        {
            Accumulate(found, last, upstream is null ? Ones(loss) : upstream.Share());
            for (var i = nodes.Count - 1; i >= 0; i--)
            {
                var node = nodes[i];
                if (found.TryGetValue(node, out var gradient) && Array.Exists(node.Inputs, Wanted))
                {
                    using var scope = new TensorScope();
                    using var place = node.Place is { Length: > 0 } name ? Profiler.Enter(name) : default;
                    node.Rule(gradient, node.Saved, new GradientSink(node, Take, Wanted));
                    if (targets is null || !targets.Contains(node))
                    {
                        found.Remove(node);
                        gradient.Dispose();
                    }

                    void Take(Node input, Tensor part)
                    {
                        if (FindNonFinite) RequireFinite(part, $"the gradient of {node.Op} gave");
                        Accumulate(found, input, part);
                    }
                }
                if (!retainGraph) node.Release();
            }
            if (!retainGraph) nodes.Clear();
            if (targets is not null) return [.. targets.Select(target => found.TryGetValue(target, out var gradient) ? TensorScope.Adopted(gradient.Share()) : target.Device.Zeros(target.Shape))];
            foreach (var (node, gradient) in found.ToArray())
            {
                if (FindNonFinite) RequireFinite(gradient, "the sum of a leaf's gradients is");
                node.Leaf!.AddGradient(gradient);
                found.Remove(node);
            }
            return [];
        }
        finally
        {
            foreach (var gradient in found.Values) gradient.Dispose();
        }

        bool Wanted(Node? input) => input is not null && (wanted is null || wanted.Contains(input));
    }

    /// <summary>The targets and every op that depends on one of them.</summary>
    private HashSet<Node> Between(Node[] targets)
    {
        var wanted = new HashSet<Node>(targets, ReferenceEqualityComparer.Instance);
        foreach (var node in nodes)
            foreach (var input in node.Inputs)
                if (input is not null && wanted.Contains(input)) wanted.Add(node);
        return wanted;
    }

    /// <summary>Adds a gradient to what was found for a node; its memory is the dictionary's from now on.</summary>
    private void Accumulate(Dictionary<Node, Tensor> found, Node node, Tensor part)
    {
        if (node.Leaf is null && (node.Tape != this || node.IsUsedUp))
        {
            part.Dispose();
            throw new InvalidOperationException(node.IsUsedUp
                ? $"the recording of {node.Op} {node.Shape} was used up by an earlier Backward; pass retainGraph there"
                : $"{node.Op} {node.Shape} was recorded by another tape, to which this one's gradients do not go; give it to this tape with StopGradient");
        }
        if (!found.TryGetValue(node, out var sum))
        {
            found.Add(node, TensorScope.Detach(part));
            return;
        }
        // In place only where nobody else reads the same memory.
        if (sum.IsExclusive) sum.Device.Backend.AddScaled(part.Floats, 1, sum.Floats);
        else if (part.IsExclusive)
        {
            sum.Device.Backend.AddScaled(sum.Floats, 1, part.Floats);
            found[node] = TensorScope.Detach(part);
            part = sum;
        }
        else
        {
            found[node] = TensorScope.Detach(sum.Add(part));
            sum.Dispose();
        }
        part.Dispose();
    }

    private static Tensor Ones(Tensor like)
    {
        var ones = like.Device.Empty(like.Shape);
        like.Device.Backend.Fill(1, ones.Floats);
        return ones;
    }

    private static void RequireFinite(Tensor values, string what)
    {
        if (values.Type != DType.Float32) return;
        var numbers = values.ToFloats();
        var bad = Array.FindIndex(numbers, value => !float.IsFinite(value));
        if (bad >= 0) throw new NonFiniteException(FormattableString.Invariant($"{what} {numbers[bad]} at element {bad} of {values.Shape}"));
    }

    /// <summary>The innermost tape, from a given one outwards, that was not disposed.</summary>
    private static Tape? Running(Tape? tape)
    {
        while (tape is { disposed: true }) tape = tape.outer;
        return tape;
    }

    private sealed class Paused : IDisposable
    {
        private readonly Tape? before = current;

        public Paused() => current = null;

        public void Dispose() => current = Running(before);
    }

    /// <summary>What a block that will be computed again takes gradients from: its input, and the parameters that it was seen to use.</summary>
    private sealed class BlockInputs(Node? input)
    {
        private readonly HashSet<Node> seen = new(ReferenceEqualityComparer.Instance);

        public List<Tensor> Parameters { get; } = [];

        public void Note(Tape tape, string op, Node?[] edges)
        {
            foreach (var node in edges)
            {
                if (node is null || node == input || node.Tape == tape) continue;
                if (node.Leaf is not { } leaf) throw new InvalidOperationException($"Recompute: {op} uses the result {node.Shape} of {node.Op}, which is not the block's input, so its gradient would be lost; make it the input, or StopGradient it");
                if (seen.Add(node)) Parameters.Add(leaf);
            }
        }
    }
}

/// <summary>A value is not finite; the message names the op that made it.</summary>
public sealed class NonFiniteException(string message) : Exception(message);
