using ClipGen.Kernels;

namespace ClipGen.Tensors.Tests;

/// <summary>Base of the tests: a device of its own, and at the end the check that everything made on it was freed.</summary>
public abstract class TensorTest : IDisposable
{
    protected TensorTest(IBackend? backend = null) => Device = new Device(backend ?? new CpuBackend(2));

    /// <summary>The test's device.</summary>
    protected Device Device { get; }

    /// <summary>0, 1, 2 … in a shape.</summary>
    protected Tensor Counting(params int[] axes)
    {
        var shape = new Shape(axes);
        return Device.From([.. Enumerable.Range(0, checked((int)shape.Count)).Select(i => (float)i)], shape);
    }

    /// <summary>A call must be refused under the op's name, with these pieces in the message.</summary>
    protected static void Refused(string op, Func<Tensor> call, params string[] pieces)
    {
        var error = Assert.Throws<ShapeException>(call);
        Assert.StartsWith($"{op}: ", error.Message);
        foreach (var piece in pieces) Assert.Contains(piece, error.Message);
    }

    public void Dispose()
    {
        var left = Device.Memory;
        Device.Dispose();
        Assert.Equal((0, 0), (left.LiveBlocks, left.LiveBytes));
        GC.SuppressFinalize(this);
    }
}
