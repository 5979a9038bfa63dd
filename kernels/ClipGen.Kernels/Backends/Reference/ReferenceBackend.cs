namespace ClipGen.Kernels;

/// <summary>
/// Plain loops with double accumulators: the specification of every op, the oracle of the other backends' tests, and the text to read first.
/// Its parts lie in the ops' folders (<c>&lt;Op&gt;.Reference.cs</c>). Never offered to users.
/// </summary>
/// <param name="doubles">Store every real number as a double: for gradient checks by finite differences, whose differences need the digits.</param>
public sealed unsafe partial class ReferenceBackend(bool doubles = false) : HostBackend(doubles), IBackend
{
    /// <inheritdoc/>
    public override string Name => "reference";

    /// <summary>The elements as doubles, unrounded where they are stored so.</summary>
    public double[] ReadDoubles(View<float> view)
    {
        var values = new double[view.Length];
        var source = Real(view);
        for (var i = 0; i < values.Length; i++) values[i] = source[i];
        return values;
    }

    /// <summary>Stores doubles, unrounded where memory is of doubles.</summary>
    public void WriteDoubles(ReadOnlySpan<double> values, View<float> view)
    {
        var destination = Real(view);
        for (var i = 0; i < values.Length; i++) destination[i] = values[i];
    }

    private static Reals Real(View<float> view) => view.Memory is null ? default : new Reals(ElementAddress(view), IsWide(view));
}
