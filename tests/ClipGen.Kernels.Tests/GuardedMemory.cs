using System.Runtime.InteropServices;

namespace ClipGen.Kernels.Tests;

/// <summary>A few floats that end where an unreadable page begins: touching one byte behind them ends the process.</summary>
internal sealed unsafe partial class GuardedMemory : IDisposable
{
    private readonly int pageSize = Environment.SystemPageSize;
    private readonly byte* pages;

    public GuardedMemory()
    {
        if (!OperatingSystem.IsLinux()) throw new PlatformNotSupportedException("guard pages are set up through Linux's mmap");
        // PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS.
        pages = (byte*)Map(0, (nuint)(2 * pageSize), 3, 0x22, -1, 0);
        if (pages == (byte*)-1 || Protect((nint)pages + pageSize, (nuint)pageSize, 0) != 0)
            throw new InvalidOperationException("cannot set up a guard page");
    }

    /// <summary>The last <paramref name="count"/> floats before the guard.</summary>
    public float* Last(int count) => (float*)(pages + pageSize) - count;

    public void Dispose() => _ = Unmap((nint)pages, (nuint)(2 * pageSize));

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);
}
