namespace ClipGen.Tensors;

/// <summary>
/// Owner of the tensors made while it is the innermost scope of its thread: frees them all when it ends, except those handed out
/// with <see cref="Keep"/>. <c>using var scope = new TensorScope(); … return scope.Keep(y);</c>
/// </summary>
public sealed class TensorScope : IDisposable
{
    [ThreadStatic]
    private static TensorScope? current;

    private readonly TensorScope? outer;
    private readonly HashSet<Tensor> tensors = new(ReferenceEqualityComparer.Instance);
    private bool disposed;

    /// <summary>Opens a scope inside the current one.</summary>
    public TensorScope()
    {
        outer = current;
        current = this;
    }

    /// <summary>Tensors it would free now.</summary>
    public int Count => tensors.Count;

    /// <summary>Hands a tensor to the enclosing scope, or to the caller when there is none.</summary>
    public Tensor Keep(Tensor tensor)
    {
        if (tensors.Remove(tensor))
        {
            tensor.Owner = outer;
            outer?.tensors.Add(tensor);
        }
        return tensor;
    }

    /// <summary>Takes a tensor out of all scopes: its holder frees it (parameters, caches).</summary>
    public static Tensor Detach(Tensor tensor)
    {
        tensor.Owner?.Forget(tensor);
        tensor.Owner = null;
        return tensor;
    }

    /// <summary>Frees what it still owns.</summary>
    /// <exception cref="InvalidOperationException">An inner scope is still open.</exception>
    public void Dispose()
    {
        if (disposed) return;
        if (current != this) throw new InvalidOperationException("scopes end in the reverse order of their begin, on the thread that opened them");
        disposed = true;
        current = outer;
        foreach (var tensor in tensors)
        {
            tensor.Owner = null;
            tensor.Dispose();
        }
        tensors.Clear();
    }

    internal static void Adopt(Tensor tensor)
    {
        if (current is null) return;
        tensor.Owner = current;
        current.tensors.Add(tensor);
    }

    /// <summary>Puts a tensor that belongs to no scope into the current one.</summary>
    internal static Tensor Adopted(Tensor tensor)
    {
        Detach(tensor);
        Adopt(tensor);
        return tensor;
    }

    internal void Forget(Tensor tensor) => tensors.Remove(tensor);
}
