namespace ClipGen.Tensors.Nn;

/// <summary>What a model asked for, held against what the weights have.</summary>
internal sealed class WeightSurvey(IWeightSource source, string what)
{
    // Enough names to see the pattern; a wrong file can have hundreds.
    private const int NamesShown = 6;
    private readonly HashSet<string> asked = [];
    private readonly List<string> missing = [], misshapen = [];

    /// <summary>Notes a request.</summary>
    public void Ask(string name, ReadOnlySpan<int> shape)
    {
        if (!asked.Add(name)) return;
        var found = source.ShapeOf(name);
        if (found is null) missing.Add(name);
        else if (!Fits(found, shape)) misshapen.Add($"{name} has {Print(found)}, expected {Print(shape)}");
    }

    /// <exception cref="WeightException">Something does not fit; one line with all of it.</exception>
    public void ThrowIfUnfit(Func<string, bool> ignore)
    {
        var unexpected = source.Names.Where(name => !asked.Contains(name) && !ignore(name)).ToList();
        List<string> parts = [];
        if (missing.Count > 0) parts.Add($"{missing.Count} missing: {List(missing)}");
        if (misshapen.Count > 0) parts.Add($"{misshapen.Count} of another shape: {List(misshapen)}");
        if (unexpected.Count > 0) parts.Add($"{unexpected.Count} unexpected: {List(unexpected)}");
        if (parts.Count > 0)
            throw new WeightException($"{source.Name}: its tensors are not those of {what}: {string.Join("; ", parts)}");
    }

    /// <summary>Equal axes, where an unknown size fits any.</summary>
    public static bool Fits(ReadOnlySpan<long> found, ReadOnlySpan<int> expected)
    {
        if (found.Length != expected.Length) return false;
        for (var i = 0; i < found.Length; i++)
            if (expected[i] != WeightLoader.AnySize && found[i] != expected[i]) return false;
        return true;
    }

    public static string Print(ReadOnlySpan<long> shape) => $"[{string.Join(", ", shape.ToArray())}]";

    public static string Print(ReadOnlySpan<int> shape) => $"[{string.Join(", ", shape.ToArray().Select(axis => axis == WeightLoader.AnySize ? "?" : axis.ToString()))}]";

    private static string List(List<string> names) =>
        string.Join(", ", names.Take(NamesShown)) + (names.Count > NamesShown ? $" and {names.Count - NamesShown} more" : "");
}
