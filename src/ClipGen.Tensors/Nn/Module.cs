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

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var part in owned) part.Dispose();
        owned.Clear();
        GC.SuppressFinalize(this);
    }
}
