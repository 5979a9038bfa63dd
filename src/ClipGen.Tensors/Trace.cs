namespace ClipGen.Tensors;

/// <summary>
/// Records what modules compute, under their paths. Off by default; while one is current on the thread, modules that would fuse
/// steps run them one by one, so that every named activation exists.
/// </summary>
public sealed class Trace : IDisposable
{
    [ThreadStatic]
    private static Trace? current;

    private readonly Trace? outer;

    /// <summary>Starts recording on this thread.</summary>
    public Trace()
    {
        outer = current;
        current = this;
    }

    /// <summary>True while activations are recorded.</summary>
    public static bool IsOn => current is not null;

    /// <summary>What was recorded, in order; a path that occurs again replaces the earlier value. Pictures are stored [N, C, H, W] as PyTorch does, everything else as it is.</summary>
    public List<(string Path, Shape Shape, float[] Values)> Activations { get; } = [];

    /// <summary>Records an output under a module path and returns it.</summary>
    public static Tensor Record(string path, Tensor value)
    {
        if (current is null) return value;
        Tensor? picture = null;
        if (value.Shape.Rank == 4) picture = value.ToChannelsFirst();
        var stored = picture ?? value;
        current.Activations.RemoveAll(a => a.Path == path);
        current.Activations.Add((path, stored.Shape, stored.ToFloats()));
        picture?.Dispose();
        return value;
    }

    /// <summary>Ends the recording; what was recorded stays readable.</summary>
    public void Dispose()
    {
        if (current == this) current = outer;
    }
}
