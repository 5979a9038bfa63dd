using ClipGen.Kernels;

namespace ClipGen.Tensors.Tests.Autograd;

/// <summary>What is recorded, how gradients add up, which passes are refused.</summary>
public sealed class TapeTests : TensorTest
{
    [Fact]
    public void AValueThatIsUsedOftenGathersAllGradients()
    {
        using var scope = new TensorScope();
        using var tape = new Tape();
        var x = Leaf(2, 3);
        // d(x + x + x)/dx = 3, and of x · x · x: 3 x².
        tape.Backward(x.Add(x).Add(x), Ones(2, 3));
        Assert.Equal([3, 3, 3, 3, 3, 3], x.Gradient!.ToFloats());
        x.ClearGradient();
        tape.Backward(x.Multiply(x).Multiply(x), Ones(2, 3));
        Assert.Equal([0, 3, 12, 27, 48, 75], x.Gradient!.ToFloats());
    }

    [Fact]
    public void ResidualChainsMultiply()
    {
        using var scope = new TensorScope();
        using var tape = new Tape();
        var x = Leaf(2, 2);
        var h = x;
        // h + 2h = 3h, ten times; in between the same values under another shape.
        for (var i = 0; i < 10; i++) h = h.Add(h.Reshape(4).Affine(2, 0).Reshape(2, 2));
        tape.Backward(h, Ones(2, 2));
        Assert.Equal([59049, 59049, 59049, 59049], x.Gradient!.ToFloats());
    }

    [Fact]
    public void SharedGradientMemoryIsNeverWrittenTo()
    {
        using var scope = new TensorScope();
        using var tape = new Tape();
        Tensor a = Leaf(2, 2), b = Leaf(2, 2), upstream = Counting(2, 2), h = a.Reshape(4).Add(b.Reshape(4)).Reshape(2, 2);
        // The upstream gradient itself arrives at a and b, through aliases all the way; a has a second one coming.
        var y = h.Add(a);
        for (var pass = 1; pass <= 3; pass++)
        {
            tape.Backward(y, upstream, retainGraph: true);
            Assert.Equal([0, 1, 2, 3], upstream.ToFloats());
            Assert.Equal(upstream.ToFloats().Select(g => 2 * pass * g), a.Gradient!.ToFloats());
            Assert.Equal(upstream.ToFloats().Select(g => pass * g), b.Gradient!.ToFloats());
        }
    }

    [Fact]
    public void TwoRetainedPassesGiveTheSameBits()
    {
        using var scope = new TensorScope();
        using var tape = new Tape();
        Tensor x = Leaf(3, 4), w = Leaf(5, 4);
        var loss = x.MatMulTransposed(w).Softmax().Multiply(Counting(5)).Mean();
        tape.Backward(loss, retainGraph: true);
        var (first, recorded) = (w.Gradient!.ToFloats(), tape.Count);
        w.ClearGradient();
        tape.Backward(loss, retainGraph: true);
        Assert.Equal(first, w.Gradient!.ToFloats());
        Assert.Equal(recorded, tape.Count);
        w.ClearGradient();
        tape.Backward(loss);
        Assert.Equal(first, w.Gradient!.ToFloats());
        Assert.Equal(0, tape.Count);
    }

    [Fact]
    public void ARecordingServesOnce()
    {
        using var scope = new TensorScope();
        using var tape = new Tape();
        var x = Leaf(3);
        var h = x.Activate(Activation.Gelu);
        var loss = h.Mean();
        tape.Backward(loss);
        Refuses("the recording of MeanRows [] was used up by an earlier Backward; pass retainGraph there", () => tape.Backward(loss));
        // What is built on a used-up part is as little use.
        Refuses("the recording of Activate [3] was used up", () => tape.Backward(h.Affine(2, 0).Mean()));
        Assert.Equal(1, x.Gradient!.ToFloats().Count(g => Math.Abs(g - 1 / 6f) <= 1e-7f));   // gelu'(0) / 3, once
    }

    [Fact]
    public void GradientsOfChosenTensorsTouchNoLeafAndRunOnlyWhatLiesBetween()
    {
        using var timing = new TimingBackend(new CpuBackend(1));
        using var device = new Device(timing);
        using var scope = new TensorScope();
        Tensor x = device.From([1f, 2], new Shape(2)), w = device.From([3f, 4], new Shape(2));
        (x.RequiresGrad, w.RequiresGrad) = (true, true);
        using var tape = new Tape();
        var h = x.Activate(Activation.Relu);
        var y = h.Multiply(w);
        var loss = y.Absolute().Mean();
        var unrelated = x.Affine(5, 0);

        timing.Reset();
        var found = tape.Gradients(loss, [w, h, w, unrelated], retainGraph: true);
        Assert.Equal([[0.5f, 1], [1.5f, 2], [0.5f, 1], [0, 0]], found.Select(g => g.ToFloats()));
        Assert.Equal((null, null), (x.Gradient, w.Gradient));
        Assert.DoesNotContain(timing.Times, time => time.Op == "ActivateBackward");
        Assert.Single(timing.Times, time => time is { Op: "AbsoluteBackward", Calls: 1 });

        // With respect to y neither product is needed.
        timing.Reset();
        Assert.Equal([0.5f, 0.5f], tape.Gradients(loss, [y], retainGraph: true)[0].ToFloats());
        Assert.DoesNotContain(timing.Times, time => time.Op == "Multiply");

        tape.Backward(loss);
        Assert.Equal([1.5f, 2], x.Gradient!.ToFloats());
        Assert.Equal([0.5f, 1], w.Gradient!.ToFloats());
    }

    [Fact]
    public void GradientsNeedSomethingThatWasRecorded()
    {
        using var scope = new TensorScope();
        using var tape = new Tape();
        var loss = Leaf(3).Mean();
        Refuses("no gradient with respect to Float32 [3] on cpu", () => tape.Gradients(loss, [Counting(3)]));
        Assert.Equal(2, tape.Count);
    }

    [Fact]
    public void ALossMustDependOnSomething()
    {
        using var scope = new TensorScope();
        using var tape = new Tape();
        var x = Leaf(3);
        Refuses("does not depend on anything that needs a gradient", () => tape.Backward(Counting(3).Mean()));
        using (Tape.Pause()) Refuses("does not depend on anything that needs a gradient", () => tape.Backward(x.Mean()));
        Refuses("needs an upstream gradient of its shape", () => tape.Backward(x.Affine(2, 0)));
        Refuses("upstream gradient [2] for [3]", () => tape.Backward(x.Affine(2, 0), Counting(2)));
        Assert.Null(x.Gradient);
    }

    [Fact]
    public void ALossOfAnotherTapeIsRefused()
    {
        using var scope = new TensorScope();
        using var outer = new Tape();
        var x = Leaf(3);
        var h = x.Affine(2, 0);
        using (var inner = new Tape())
        {
            Refuses("Affine [3] was recorded by another tape", () => inner.Backward(h, Ones(3)));
            // Nor does a gradient get lost between two tapes.
            Refuses("Affine [3] was recorded by another tape", () => inner.Backward(h.Mean()));
            inner.Backward(h.StopGradient().Multiply(x).Mean().Affine(3, 0));
            Assert.Equal([0, 2, 4], x.Gradient!.ToFloats());
        }
        outer.Backward(h, Ones(3));
        Assert.Equal([2, 4, 6], x.Gradient!.ToFloats());
    }

    [Fact]
    public void NothingIsRecordedWithoutNeed()
    {
        using var scope = new TensorScope();
        var x = Leaf(3);
        Assert.False(Tape.IsOn);
        Assert.False(x.Affine(2, 0).RequiresGrad);
        using var tape = new Tape();
        Assert.True(Tape.IsOn);
        Assert.False(Counting(3).Affine(2, 0).RequiresGrad);
        Assert.Equal(0, tape.Count);
        using (Tape.Pause())
        {
            Assert.False(Tape.IsOn);
            Assert.False(x.Affine(2, 0).RequiresGrad);
            using (new Tape()) Assert.True(x.Affine(2, 0).RequiresGrad);
            Assert.False(Tape.IsOn);
        }
        Assert.True(x.Affine(2, 0).RequiresGrad);
        Assert.Equal(1, tape.Count);
        x.RequiresGrad = false;
        Assert.False(x.Affine(2, 0).RequiresGrad);
        Assert.Equal(1, tape.Count);
    }

    [Fact]
    public void ATapeThatEndsEarlyIsSkipped()
    {
        using var scope = new TensorScope();
        var outer = new Tape();
        var inner = new Tape();
        outer.Dispose();
        Assert.True(Tape.IsOn);
        inner.Dispose();
        Assert.False(Tape.IsOn);
        var paused = new Tape();
        var pause = Tape.Pause();
        paused.Dispose();
        pause.Dispose();
        Assert.False(Tape.IsOn);
    }

    [Fact]
    public void EachThreadHasItsOwn()
    {
        using var scope = new TensorScope();
        using var tape = new Tape();
        using var x = TensorScope.Detach(Leaf(3));
        (bool On, bool Recorded) seen = (true, true);
        var thread = new Thread(() =>
        {
            using var inside = new TensorScope();
            seen = (Tape.IsOn, x.Affine(2, 0).RequiresGrad);
        });
        thread.Start();
        thread.Join();
        Assert.Equal((false, false), seen);
        Assert.Equal(0, tape.Count);
    }

    [Fact]
    public void OnlyLeavesChooseWhetherTheyNeedAGradient()
    {
        using var scope = new TensorScope();
        using var tape = new Tape();
        var x = Leaf(3);
        var y = x.Affine(2, 0);
        Refuses("RequiresGrad belongs to tensors that no op made", () => y.RequiresGrad = false);
        Refuses("RequiresGrad belongs to tensors that no op made", () => y.RequiresGrad = true);
        tape.Backward(y, Ones(3));
        Assert.Null(y.Gradient);
        x.RequiresGrad = true;
        Assert.Equal([2, 2, 2], x.Gradient!.ToFloats());
    }

    [Fact]
    public void ALeafThatIsGoneGetsNothing()
    {
        using var scope = new TensorScope();
        using var tape = new Tape();
        var x = Leaf(3);
        var y = x.Affine(2, 0);
        x.Dispose();
        tape.Backward(y, Ones(3));
        Assert.Null(x.Gradient);
    }

    [Fact]
    public void AHundredThousandOpsDeepIsNoDeeper()
    {
        using var scope = new TensorScope();
        using var tape = new Tape();
        var x = Leaf(1);
        var h = x.Affine(1, 1);
        for (var i = 1; i < 100_000; i++) h = h.Into(y => y.Affine(1, 1));
        Assert.Equal(100_000, tape.Count);
        Assert.Equal([100_000], h.ToFloats());
        tape.Backward(h);
        Assert.Equal([1], x.Gradient!.ToFloats());
    }

    [Fact]
    public void FindNonFiniteNamesTheOpThatMadeIt()
    {
        using var scope = new TensorScope();
        using var tape = new Tape { FindNonFinite = true };
        var x = Leaf(2, 3);
        var large = x.Affine(1e30f, 0);
        Assert.Equal("Multiply gave Infinity at element 1 of [2, 3]", Assert.Throws<NonFiniteException>(() => large.Multiply(large)).Message);
    }

    [Fact]
    public void FindNonFiniteNamesTheGradientThatMadeIt()
    {
        using var scope = new TensorScope();
        using var tape = new Tape { FindNonFinite = true };
        var x = Device.From([1e-38f], new Shape(1));
        x.RequiresGrad = true;
        // 1e22 forward; backward 1e30 behind the second factor and 1e60 behind the first.
        var loss = x.Multiply(Device.From([1e30f], new Shape(1))).Affine(1e30f, 0);
        Assert.StartsWith("the gradient of Multiply gave Infinity at element 0", Assert.Throws<NonFiniteException>(() => tape.Backward(loss)).Message);
        Assert.Null(x.Gradient);
        Assert.StartsWith("the upstream gradient has NaN", Assert.Throws<NonFiniteException>(() => tape.Backward(x.Affine(2, 0), Device.From([float.NaN], new Shape(1)))).Message);
        // Two finite parts whose sum is not.
        var y = x.Affine(3e38f, 0);
        Assert.StartsWith("the sum of a leaf's gradients is Infinity", Assert.Throws<NonFiniteException>(() => tape.Backward(y.Add(x.Affine(3e38f, 0)), Ones(1))).Message);
    }

    private static void Refuses(string message, Action call) => Assert.Contains(message, Assert.Throws<InvalidOperationException>(call).Message);

    private Tensor Leaf(params int[] axes)
    {
        var leaf = Counting(axes);
        leaf.RequiresGrad = true;
        return leaf;
    }

    private Tensor Ones(params int[] axes)
    {
        var ones = Device.Empty(new Shape(axes));
        Device.Backend.Fill(1, ones.Floats);
        return ones;
    }
}
