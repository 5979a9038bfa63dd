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
    private readonly bool shapesOnly;

    /// <summary>Starts recording on this thread.</summary>
    /// <param name="shapesOnly">Record shapes and no values.</param>
    public Trace(bool shapesOnly = false)
    {
        this.shapesOnly = shapesOnly;
        outer = current;
        current = this;
    }

    /// <summary>True while activations are recorded.</summary>
    public static bool IsOn => current is not null;

    /// <summary>What was recorded, in order; a path that occurs again replaces the earlier value. Pictures are stored [N, C, H, W] as PyTorch does, everything else as it is. Empty where only shapes are recorded.</summary>
    public List<(string Path, Shape Shape, float[] Values)> Activations { get; } = [];

    /// <summary>Shapes of the inputs that modules were last entered with, by path.</summary>
    public Dictionary<string, Shape> Inputs { get; } = [];

    /// <summary>Shapes of what modules last made, by path, channels last: of all that record an activation, and of layers whose output has another shape than their input.</summary>
    public Dictionary<string, Shape> Outputs { get; } = [];

    /// <summary>Notes the output of a module and returns it.</summary>
    public static Tensor Output(string path, Tensor value)
    {
        if (current is not null) current.Outputs[path] = value.Shape;
        return value;
    }

    /// <summary>Notes the input of a module.</summary>
    public static void Input(string path, Tensor value)
    {
        if (current is not null) current.Inputs[path] = value.Shape;
    }

    /// <summary>Records an output under a module path and returns it.</summary>
    public static Tensor Record(string path, Tensor value)
    {
        if (current is null) return value;
        Output(path, value);
        if (current.shapesOnly) return value;
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
