using ClipGen.Kernels;

namespace ClipGen.Tensors.Tests.Autograd;

/// <summary>Blocks whose activations are computed again: the same gradients for less memory.</summary>
public sealed class RecomputeTests : TensorTest
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void GradientsHaveTheBitsOfAPlainPass(bool inputNeedsGradient)
    {
        var plain = Pass(recompute: false, inputNeedsGradient, out var plainBytes);
        var again = Pass(recompute: true, inputNeedsGradient, out var bytes);
        Assert.Equal(plain, again);
        // Eight blocks, of which each would keep about twelve activations of its input's size; now one input each, and one block at a time.
        Assert.True(bytes * 3 < plainBytes, $"{bytes} bytes at most, {plainBytes} without");
    }

    [Fact]
    public void ABlockInABlock()
    {
        using SmallBlock first = new(Device, 1), second = new(Device, 20);
        var plain = Gradients(x => second.Forward(first.Forward(x)), first, second);
        Assert.Equal(plain, Gradients(x => Tape.Recompute(x, y => second.Forward(Tape.Recompute(y, first.Forward))), first, second));
    }

    [Fact]
    public void ChosenGradientsReachParametersInsideAndTouchNoLeaf()
    {
        using var block = new SmallBlock(Device);
        using var scope = new TensorScope();
        using var tape = new Tape();
        var x = Input();
        x.RequiresGrad = true;
        float[][] found = [.. tape.Gradients(block.Forward(x).Mean(), [block.Gamma, x]).Select(g => g.ToFloats())];
        float[][] again = [.. tape.Gradients(Tape.Recompute(x, block.Forward).Mean(), [block.Gamma, x]).Select(g => g.ToFloats())];
        Assert.Equal(found, again);
        Assert.All(block.Parameters, parameter => Assert.Null(parameter.Gradient));
        Assert.Null(x.Gradient);
    }

    [Fact]
    public void ItServesTwiceWhenRetained()
    {
        using var block = new SmallBlock(Device);
        using var scope = new TensorScope();
        using var tape = new Tape();
        var loss = Tape.Recompute(Input(), block.Forward).Mean();
        tape.Backward(loss, retainGraph: true);
        var once = block.Gamma.Gradient!.ToFloats();
        tape.Backward(loss);
        Assert.Equal(once.Select(g => g + g), block.Gamma.Gradient!.ToFloats());
    }

    [Fact]
    public void WithoutNeedNothingIsRecorded()
    {
        using var scope = new TensorScope();
        var x = Input();
        Assert.Equal(x.Affine(2, 0).ToFloats(), Tape.Recompute(x, y => y.Affine(2, 0)).ToFloats());
        using var tape = new Tape();
        Assert.False(Tape.Recompute(x, y => y.Affine(2, 0)).RequiresGrad);
        x.RequiresGrad = true;
        Assert.Same(x, Tape.Recompute(x, y => y));
        Assert.False(Tape.Recompute(x, y => y.StopGradient()).RequiresGrad);
        Assert.Equal(0, tape.Count);
    }

    [Fact]
    public void AnotherRecordedTensorInsideIsRefused()
    {
        using var scope = new TensorScope();
        using var tape = new Tape();
        var x = Input();
        x.RequiresGrad = true;
        var other = x.Affine(2, 0);
        Assert.StartsWith("Recompute: Multiply uses the result [2, 3, 8] of Affine, which is not the block's input", Assert.Throws<InvalidOperationException>(() => Tape.Recompute(x, y => y.Multiply(other))).Message);
        Assert.True(Tape.Recompute(x, y => y.Multiply(other.StopGradient())).RequiresGrad);
    }

    [Fact]
    public void FindNonFiniteNamesTheOpInside()
    {
        using var scope = new TensorScope();
        using var tape = new Tape { FindNonFinite = true };
        var x = Device.From([1e-38f], new Shape(1));
        x.RequiresGrad = true;
        Assert.StartsWith("Affine gave Infinity", Assert.Throws<NonFiniteException>(() => Tape.Recompute(x, y => y.Affine(1, 1e30f).Affine(1e30f, 0).Clamp(0, 1))).Message);
        var loss = Tape.Recompute(x, y => y.Multiply(Device.From([1e30f], new Shape(1))).Affine(1e30f, 0));
        Assert.StartsWith("the gradient of Multiply gave Infinity", Assert.Throws<NonFiniteException>(() => tape.Backward(loss)).Message);
    }

    private float[][] Pass(bool recompute, bool inputNeedsGradient, out long bytes)
    {
        SmallBlock[] blocks = [.. Enumerable.Range(0, 8).Select(i => new SmallBlock(Device, 10 * i))];
        try
        {
            using var scope = new TensorScope();
            using var tape = new Tape();
            var x = Device.From(GradientInput.Uniform(3, 16 * 32 * SmallBlock.Width, 1), new Shape(16, 32, SmallBlock.Width));
            x.RequiresGrad = inputNeedsGradient;
            Device.Backend.ResetPeak();
            var h = x;
            foreach (var block in blocks) h = recompute ? Tape.Recompute(h, block.Forward) : block.Forward(h);
            tape.Backward(h.Multiply(h).Mean());
            bytes = Device.Memory.PeakBytes;
            return [.. blocks.SelectMany(block => block.Parameters).Select(parameter => parameter.Gradient!.ToFloats()), x.Gradient?.ToFloats() ?? []];
        }
        finally
        {
            foreach (var block in blocks) block.Dispose();
        }
    }

    private float[][] Gradients(Func<Tensor, Tensor> forward, params SmallBlock[] blocks)
    {
        using var scope = new TensorScope();
        using var tape = new Tape();
        tape.Backward(forward(Input()).Mean());
        float[][] gradients = [.. blocks.SelectMany(block => block.Parameters).Select(parameter => parameter.Gradient!.ToFloats())];
        foreach (var block in blocks) block.ClearGradients();
        return gradients;
    }

    private Tensor Input() => Device.From(GradientInput.Uniform(5, 2 * 3 * SmallBlock.Width, 1), new Shape(2, 3, SmallBlock.Width));
}
