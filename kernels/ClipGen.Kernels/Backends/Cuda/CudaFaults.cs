using ILGPU;
using ILGPU.Runtime;

namespace ClipGen.Kernels;

/// <summary>What a kernel can find wrong in its data.</summary>
internal enum CudaFault
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>An index outside its table.</summary>
    Index,

    /// <summary>A target outside the classes.</summary>
    Target,

    /// <summary>A sequence that fills its cache.</summary>
    Length,

    /// <summary>A logit that is NaN or +∞.</summary>
    Logit,

    /// <summary>A row of logits that are all −∞.</summary>
    EmptyRow,
}

/// <summary>
/// Notes of kernels about wrong data: [kind, place, value, bound], written by the first that finds something. Looking at it after every launch would stop the stream; it is looked at when the
/// host waits anyway.
/// </summary>
internal sealed class CudaFaults : IDisposable
{
    private readonly AcceleratorStream stream;
    private readonly MemoryBuffer1D<int, Stride1D.Dense> note;
    private readonly int[] read = new int[4];

    public CudaFaults(Accelerator accelerator, AcceleratorStream stream)
    {
        this.stream = stream;
        note = accelerator.Allocate1D<int>(4);
        note.View.BaseView.MemSetToZero(stream);
    }

    /// <summary>Where kernels write.</summary>
    public ArrayView<int> Note => note.View.BaseView;

    /// <summary>In a kernel: notes a fault, if it is the first.</summary>
    public static void Write(ArrayView<int> note, CudaFault fault, int place, int value, int bound)
    {
        if (Atomic.CompareExchange(ref note[0], 0, (int)fault) != 0) return;
        note[1] = place;
        note[2] = value;
        note[3] = bound;
    }

    /// <summary>Throws what was noted since the last time.</summary>
    /// <exception cref="ArgumentException">A kernel found something wrong in its data.</exception>
    public void Throw()
    {
        note.View.BaseView.CopyToCPU(stream, read.AsSpan());
        stream.Synchronize();
        var (fault, place, value, bound) = ((CudaFault)read[0], read[1], read[2], read[3]);
        if (fault == CudaFault.None) return;
        note.View.BaseView.MemSetToZero(stream);
        throw fault switch
        {
            CudaFault.Index => new ArgumentOutOfRangeException("indices", $"Embedding: index {value} at {place} is outside the table of {bound} rows"),
            CudaFault.Target => new ArgumentOutOfRangeException(null, $"CrossEntropy: target {value} of row {place} is outside the {bound} classes"),
            CudaFault.Length => new ArgumentOutOfRangeException("lengths", $"AttentionDecode: sequence {place} has length {value}, the cache holds {bound} positions"),
            CudaFault.Logit => new ArgumentException($"Sampling: logit {value} of row {place} is {BitConverter.Int32BitsToSingle(bound)}; the model's weights or its input are broken"),
            _ => new ArgumentException($"Sampling: row {place} has no finite logit to choose"),
        };
    }

    /// <inheritdoc/>
    public void Dispose() => note.Dispose();
}
