using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>
/// A step that is taken again and again on the same tensors, such as the next position of a sequence. On a device where asking for an op costs time, it is recorded when it is taken for the second time (the
/// first loads kernels), and from then on asked for as a whole. So it must do the same every time: what changes from step to step stands in tensors.
/// </summary>
/// <param name="device">Where it computes.</param>
/// <param name="step">The step; it neither reads from the device nor writes to it but by ops and <see cref="IDeviceAllocator.Copy"/>.</param>
public sealed class RepeatedStep(Device device, Func<Tensor> step) : IDisposable
{
    private IRecordedWork? recorded;
    private Tensor? output;
    private int taken;

    /// <summary>Takes the step.</summary>
    /// <returns>Its result, which is freed, or overwritten, by the next.</returns>
    public Tensor Run()
    {
        if (taken == 1) recorded = device.Backend.Record(Take);
        if (recorded is null) Take();
        else recorded.Run();
        taken++;
        return output!;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        recorded?.Dispose();
        output?.Dispose();
    }

    private void Take()
    {
        output?.Dispose();
        output = null;
        using var scope = new TensorScope();
        output = TensorScope.Detach(step());
    }
}
