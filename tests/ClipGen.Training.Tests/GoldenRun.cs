using System.Text.Json;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Testing;

namespace ClipGen.Training.Tests;

/// <summary>Comparisons with the reference's gradients and training runs; the tolerances are those of <c>tests/golden/README.md</c>.</summary>
internal static class GoldenRun
{
    /// <summary>Of a single loss: 1e-5 of max(|expected|, 0.1).</summary>
    public const double OneLoss = 1e-5;

    /// <summary>Of a loss inside a run: 1e-4 of the same.</summary>
    public const double RunLoss = 1e-4;

    public static JsonElement Json(params string[] parts) => JsonDocument.Parse(File.ReadAllText(RepositoryPaths.GoldenFile(parts))).RootElement;

    public static void Loss(JsonElement expected, string name, double found, double tolerance)
    {
        var want = expected.GetProperty(name).GetDouble();
        Assert.True(Math.Abs(found - want) < tolerance * Math.Max(Math.Abs(want), 0.1), $"{name}: found {found:R}, expected {want:R}");
    }

    /// <summary>Every golden gradient <c>grad.NAME</c>: all as one vector and each below 1e-4 relative; those that vanish analytically, and the key third of packed attention biases, below 1e-5 of the largest.</summary>
    public static void Gradients(IReadOnlyDictionary<string, GoldenTensor> golden, IReadOnlyList<Parameter> parameters, Func<Parameter, float[]> found, IReadOnlySet<string> vanishing)
    {
        var byName = parameters.ToDictionary(parameter => parameter.Name);
        var named = golden.Where(pair => pair.Key.StartsWith("grad.", StringComparison.Ordinal)).ToDictionary(pair => pair.Key[5..], pair => pair.Value.Floats);
        Assert.NotEmpty(named);
        var largest = named.Values.Max(values => values.Max(Math.Abs));
        double error = 0, norm = 0;
        foreach (var (name, want) in named)
        {
            var got = found(byName[name]);
            Assert.Equal(want.Length, got.Length);
            var difference = want.Zip(got, (w, g) => (double)g - w).ToArray();
            error += difference.Sum(d => d * d);
            norm += want.Sum(w => (double)w * w);
            if (vanishing.Contains(name))
            {
                Assert.True(difference.Max(Math.Abs) < 1e-5 * largest, $"{name}: vanishes analytically, found up to {got.Max(Math.Abs):G3} beside a largest gradient of {largest:G3}");
                continue;
            }
            var relative = GoldenTensors.RelativeError(want, got);
            Assert.True(relative < 1e-4, $"{name}: relative error {relative:G3} of the gradient");
        }
        Assert.True(Math.Sqrt(error / norm) < 1e-4, $"all gradients: relative error {Math.Sqrt(error / norm):G3}");
    }

    /// <summary>
    /// Every golden parameter at the end of a run: error relative to its update; where the gradient vanishes analytically Adam's steps are noise, and only their size is bounded: 2 · lr · steps.
    /// </summary>
    public static void Final(IReadOnlyDictionary<string, float[]> golden, IReadOnlyDictionary<string, float[]> start, IReadOnlyList<Parameter> parameters, double tolerance, double bound, IReadOnlySet<string> vanishing)
    {
        Assert.NotEmpty(golden);
        var byName = parameters.ToDictionary(parameter => parameter.Name);
        foreach (var (name, want) in golden)
        {
            var got = byName[name].ToStored();
            var from = start[name];
            Assert.Equal(want.Length, got.Length);
            if (vanishing.Contains(name) || name.EndsWith("in_proj_bias", StringComparison.Ordinal))
            {
                var worst = want.Zip(got, (w, g) => Math.Abs((double)g - w)).Max();
                Assert.True(worst <= bound, $"{name}: off by {worst:G3}, at most {bound:G3}");
                continue;
            }
            double error = 0, update = 0;
            for (var i = 0; i < want.Length; i++)
            {
                error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
                update += ((double)want[i] - from[i]) * ((double)want[i] - from[i]);
            }
            Assert.True(Math.Sqrt(error) <= tolerance * Math.Sqrt(update), $"{name}: off by {Math.Sqrt(error / update):G3} of its update");
        }
    }

    /// <summary>[..., C, H, W] pictures of one step as a tensor [N, H, W, C].</summary>
    public static Tensor Pictures(Device device, ReadOnlySpan<float> values, int n, int c, int h, int w)
    {
        using var first = device.From(values, new Shape(n, c, h, w));
        return first.ToChannelsLast();
    }

    public static Dictionary<string, float[]> Stored(IReadOnlyList<Parameter> parameters) => parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.ToStored());
}
