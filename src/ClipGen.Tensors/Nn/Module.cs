using ClipGen.Kernels;

namespace ClipGen.Tensors.Nn;

/// <summary>A part of a model with weights of its own or with children; frees them all.</summary>
public abstract class Module(string path) : IDisposable
{
    private readonly List<IDisposable> owned = [];

    /// <summary>Dotted path inside the model, as the checkpoint's names have it.</summary>
    public string Path { get; } = path;

    /// <summary>Registers a weight or child to be freed with this module.</summary>
    protected T Own<T>(T part) where T : IDisposable
    {
        owned.Add(part);
        return part;
    }

    /// <summary>Modules that are part of this one, in the order in which they were made.</summary>
    public IEnumerable<Module> Parts => owned.OfType<Module>();

    /// <summary>To be said in the first line of a forward pass, with its input: what follows, until the result is disposed, is this module's in profiles and traces.</summary>
    protected ProfileSpan Entered(Tensor input)
    {
        Trace.Input(Path, input);
        return Profiler.Enter(Path);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var part in owned) part.Dispose();
        owned.Clear();
        GC.SuppressFinalize(this);
    }
}
