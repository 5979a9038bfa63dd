using ClipGen.Kernels;

namespace ClipGen.Tensors.Tests.Autograd;

/// <summary>Memory of recordings: held no longer than needed, and freed whatever happens.</summary>
public sealed class TapeMemoryTests : TensorTest
{
    private const int Width = 4096;
    private readonly ProbeBackend probe;

    public TapeMemoryTests() : this(new ProbeBackend())
    {
    }

    private TapeMemoryTests(ProbeBackend probe) : base(probe) => this.probe = probe;

    [Fact]
    public void ActivationsGoAsSoonAsTheirGradientsAreDone()
    {
        using var x = Random(1, 1, Width);
        x.RequiresGrad = true;
        using (var tape = new Tape())
        {
            Tensor h;
            using (var scope = new TensorScope())
            {
                h = x.Activate(Activation.Gelu);
                for (var i = 1; i < 20; i++) h = h.Into(y => y.Activate(Activation.Gelu));
                scope.Keep(h);
            }
            // The scope freed its tensors; the tape holds the inputs of all twenty.
            Assert.Equal(21 * 4L * Width, Device.Memory.LiveBytes);
            using (var upstream = Random(2, 1, Width))
            {
                probe.Calls.Clear();
                tape.Backward(h, upstream);
            }
            var live = probe.Calls.Where(call => call.Op == "ActivateBackward").Select(call => call.LiveBytes).ToArray();
            Assert.Equal(20, live.Length);
            // From rule to rule one activation less; only the first has no gradient of another rule to give back.
            for (var i = 2; i < live.Length; i++) Assert.Equal(live[i - 1] - 4 * Width, live[i]);
            h.Dispose();
        }
        // The parameter and its gradient.
        Assert.Equal(2 * 4L * Width, Device.Memory.LiveBytes);
    }

    [Fact]
    public void ATapeThatIsNeverUsedLetsGoOfAll()
    {
        using var x = Random(1, 1, Width);
        x.RequiresGrad = true;
        using (new Tape())
        using (new TensorScope()) x.Activate(Activation.Gelu).Multiply(x).Softmax();
        Assert.Equal(1, Device.Memory.LiveBlocks);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AFailureInAnyOpLeavesNothingBehind(bool recompute)
    {
        using var model = new SmallBlock(Device);
        Step(model, recompute);
        var calls = probe.Calls.Count;
        Assert.True(calls > 40, "the step is too small to say much");
        model.ClearGradients();
        var before = Device.Memory.LiveBlocks;
        for (var failing = 0; failing < calls; failing++)
        {
            probe.Calls.Clear();
            probe.FailsAt = failing;
            Assert.Throws<ProbeBackend.DeviceFailure>(() => Step(model, recompute));
            Assert.False(Tape.IsOn);
            model.ClearGradients();
            Assert.Equal(before, Device.Memory.LiveBlocks);
        }
        probe.Calls.Clear();
        probe.FailsAt = null;
        Step(model, recompute);
        Assert.Equal(calls, probe.Calls.Count);
    }

    private void Step(SmallBlock model, bool recompute)
    {
        using var scope = new TensorScope();
        using var tape = new Tape();
        var x = Random(3, 2, 3, SmallBlock.Width);
        var h = recompute ? Tape.Recompute(x, model.Forward) : model.Forward(x);
        var loss = h.CrossEntropy(Device.From([0, 1, 2, 3, 4, 5], new Shape(2, 3))).Mean();
        tape.Gradients(loss, [model.Gamma], retainGraph: true);
        tape.Backward(loss);
    }

    private Tensor Random(int seed, params int[] axes)
    {
        var shape = new Shape(axes);
        return Device.From(GradientInput.Uniform(seed, shape.Count, 1.5), shape);
    }
}
