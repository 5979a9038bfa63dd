namespace ClipGen.Kernels;

/// <summary>
/// What a call must at least do: the figure that benchmarks, profile lines and notes share.
/// </summary>
/// <param name="Op">Name of the op, as its folder is called.</param>
/// <param name="Flops">Floating-point operations (a multiply-add counts as two).</param>
/// <param name="Bytes">Least bytes moved to and from memory: every input read once, every output written once.</param>
public readonly record struct OpWork(string Op, double Flops, double Bytes);
