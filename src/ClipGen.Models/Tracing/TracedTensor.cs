namespace ClipGen.Models.Tracing;

/// <summary>A tensor of a trace, in PyTorch's layout.</summary>
/// <param name="Name">Module path, or <c>out</c>.</param>
/// <param name="Shape">Axes: pictures are [N, C, H, W], sequences [N, T, C].</param>
/// <param name="Values">Row-major elements: float[] or, for code indices, long[].</param>
public sealed record TracedTensor(string Name, IReadOnlyList<long> Shape, Array Values);
