using System.Diagnostics;

namespace ClipGen.Kernels;

/// <summary>Measures every op that passes: calls, time, flops, bytes.</summary>
public sealed class TimingBackend(IBackend inner) : WrappingBackend(inner)
{
    private readonly Dictionary<string, OpTime> times = [];

    /// <inheritdoc/>
    public override string Name => Inner.Name;

    /// <summary>Whether to wait for the device after each op, so that its time is its own. A card otherwise computes while the next is asked for.</summary>
    public bool WaitsForEach { get; set; }

    /// <summary>One line per op, the slowest first.</summary>
    public IReadOnlyList<OpTime> Times => [.. times.Values.OrderByDescending(time => time.Seconds)];

    /// <summary>Forgets what was measured.</summary>
    public void Reset() => times.Clear();

    /// <inheritdoc/>
    protected override void Around(OpWork work, Action<IBackend> call, params ReadOnlySpan<Written> outputs)
    {
        var start = Stopwatch.GetTimestamp();
        call(Inner);
        if (WaitsForEach) Inner.Synchronize();
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        var before = times.GetValueOrDefault(work.Op, new OpTime(work.Op, 0, 0, 0, 0));
        times[work.Op] = new OpTime(work.Op, before.Calls + 1, before.Seconds + seconds, before.Flops + work.Flops, before.Bytes + work.Bytes);
    }
}

/// <summary>What one op cost.</summary>
/// <param name="Op">Name of the op.</param>
/// <param name="Calls">How often it ran.</param>
/// <param name="Seconds">Wall time, all calls.</param>
/// <param name="Flops">Floating-point operations, all calls.</param>
/// <param name="Bytes">Least bytes moved, all calls.</param>
public readonly record struct OpTime(string Op, long Calls, double Seconds, double Flops, double Bytes);
