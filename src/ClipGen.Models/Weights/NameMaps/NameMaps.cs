namespace ClipGen.Models;

/// <summary>The name maps there are.</summary>
internal static class NameMaps
{
    private static readonly INameMap[] All = [new HuggingFaceClip(), new TamingVqGan()];

    /// <summary>The map of these names, or null where they are not another project's.</summary>
    public static INameMap? Of(IReadOnlyCollection<string> names) => Array.Find(All, map => map.Recognises(names));
}
