using System.Runtime.InteropServices;

namespace ClipGen.Kernels;

/// <summary>
/// Host memory for large blocks, on 2 MiB pages where the system gives them: weights are read once per step in gigabytes, and with 4 KiB
/// pages every 64th cache line needs a new translation; loading also takes a page fault per page.
/// </summary>
internal static unsafe partial class LargePages
{
    private const nuint Page = 2 << 20;
    private const int CacheLine = 64;
    private const int AdviseHugePage = 14; // MADV_HUGEPAGE, linux/mman.h

    // From here on rounding up to whole large pages wastes at most a quarter.
    private const nuint Smallest = 4 * Page;

    /// <summary>Uninitialised memory, aligned to a cache line or, if large, to a large page. Free it with <see cref="NativeMemory.AlignedFree"/>.</summary>
    /// <exception cref="OutOfMemoryException">The system has no such amount.</exception>
    public static void* Allocate(nuint bytes)
    {
        if (bytes < Smallest) return NativeMemory.AlignedAlloc(bytes, CacheLine);
        var pointer = NativeMemory.AlignedAlloc(bytes, Page);
        // Advice: where it is refused, the memory is there all the same.
        if (OperatingSystem.IsLinux()) _ = Advise(pointer, bytes, AdviseHugePage);
        return pointer;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
