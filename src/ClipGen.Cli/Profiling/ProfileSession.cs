using ClipGen.Kernels;
using ClipGen.Tensors;

namespace ClipGen.Cli.Profiling;

/// <summary>What <c>profile</c> and the command that it runs share: the profiler, and the devices that the command opened.</summary>
internal sealed class ProfileSession : IDisposable
{
    private static readonly AsyncLocal<ProfileSession?> ambient = new();
    private readonly IDisposable work;

    /// <summary>Profiles what this flow of control does until disposed.</summary>
    public ProfileSession()
    {
        ambient.Value = this;
        work = Profiler.Start();
    }

    /// <summary>What was recorded.</summary>
    public Profiler Profiler { get; } = new(ranges: NvtxRanges.Installed);

    /// <summary>The device that the command opened; null when it needed none.</summary>
    public ProfiledDevice? Device { get; private set; }

    /// <summary>Largest number of bytes in use on the device at once.</summary>
    public long PeakBytes => Device?.Peak() ?? 0;

    /// <summary>A device as commands open it: one that records, where a profile is being made.</summary>
    public static Device Open(Device device, int threads)
    {
        if (ambient.Value is not { } session) return device;
        var profiling = new ProfilingBackend(device.Backend, session.Profiler.Ranges);
        session.Device = new ProfiledDevice(device.Name, (device.Backend as CpuBackend)?.Simd, threads > 0 ? threads : Environment.ProcessorCount, () => profiling.Memory.PeakBytes);
        return new Device(profiling);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        work.Dispose();
        if (ambient.Value == this) ambient.Value = null;
    }
}

/// <summary>A device that a profiled command opened.</summary>
/// <param name="Name">As <c>--device</c> has it.</param>
/// <param name="Simd">Instruction set of the CPU's kernels.</param>
/// <param name="Threads">Threads of the host that compute.</param>
/// <param name="Peak">Reads the largest number of bytes in use.</param>
internal sealed record ProfiledDevice(string Name, SimdLevel? Simd, int Threads, Func<long> Peak)
{
    /// <summary>Measures what the device can do at most; null where that says nothing, as for emulated kernels.</summary>
    public ProfilePeaks? MeasurePeaks()
    {
        if (Simd is { } level)
        {
            var cpu = MachinePeaks.Measure(Threads, level);
            return new ProfilePeaks(cpu.Flops, cpu.ReadBytes);
        }
        if (!Name.StartsWith("cuda:", StringComparison.Ordinal) && Name != "cuda") return null;
        using var card = CudaBackend.Open(Name == "cuda" ? 0 : int.Parse(Name.AsSpan(5), System.Globalization.CultureInfo.InvariantCulture));
        var peaks = card.MeasurePeaks();
        return new ProfilePeaks(peaks.Flops, peaks.ReadBytes);
    }
}

/// <summary>The roofs of a device, measured.</summary>
/// <param name="Flops">Multiply-adds, counted as two, per second.</param>
/// <param name="ReadBytes">Bytes per second from memory.</param>
internal sealed record ProfilePeaks(double Flops, double ReadBytes)
{
    /// <summary>The least time for so much work.</summary>
    public double Floor(double flops, double bytes) => Math.Max(flops / Flops, bytes / ReadBytes);
}
