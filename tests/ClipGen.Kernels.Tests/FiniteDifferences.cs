using ClipGen.OpCases;

namespace ClipGen.Kernels.Tests;

/// <summary>
/// Holds a backward op of the reference against central differences of its forward op, both over memory of doubles:
/// for <c>L = Σ g · forward(x)</c> with a random upstream gradient g, <c>(L(x + h) − L(x − h)) / 2h</c> must be what the backward op says of x.
/// </summary>
internal static class FiniteDifferences
{
    // The formula errs by h²/6 · L''' (2e-11 of a third derivative) and by the rounding of L, a few 2⁻⁵³·L / h (1e-11 of L): with sums of
    // some hundred terms of size one both stay below 1e-8, so the default tolerance of 1e-7 leaves room without hiding a wrong sixth digit.
    private const double Step = 1e-5;

    // Elements of one input that are moved, at random places when it has more.
    private const int Sampled = 60;

    /// <summary>Checks the gradients of every differentiable input.</summary>
    /// <param name="what">Name of the case, for messages.</param>
    /// <param name="inputs">Values of the inputs, away from kinks.</param>
    /// <param name="forward">Gets the inputs; returns the output, in memory that it allocated.</param>
    /// <param name="backward">Gets the inputs and the upstream gradient, of the output's length; returns one gradient for each input, null for one that has none.</param>
    /// <param name="tolerance">Accepted difference, times one plus the largest gradient of that input.</param>
    public static void Check(string what, double[][] inputs, Func<ReferenceBackend, View<float>[], View<float>> forward, Func<ReferenceBackend, View<float>[], View<float>, View<float>?[]> backward, double tolerance = 1e-7)
    {
        using var backend = new ReferenceBackend(doubles: true);
        using var arrays = new DeviceArrays(backend);
        var values = inputs.Select(input => input.ToArray()).ToArray();
        var upstream = Array.ConvertAll(CaseData.Normal(Output().Length, 4711), value => (double)value);

        var views = values.Select(Store).ToArray();
        var gradients = backward(backend, views, Store(upstream));
        Assert.Equal(inputs.Length, gradients.Length);
        Assert.Contains(gradients, gradient => gradient is not null);
        for (var input = 0; input < inputs.Length; input++)
        {
            if (gradients[input] is not { } view) continue;
            var gradient = backend.ReadDoubles(view);
            Assert.True(gradient.Length == inputs[input].Length, $"{what}: the gradient of input {input} has {gradient.Length} elements, the input {inputs[input].Length}");
            Assert.True(Array.TrueForAll(gradient, double.IsFinite), $"{what}: the gradient of input {input} is not finite everywhere");
            var scale = 1 + gradient.Max(Math.Abs);
            foreach (var element in Chosen(gradient.Length))
            {
                var x = inputs[input][element];
                values[input][element] = x + Step;
                var above = Loss();
                values[input][element] = x - Step;
                var below = Loss();
                values[input][element] = x;
                // The step that was really taken: x ± h are rounded.
                var difference = (above - below) / (x + Step - (x - Step));
                Assert.True(Math.Abs(difference - gradient[element]) <= tolerance * scale,
                    $"{what}: gradient of input {input} at {element} is {gradient[element]:R}, central differences say {difference:R}; accepted are {tolerance * scale:G3}");
            }
        }

        View<float> Store(double[] numbers)
        {
            var view = arrays.Empty<float>(numbers.Length);
            backend.WriteDoubles(numbers, view);
            return view;
        }

        double[] Output()
        {
            var at = new DeviceArrays(backend);
            var moved = values.Select(numbers =>
            {
                var view = at.Empty<float>(numbers.Length);
                backend.WriteDoubles(numbers, view);
                return view;
            }).ToArray();
            var output = forward(backend, moved);
            var result = backend.ReadDoubles(output);
            output.Memory!.Dispose();
            at.Dispose();
            return result;
        }

        double Loss()
        {
            var sum = 0.0;
            foreach (var (y, g) in Output().Zip(upstream)) sum += y * g;
            return sum;
        }
    }

    private static IEnumerable<int> Chosen(int length)
    {
        var places = Enumerable.Range(0, length).ToArray();
        if (length <= Sampled) return places;
        new System.Random(length).Shuffle(places);
        return places.Take(Sampled);
    }
}
