using Xunit.Sdk;

namespace ClipGen.Kernels.Tests;

/// <summary>The gradient check itself: it accepts a right gradient and refuses one that is a little wrong, not a number, or missing.</summary>
public sealed class FiniteDifferencesTests
{
    private static readonly double[] Values = [.. Enumerable.Range(1, 100).Select(i => Math.Sin(i))];

    [Fact]
    public void AcceptsTheGradientOfASquare() => Check(1, 0);

    [Theory]
    [InlineData(1 + 1e-6, 0)]
    [InlineData(1, 1e-6)]
    public void RefusesAWrongOne(double factor, double offset) => Assert.Contains("central differences say", Assert.ThrowsAny<XunitException>(() => Check(factor, offset)).Message);

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void RefusesOneThatIsNoNumber(double factor) => Assert.Contains("not finite", Assert.ThrowsAny<XunitException>(() => Check(factor, 0)).Message);

    [Fact]
    public void RefusesAMissingOne() =>
        Assert.ThrowsAny<XunitException>(() => FiniteDifferences.Check("square", [Values], Square, (_, _, _) => [null]));

    private static void Check(double factor, double offset) => FiniteDifferences.Check("square", [Values], Square, (backend, x, g) =>
    {
        var (values, upstream) = (backend.ReadDoubles(x[0]), backend.ReadDoubles(g));
        // Over the inputs, which the check owns and no longer needs.
        backend.WriteDoubles([.. values.Zip(upstream, (v, u) => 2 * v * u * factor + offset)], x[0]);
        return [x[0]];
    });

    private static View<float> Square(ReferenceBackend backend, View<float>[] x)
    {
        var y = new View<float>(backend.Allocate(4 * x[0].Length), 0, x[0].Length);
        backend.Multiply(x[0], x[0], y);
        return y;
    }
}
