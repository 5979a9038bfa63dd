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
    private bool disposed;

    /// <summary>Starts recording on this thread.</summary>
    public Tape()
    {
        outer = current;
        current = this;
    }

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
    /// for the memory of all but one block. The block must be a function of its input and of parameters alone.
    /// </summary>
    public static Tensor Recompute(Tensor x, Func<Tensor, Tensor> block)
    {
        if (current is not { } tape) return block(x);
        Tensor output;
        using (Pause()) output = block(x);
        tape.Write("Recompute", output, [x], [x], (upstream, saved, gradients) =>
        {
            using var scope = new TensorScope();
            var again = saved[0].Share();
            again.RequiresGrad = true;
            using var inner = new Tape { FindNonFinite = tape.FindNonFinite };
            inner.Backward(block(again), upstream);
            if (again.TakeGradient() is { } gradient) gradients.Add(0, gradient);
            again.Dispose();
        });
        return output;
    }

    /// <summary>Adds d<paramref name="loss"/>/d(leaf) to the <see cref="Tensor.Gradient"/> of every leaf with <see cref="Tensor.RequiresGrad"/> that the loss depends on.</summary>
    /// <param name="loss">Usually one number; with another shape, <paramref name="upstream"/> is required.</param>
    /// <param name="upstream">Gradient of what follows with respect to <paramref name="loss"/>; null for 1.</param>
    /// <param name="retainGraph">Keep what the rules need, for another pass over the same recording.</param>
    /// <exception cref="InvalidOperationException">The loss does not depend on anything that needs a gradient.</exception>
    public void Backward(Tensor loss, Tensor? upstream = null, bool retainGraph = false) => Run(loss, upstream, null, retainGraph);

    /// <summary>Gradients with respect to chosen tensors alone; nothing is added to any <see cref="Tensor.Gradient"/>, and only the ops between them and the loss are run.</summary>
    /// <returns>One tensor each, zeros where the loss does not depend on it.</returns>
    public Tensor[] Gradients(Tensor loss, IReadOnlyList<Tensor> of, bool retainGraph = false)
    {
        var targets = of.Select(tensor => tensor.GradientNode ?? throw new InvalidOperationException($"no gradient with respect to {tensor}: it neither needs one nor was made by a recorded op")).ToArray();
        var found = Run(loss, null, targets, retainGraph);
        var results = new Tensor[targets.Length];
        for (var i = 0; i < results.Length; i++)
            results[i] = found.Remove(targets[i], out var gradient) ? TensorScope.Adopted(gradient) : of[i].Device.Zeros(of[i].Shape);
        return results;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        if (current == this) current = outer;
        foreach (var node in nodes) node.Release();
        nodes.Clear();
    }

    /// <summary>Whether an op on these inputs must be recorded.</summary>
    internal static bool Wants(Tensor? a, Tensor? b = null, Tensor? c = null, Tensor? d = null) =>
        current is not null && (a?.GradientNode is not null || b?.GradientNode is not null || c?.GradientNode is not null || d?.GradientNode is not null);

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
        for (var i = 0; i < edges.Length; i++) edges[i] = inputs[i]?.GradientNode;
        var held = new Tensor[saved.Length];
        for (var i = 0; i < held.Length; i++) held[i] = saved[i].Share();
        var node = new Node(op, output.Device, output.Shape, edges, held, rule);
        nodes.Add(node);
        output.Node = node;
    }

    private Dictionary<Node, Tensor> Run(Tensor loss, Tensor? upstream, Node[]? targets, bool retainGraph)
    {
        if (upstream is null && loss.Count != 1) throw new InvalidOperationException($"the gradient of {loss} needs an upstream gradient of its shape; only a single number goes without");
        if (upstream is not null && upstream.Shape != loss.Shape) throw new InvalidOperationException($"upstream gradient {upstream.Shape} for {loss.Shape}");
        if (loss.GradientNode is null) throw new InvalidOperationException($"{loss} does not depend on anything that needs a gradient, or was made while no tape was recording");
        var found = new Dictionary<Node, Tensor>(ReferenceEqualityComparer.Instance);
        var wanted = targets is null ? null : Between(targets);
        // The rules below are not recorded themselves: second derivatives are not offered.
        using var pause = Pause();
        try
        {
            Accumulate(found, loss.GradientNode, upstream is null ? Ones(loss) : upstream.Share());
            for (var i = nodes.Count - 1; i >= 0; i--)
            {
                var node = nodes[i];
                if ((wanted is null || wanted.Contains(node)) && found.TryGetValue(node, out var gradient))
                {
                    if (targets is null || !targets.Contains(node)) found.Remove(node);
                    if (FindNonFinite) RequireFinite(gradient, $"the gradient behind {node.Op} is");
                    using var scope = new TensorScope();
                    var sink = new GradientSink(node, (input, part) => Accumulate(found, input, part), input => wanted is null || wanted.Contains(input));
                    node.Rule(gradient, node.Saved, sink);
                    if (!found.ContainsKey(node)) gradient.Dispose();
                }
                if (!retainGraph) node.Release();
            }
            if (!retainGraph) nodes.Clear();
            if (targets is not null) return found;
            foreach (var (node, gradient) in found)
            {
                if (FindNonFinite) RequireFinite(gradient, "a parameter's gradient is");
                node.Leaf?.AddGradient(gradient);
            }
            found.Clear();
            return found;
        }
        catch
        {
            foreach (var (_, gradient) in found) gradient.Dispose();
            throw;
        }
        finally
        {
            // Gradients that nobody asked for (of leaves beside the path).
            if (targets is not null)
                foreach (var (node, gradient) in found.Where(pair => !targets.Contains(pair.Key)).ToArray())
                {
                    found.Remove(node);
                    gradient.Dispose();
                }
        }
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

    private static void Accumulate(Dictionary<Node, Tensor> found, Node node, Tensor part)
    {
        TensorScope.Detach(part);
        if (!found.TryGetValue(node, out var sum))
        {
            found.Add(node, part);
            return;
        }
        // In place only where nobody else reads the same memory.
        if (sum.IsExclusive) sum.Device.Backend.AddScaled(part.Floats, 1, sum.Floats);
        else if (part.IsExclusive)
        {
            sum.Device.Backend.AddScaled(sum.Floats, 1, part.Floats);
            found[node] = part;
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
        var bad = Array.FindIndex(values.ToFloats(), value => !float.IsFinite(value));
        if (bad >= 0) throw new NonFiniteException($"{what} {values.ToFloats()[bad]} at element {bad} of {values.Shape}");
    }

    private sealed class Paused : IDisposable
    {
        private readonly Tape? before = current;

        public Paused() => current = null;

        public void Dispose() => current = before;
    }
}

/// <summary>A value is not finite; the message names the op that made it.</summary>
public sealed class NonFiniteException(string message) : Exception(message);
