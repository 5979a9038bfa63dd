using System.Runtime.InteropServices;
using System.Text.Unicode;

namespace ClipGen.Kernels;

/// <summary>
/// Named ranges on the timelines of NVIDIA's tools (NVTX, the NVIDIA Tools Extension): what a profile enters is entered there too, so that Nsight Systems shows modules and ops above the kernels. The functions are those of
/// <c>nvToolsExt.h</c>, <c>nvtxRangePushA</c> and <c>nvtxRangePop</c>; outside such a tool they do nothing.
/// </summary>
public sealed unsafe class NvtxRanges
{
    // CUDA 12.9 and later; before it. Versions behind the ending where the plain name is not installed.
    private static readonly string[] Libraries = ["libnvtx3interop.so", "libnvtx3interop.so.1", "libnvToolsExt.so", "libnvToolsExt.so.1", "nvtx3interop.dll", "nvToolsExt64_1.dll"];

    private readonly delegate* unmanaged<byte*, int> push;
    private readonly delegate* unmanaged<int> pop;

    /// <summary>Ranges through a library's functions.</summary>
    /// <param name="push">Opens a range on the calling thread, with a name that ends with a zero.</param>
    /// <param name="pop">Closes the thread's innermost one.</param>
    internal NvtxRanges(delegate* unmanaged<byte*, int> push, delegate* unmanaged<int> pop)
    {
        this.push = push;
        this.pop = pop;
    }

    /// <summary>The library of this machine, looked for where the system and <c>CUDA_HOME</c> keep libraries; null where there is none.</summary>
    public static NvtxRanges? Installed { get; } = Load(Environment.GetEnvironmentVariable("CUDA_HOME"));

    /// <summary>Opens a range.</summary>
    public void Push(string name)
    {
        // Names are short; a longer one loses its end.
        const int most = 256;
        var bytes = stackalloc byte[most];
        _ = Utf8.FromUtf16(name, new Span<byte>(bytes, most - 1), out _, out var used);
        bytes[used] = 0;
        _ = push(bytes);
    }

    /// <summary>Closes the innermost range.</summary>
    public void Pop() => _ = pop();

    private static NvtxRanges? Load(string? toolkit)
    {
        foreach (var folder in (string?[])[null, toolkit is null ? null : Path.Combine(toolkit, "lib64"), "/usr/local/cuda/lib64"])
            foreach (var name in Libraries)
            {
                if (!NativeLibrary.TryLoad(folder is null ? name : Path.Combine(folder, name), out var library)) continue;
                if (NativeLibrary.TryGetExport(library, "nvtxRangePushA", out var push) && NativeLibrary.TryGetExport(library, "nvtxRangePop", out var pop))
                    return new NvtxRanges((delegate* unmanaged<byte*, int>)push, (delegate* unmanaged<int>)pop);
                NativeLibrary.Free(library);
            }
        return null;
    }
}
