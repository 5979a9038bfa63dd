namespace ClipGen.Kernels;

/// <summary>
/// Plain loops with double accumulators: the specification of every op, the oracle of the other backends' tests, and the text to read first.
/// Its parts lie in the ops' folders (<c>&lt;Op&gt;.Reference.cs</c>). Never offered to users.
/// </summary>
public sealed partial class ReferenceBackend : HostBackend, IBackend
{
    /// <inheritdoc/>
    public override string Name => "reference";
}
