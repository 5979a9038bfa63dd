using ClipGen.Kernels;

namespace ClipGen.Tensors.Tests.Autograd;

/// <summary>
/// Gradients of a case by the tape, and held against central differences: for <c>L = Σ g · forward(x)</c> with a random upstream gradient g,
/// <c>(L(x + h) − L(x − h)) / 2h</c> in doubles must be what the tape says of x.
/// </summary>
internal static class GradientCheck
{
    // Elements of one input that are moved, at random places when it has more.
    private const int Sampled = 40;

    /// <summary>The gradients of the inputs; null for those that none is asked for.</summary>
    public static double[]?[] ByTape(Device device, GradientCase test, Func<int, bool>? needed = null)
    {
        using var scope = new TensorScope();
        var inputs = test.Inputs.Select(input => device.From(input.Values, input.Shape)).ToArray();
        for (var i = 0; i < inputs.Length; i++) inputs[i].RequiresGrad = needed?.Invoke(i) ?? true;
        using var tape = new Tape();
        var output = test.Forward(inputs);
        tape.Backward(output, device.From(Upstream(output.Count), output.Shape));
        return [.. inputs.Select(input => input.Gradient is { } gradient ? Read(gradient) : null)];
    }

    /// <summary>Fails where the tape and central differences disagree.</summary>
    public static void AgainstCentralDifferences(GradientCase test)
    {
        using var device = Device.ReferenceInDoubles();
        var backend = (ReferenceBackend)device.Backend;
        var gradients = ByTape(device, test);
        for (var input = 0; input < test.Inputs.Length; input++)
        {
            var gradient = gradients[input];
            Assert.True(gradient is not null, $"input {input} has no gradient");
            Assert.True(gradient.Length == test.Inputs[input].Values.Length, $"the gradient of input {input} has {gradient.Length} elements");
            Assert.True(Array.TrueForAll(gradient, double.IsFinite), $"the gradient of input {input} is not finite everywhere");
            // A gradient of nothing but zeros would say that the case asks nothing.
            Assert.Contains(gradient, value => value != 0);
            var accepted = test.Tolerance * (1 + gradient.Max(Math.Abs));
            foreach (var element in Chosen(gradient.Length))
            {
                double x = test.Inputs[input].Values[element], above = x + test.Step, below = x - test.Step;
                var difference = (Loss(input, element, above) - Loss(input, element, below)) / (above - below);
                Assert.True(Math.Abs(difference - gradient[element]) <= accepted,
                    $"input {input} at {element}: gradient {gradient[element]:R}, central differences say {difference:R}; accepted are {accepted:G3}");
            }
        }
        Assert.Equal(0, device.Memory.LiveBlocks);

        double Loss(int moved, int element, double value)
        {
            using var scope = new TensorScope();
            var inputs = test.Inputs.Select(input => device.From(input.Values, input.Shape)).ToArray();
            backend.WriteDoubles([value], inputs[moved].Floats.Slice(element, 1));
            var output = Read(test.Forward(inputs));
            return output.Zip(Upstream(output.Length), (y, g) => y * g).Sum();
        }
    }

    /// <summary>A tensor's elements as doubles, unrounded where they are stored so.</summary>
    public static double[] Read(Tensor tensor) =>
        tensor.Device.Backend is ReferenceBackend reference ? reference.ReadDoubles(tensor.Floats) : Array.ConvertAll(tensor.ToFloats(), value => (double)value);

    private static float[] Upstream(long count) => GradientInput.Uniform(4711, count, 1);

    private static IEnumerable<int> Chosen(int length)
    {
        var places = Enumerable.Range(0, length).ToArray();
        if (length <= Sampled) return places;
        new Random(length).Shuffle(places);
        return places.Take(Sampled);
    }
}
