using ILGPU;
using ILGPU.Runtime;

namespace ClipGen.Kernels;

/// <summary>
/// Page-locked memory of the host through which small uploads go: the card fetches them when their turn in the stream comes, and the host need not wait until then. It is filled from front to back;
/// when it is full, the stream is waited for once.
/// </summary>
internal sealed class CudaStaging(Accelerator accelerator, AcceleratorStream stream) : IDisposable
{
    /// <summary>Longest upload that goes through it; a longer one takes long enough for a wait not to matter.</summary>
    public const int Longest = 256 << 10;

    private const int Size = 4 << 20;
    private const int Alignment = 64;

    // Weights are loaded by several threads.
    private readonly Lock gate = new();
    private PageLockedArray1D<byte>? memory;
    private int used;

    /// <summary>Copies bytes, which may change or go as soon as this returns.</summary>
    public void Upload(ReadOnlySpan<byte> source, ArrayView<byte> destination)
    {
        lock (gate)
        {
            memory ??= accelerator.AllocatePageLocked1D<byte>(Size, true);
            if (used + source.Length > Size)
            {
                stream.Synchronize();
                used = 0;
            }
            source.CopyTo(memory.Span[used..]);
            destination.CopyFrom(stream, memory.ArrayView.SubView(used, source.Length));
            used += (source.Length + Alignment - 1) / Alignment * Alignment;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => memory?.Dispose();
}
