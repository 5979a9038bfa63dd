using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace ClipGen.Kernels;

/// <summary>
/// The way from the host to a card. Small uploads go through page-locked memory of the driver's: the card fetches them when their turn in the stream comes, and the host need not wait until then. It is filled
/// from front to back; when it is full, the stream is waited for once. Large ones take long enough for a wait not to matter, and so does everything in emulation.
/// </summary>
internal sealed unsafe class CudaStaging(Accelerator accelerator, AcceleratorStream stream) : IDisposable
{
    /// <summary>Longest upload that goes through it.</summary>
    public const int Longest = 256 << 10;

    private const int Size = 4 << 20;
    private const int Alignment = 64;

    // Weights are loaded by several threads.
    private readonly Lock gate = new();
    private nint memory;
    private int used;

    /// <summary>Copies bytes, which may change or go as soon as this returns.</summary>
    public void Upload(ReadOnlySpan<byte> source, ArrayView<byte> destination)
    {
        if (stream is not CudaStream card)
        {
            destination.CopyFromCPU(stream, source);
            return;
        }
        using var binding = accelerator.BindScoped();
        var to = destination.LoadEffectiveAddressAsPtr();
        if (source.Length > Longest)
        {
            fixed (byte* from = source)
            {
                CudaDriver.Require(CudaDriver.CopyToDevice(to, (nint)from, (nuint)source.Length, card.StreamPtr), "cuMemcpyHtoDAsync");
                stream.Synchronize();
            }
            return;
        }
        lock (gate)
        {
            // Whole pages of its own: an array locked in its place would lock its neighbours on the first and last page with it.
            if (memory == 0) CudaDriver.Require(CudaDriver.AllocateHost(out memory, Size, 0), "cuMemHostAlloc");
            if (used + source.Length > Size)
            {
                stream.Synchronize();
                used = 0;
            }
            source.CopyTo(new Span<byte>((void*)(memory + used), source.Length));
            CudaDriver.Require(CudaDriver.CopyToDevice(to, memory + used, (nuint)source.Length, card.StreamPtr), "cuMemcpyHtoDAsync");
            used += (source.Length + Alignment - 1) / Alignment * Alignment;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (memory == 0) return;
        using var binding = accelerator.BindScoped();
        _ = CudaDriver.FreeHost(memory);
        memory = 0;
    }
}
