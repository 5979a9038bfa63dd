using ClipGen.Tensors.Nn;
using ClipGen.Tensors.Optim;

namespace ClipGen.Tensors.Tests.Autograd;

/// <summary>Which parameters move, by which of their groups' constants, and what is kept of them. (The arithmetic is held by the kernel's own tests.)</summary>
public sealed class AdamOptimizerTests : TensorTest
{
    private const float Rate = 0.125f;

    [Fact]
    public void AParameterWithoutAGradientIsLeftAlone()
    {
        using Tensor a = Counting(3), b = Counting(3);
        using var adam = New([new ParameterGroup([Named("a", a), Named("b", b)], WeightDecay: 0.5)]);
        Gradient(a, 1, -1, 2);
        adam.Step();
        // The first step is the rate in the gradient's direction, whatever its length, and the decay of rate · 0.5 of the value.
        Close([0 - Rate, 1 - 0.0625f + Rate, 2 - 0.125f - Rate], a.ToFloats());
        Assert.Equal([0, 1, 2], b.ToFloats());
        Assert.Equal((1, 0), (adam.Moments[0].Steps, adam.Moments[1].Steps));
        Assert.Null(adam.Moments[1].Mean);
        Assert.Null(adam.Moments[1].Variance);
    }

    [Fact]
    public void EveryParameterCountsItsOwnSteps()
    {
        using Tensor a = Counting(2), b = Counting(2);
        using var adam = New([new ParameterGroup([Named("a", a), Named("b", b)])]);
        Gradient(a, 1, 1);
        adam.Step();
        adam.Step();
        Gradient(b, 1, 1);
        adam.Step();
        Assert.Equal((3, 1), (adam.Moments[0].Steps, adam.Moments[1].Steps));
        // With equal gradients every step's correction of the moments is exact: the rate again, for either count.
        Close([0 - 3 * Rate, 1 - 3 * Rate], a.ToFloats());
        Close([0 - Rate, 1 - Rate], b.ToFloats());
    }

    [Fact]
    public void GroupsHaveTheirOwnDecayAndRate()
    {
        using Tensor a = Counting(2), b = Counting(2), c = Counting(2);
        using var adam = New([new ParameterGroup([Named("a", a)]), new ParameterGroup([Named("b", b)], WeightDecay: 0.5), new ParameterGroup([Named("c", c)], LearningRateScale: 0.25)]);
        foreach (var x in new[] { a, b, c }) Gradient(x, 1, 1);
        adam.Step();
        Close([0 - Rate, 1 - Rate], a.ToFloats());
        Close([0 - Rate, 1 - 0.0625f - Rate], b.ToFloats());
        Close([0 - Rate / 4, 1 - Rate / 4], c.ToFloats());
        adam.LearningRate = 0;
        adam.Step();
        Close([0 - Rate, 1 - Rate], a.ToFloats());
        Assert.Equal(["a", "b", "c"], adam.Moments.Select(m => m.Parameter.Name));
    }

    [Fact]
    public void ScaledGradientsLeaveScaledMoments()
    {
        using var a = Counting(2);
        using var adam = New([new ParameterGroup([Named("a", a)])]);
        Gradient(a, 8, -4);
        adam.Step(gradientScale: 0.25f);
        // (1 − β₁) g and (1 − β₂) g² of g = 2, −1.
        Close([0.2f, -0.1f], adam.Moments[0].Mean!.ToFloats());
        Close([0.004f, 0.001f], adam.Moments[0].Variance!.ToFloats());
        Assert.Equal([8, -4], a.Gradient!.ToFloats());
    }

    [Fact]
    public void TheNormIsThatOfAllGradientsTogether()
    {
        using Tensor a = Counting(2), b = Counting(1), c = Counting(4);
        using var adam = New([new ParameterGroup([Named("a", a), Named("c", c)]), new ParameterGroup([Named("b", b)])]);
        Assert.Equal(0, adam.GradientNorm());
        Gradient(a, 2, 3);
        Gradient(b, 6);
        Assert.Equal(7, adam.GradientNorm());
        adam.ClearGradients();
        Assert.Null(a.Gradient);
        Assert.Equal(0, adam.GradientNorm());
    }

    [Fact]
    public void AStateIsRestoredInTheStoredLayout()
    {
        using var a = Counting(2, 3);
        a.RequiresGrad = true;
        var parameter = new Parameter("a", [3, 2], a, ParameterLayout.Transposed, isBuffer: false);
        using var adam = New([new ParameterGroup([parameter])]);
        var moments = adam.Moments[0];
        moments.Restore(5, [1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1]);
        moments.Restore(7, [1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1]);
        Assert.Equal(7, moments.Steps);
        Assert.Equal([1, 3, 5, 2, 4, 6], moments.Mean!.ToFloats());
        Assert.Equal([6, 4, 2, 5, 3, 1], moments.Variance!.ToFloats());
        Gradient(a, 0, 0, 0, 0, 0, 0);
        adam.Step();
        Assert.Equal(8, moments.Steps);
    }

    [Theory]
    [InlineData(5, 6)]
    [InlineData(6, 7)]
    public void AStateOfAnotherSizeIsRefused(int mean, int variance)
    {
        using var a = Counting(2, 3);
        using var adam = New([new ParameterGroup([Named("layer.weight", a)])]);
        adam.Moments[0].Restore(1, new float[6], new float[6]);
        Assert.Equal($"moments of {mean} and {variance} values for layer.weight [2, 3]", Assert.Throws<ArgumentException>(() => adam.Moments[0].Restore(9, new float[mean], new float[variance])).Message);
        Assert.Equal(1, adam.Moments[0].Steps);
        Assert.NotNull(adam.Moments[0].Mean);
    }

    private static AdamOptimizer New(IReadOnlyList<ParameterGroup> groups) => new(groups, new AdamSettings { LearningRate = Rate, Decoupled = true });

    private static Parameter Named(string name, Tensor value)
    {
        value.RequiresGrad = true;
        return new Parameter(name, value.Shape.Axes.ToArray(), value, ParameterLayout.AsStored, isBuffer: false);
    }

    /// <summary>Gives a parameter a gradient.</summary>
    private void Gradient(Tensor parameter, params float[] values)
    {
        using var scope = new TensorScope();
        using var tape = new Tape();
        tape.Backward(parameter.Affine(1, 0), Device.From(values, parameter.Shape));
    }

    // Steps of an eighth on values up to two: some roundings of 2⁻²⁴ · 2, and eps = 1e-8 beside a gradient of one.
    private static void Close(float[] expected, float[] found)
    {
        Assert.Equal(expected.Length, found.Length);
        for (var i = 0; i < expected.Length; i++) Assert.True(Math.Abs(expected[i] - found[i]) <= 1e-6f, $"element {i}: {found[i]}, expected {expected[i]}");
    }
}
