using ClipGen.Kernels;

namespace ClipGen.Tensors.Tests.Autograd;

/// <summary>A backend that looks on: notes the ops and the live bytes at each call, and fails at one if asked to.</summary>
internal sealed class ProbeBackend() : WrappingBackend(new CpuBackend(1))
{
    public override string Name => "probe";

    /// <summary>Every call so far: its op and the bytes that were live.</summary>
    public List<(string Op, long LiveBytes)> Calls { get; } = [];

    /// <summary>Number of the call, from 0, that throws instead.</summary>
    public int? FailsAt { get; set; }

    protected override void Around(OpWork work, Action<IBackend> call, params ReadOnlySpan<Written> outputs)
    {
        if (Calls.Count == FailsAt) throw new DeviceFailure();
        Calls.Add((work.Op, Memory.LiveBytes));
        call(Inner);
    }

    /// <summary>What a failing call throws.</summary>
    public sealed class DeviceFailure() : Exception("the device failed");
}
