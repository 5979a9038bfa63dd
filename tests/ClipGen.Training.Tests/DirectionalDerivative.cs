using ClipGen.Kernels;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Training.Tests;

/// <summary>
/// Holds the gradient of a whole model's loss against the loss itself: along one random direction d of all parameters together,
/// <c>(L(θ + h d) − L(θ − h d)) / 2h</c> in doubles must be <c>Σ gradient · d</c>.
/// </summary>
internal static class DirectionalDerivative
{
    // With directions of size one per parameter the loss bends much more than along one axis: h²/6 · L''' is 1e-8 at this step, and the rounding of L, 1e-16 / h, 1e-10.
    private const double Step = 1e-6;

    /// <summary>Fails where they disagree, or where the check would not have noticed the absence of a parameter's gradient.</summary>
    /// <param name="device">A reference that stores doubles.</param>
    /// <param name="parameters">Parameters, each with the gradient that is to be checked.</param>
    /// <param name="loss">The loss at the parameters' present values, a function of them alone.</param>
    /// <param name="vanishing">Parameters on which the loss does not depend.</param>
    public static void Check(Device device, IReadOnlyList<Parameter> parameters, Func<double> loss, Func<Parameter, bool> vanishing)
    {
        var backend = (ReferenceBackend)device.Backend;
        var start = parameters.Select(p => backend.ReadDoubles(p.Value.Floats)).ToArray();
        var gradients = parameters.Select(p => backend.ReadDoubles(p.Value.Gradient!.Floats)).ToArray();
        var random = new Random(4711);
        var directions = start.Select(values => values.Select(_ => 2 * random.NextDouble() - 1).ToArray()).ToArray();
        double[] parts = [.. gradients.Zip(directions, (g, d) => g.Zip(d, (x, y) => x * y).Sum())];

        var difference = (Moved(Step) - Moved(-Step)) / (2 * Step);
        Moved(0);
        // Means divide by their count as a float, 6e-8 of a part; all parts together are larger than their sum.
        var accepted = 1e-6 * parts.Sum(Math.Abs);
        Assert.True(Math.Abs(difference - parts.Sum()) <= accepted, $"the gradient says {parts.Sum():R}, central differences {difference:R}; accepted are {accepted:G3}");
        for (var i = 0; i < parts.Length; i++)
            Assert.True(vanishing(parameters[i]) ? Math.Abs(parts[i]) <= accepted : Math.Abs(parts[i]) > 2 * accepted, $"{parameters[i]}: its share of the derivative is {parts[i]:G3}, beside an accepted difference of {accepted:G3}");

        double Moved(double by)
        {
            for (var i = 0; i < start.Length; i++) backend.WriteDoubles([.. start[i].Zip(directions[i], (x, d) => x + by * d)], parameters[i].Value.Floats);
            return loss();
        }
    }

    /// <summary>One number, unrounded.</summary>
    public static double Read(Tensor one) => ((ReferenceBackend)one.Device.Backend).ReadDoubles(one.Floats)[0];
}
