using System.Runtime.InteropServices;
using System.Runtime.Loader;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace ClipGen.Kernels;

/// <summary>A card.</summary>
/// <param name="Index">Number: <c>cuda:N</c>.</param>
/// <param name="Name">The driver's name for it.</param>
/// <param name="Capability">Compute capability times ten: 90 for Hopper; 0 where ILGPU does not know it.</param>
/// <param name="MemoryBytes">Its memory.</param>
/// <param name="Multiprocessors">Its streaming multiprocessors.</param>
/// <param name="Driver">Version of CUDA that the driver brings.</param>
public sealed record CudaDeviceInfo(int Index, string Name, int Capability, long MemoryBytes, int Multiprocessors, string Driver);

/// <summary>No card that can be used; the message says why and what to do.</summary>
public sealed class CudaDeviceException(string message) : Exception(message);

/// <summary>The CUDA cards of this machine.</summary>
public static class CudaDevices
{
    private static readonly Lazy<(IReadOnlyList<CudaDeviceInfo> Cards, string? Reason)> Survey = new(Look);

    // ILGPU asks for libcuda.so, a link that comes with the toolkit; a machine that only has the driver has libcuda.so.1.
    static CudaDevices() => AssemblyLoadContext.Default.ResolvingUnmanagedDll += static (_, name) => OperatingSystem.IsLinux() && name == "cuda" && NativeLibrary.TryLoad("libcuda.so.1", out var driver) ? driver : 0;

    /// <summary>The cards; none on a machine without a driver.</summary>
    public static IReadOnlyList<CudaDeviceInfo> Find() => Survey.Value.Cards;

    /// <summary>Why there is none; null where there are cards.</summary>
    public static string? Absence => Survey.Value.Reason;

    /// <summary>A card that the kernels can run on.</summary>
    /// <exception cref="CudaDeviceException">There is none of that number, or it is too old.</exception>
    public static CudaDeviceInfo Require(int index)
    {
        var (cards, reason) = Survey.Value;
        if (cards.Count == 0) throw new CudaDeviceException($"no CUDA device: {reason}; use --device cpu");
        if (index < 0 || index >= cards.Count) throw new CudaDeviceException($"no CUDA device {index}; there are {string.Join(", ", cards.Select(card => $"cuda:{card.Index} ({card.Name})"))}");
        var card = cards[index];
        if (card.Capability is > 0 and < CudaBackend.LeastCapability)
            throw new CudaDeviceException($"{card.Name} has compute capability {card.Capability / 10}.{card.Capability % 10}, the kernels need {CudaBackend.LeastCapability / 10}.{CudaBackend.LeastCapability % 10} (Ampere) or later; use --device cpu");
        return card;
    }

    /// <summary>The first card that the kernels can run on; null where there is none, which is told at once.</summary>
    public static CudaDeviceInfo? First => Find().FirstOrDefault(card => card.Capability is 0 or >= CudaBackend.LeastCapability);

    private static (IReadOnlyList<CudaDeviceInfo>, string?) Look()
    {
        // The driver itself first: ILGPU takes a while to begin, and every command asks.
        if (!NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1", out _)) return ([], "no NVIDIA driver is installed");
        if (CudaDriver.Begin(0) != 0 || CudaDriver.CountDevices(out var count) != 0 || count == 0) return ([], "the driver lists none");
        try
        {
            using var context = Context.Create(builder => builder.Cuda());
            var cards = new List<CudaDeviceInfo>();
            foreach (var device in context.GetCudaDevices())
            {
                var capability = device.Architecture is { } architecture ? architecture.Major * 10 + architecture.Minor : 0;
                cards.Add(new CudaDeviceInfo(cards.Count, device.Name, capability, device.MemorySize, device.NumMultiprocessors, $"{device.DriverVersion}"));
            }
            return (cards, cards.Count > 0 ? null : $"ILGPU knows none of the {count} that the driver lists");
        }
        catch (Exception e) when (e is DllNotFoundException or CudaException or TypeInitializationException or NotSupportedException or EntryPointNotFoundException)
        {
            return ([], e is DllNotFoundException or TypeInitializationException ? "no NVIDIA driver is installed" : e.Message);
        }
    }
}
