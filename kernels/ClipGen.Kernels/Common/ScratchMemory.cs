using System.Runtime.InteropServices;

namespace ClipGen.Kernels;

/// <summary>Working memory of kernels: one block per thread and purpose, grown on demand and kept for the next call, so that ops called thousands of times a second allocate nothing.</summary>
internal sealed unsafe class ScratchMemory : IDisposable
{
    private readonly ThreadLocal<Block> blocks = new(() => new Block(), trackAllValues: true);

    /// <summary>At least <paramref name="floats"/> floats, 64-byte aligned, with undefined contents; valid until this thread asks again.</summary>
    public float* Floats(long floats)
    {
        var block = blocks.Value!;
        block.Grow(checked(floats * sizeof(float)));
        return (float*)block.Pointer;
    }

    public void Dispose()
    {
        foreach (var block in blocks.Values) block.Free();
        blocks.Dispose();
    }

    private sealed class Block
    {
        private long size;

        public nint Pointer { get; private set; }

        public void Grow(long bytes)
        {
            if (bytes <= size) return;
            Free();
            Pointer = (nint)LargePages.Allocate((nuint)bytes);
            size = bytes;
        }

        public void Free()
        {
            NativeMemory.AlignedFree((void*)Pointer);
            (Pointer, size) = (0, 0);
        }
    }
}
