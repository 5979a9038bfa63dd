using ClipGen.Checkpoints;
using ClipGen.Models.Explaining;
using ClipGen.Models.Pipeline;
using ClipGen.Tensors;
using ClipGen.Testing;

namespace ClipGen.Models.Tests;

/// <summary>The attention that explanations show is that of the model: with it and the checkpoint's matrices, the reference's activations come out again; and that of the second layer is what follows from the first's output.</summary>
public sealed class AttentionWeightsTests
{
    private const int Heads = 4, Size = 16, Width = Heads * Size, Length = 16;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void FollowFromTheReferencesActivations(int layer)
    {
        var golden = GoldenTensors.Load("gpt", "gpt_tiny.safetensors");
        var path = RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt");
        using var checkpoint = Checkpoint.Open(path);
        var at = $"blocks.{layer}.encoder";
        // The golden file has what is inside the first block, and what goes into the second.
        var normed = layer == 0 ? golden[$"act.{at}.norm1"].Floats[..(Length * Width)] : Normalised(golden["act.blocks.0"].Floats.AsSpan(0, Length * Width), Read($"{at}.norm1.weight"), Read($"{at}.norm1.bias"));
        var qkv = Linear(normed, Read($"{at}.self_attn.in_proj_weight"), Read($"{at}.self_attn.in_proj_bias"));

        // The first of the golden file's two sequences, head by head.
        var mean = new double[Length, Length];
        var attended = new float[Length * Width];
        for (var head = 0; head < Heads; head++)
            for (var t = 0; t < Length; t++)
            {
                var odds = Enumerable.Range(0, t + 1).Select(s => Math.Exp(Enumerable.Range(0, Size).Sum(i => (double)qkv[t * 3 * Width + head * Size + i] * qkv[s * 3 * Width + Width + head * Size + i]) / Math.Sqrt(Size))).ToArray();
                for (var s = 0; s <= t; s++)
                {
                    mean[t, s] += odds[s] / odds.Sum() / Heads;
                    for (var i = 0; i < Size; i++) attended[t * Width + head * Size + i] += (float)(odds[s] / odds.Sum() * qkv[s * 3 * Width + 2 * Width + head * Size + i]);
                }
            }
        if (layer == 0) GoldenAssert.Close(golden[$"act.{at}.self_attn"].Floats[..(Length * Width)], Linear(attended, Read($"{at}.self_attn.out_proj.weight"), Read($"{at}.self_attn.out_proj.bias")), "attention's output from the weights above");

        using var device = Device.Cpu(1);
        using var gpt = ModelFiles.LoadGpt(device, path, heads: Heads);
        using var scope = new TensorScope();
        var codes = device.From(golden["tokens"].Ints[..(Length - 1)], new Shape(1, Length - 1));
        var found = gpt.AttentionWeights(codes, device.From(golden["embed"].Floats[..64], new Shape(1, 64)), layer);
        for (var t = 0; t < Length; t++)
        {
            Assert.Equal(1, found.AsSpan(t * Length, Length).ToArray().Sum(), 1e-5);
            // Two float32 layers in front of it err by some 1e-6.
            for (var s = 0; s < Length; s++) Assert.Equal(s <= t ? mean[t, s] : 0, found[t * Length + s], 1e-5);
        }

        float[] Read(string name)
        {
            var tensor = checkpoint.Find($"model.{name}") ?? checkpoint.Find(name) ?? throw new InvalidDataException(name);
            var values = new float[tensor.Count];
            tensor.ReadFloats(0, values);
            return values;
        }

        static float[] Normalised(ReadOnlySpan<float> x, float[] gamma, float[] beta)
        {
            var y = new float[x.Length];
            for (var row = 0; row < x.Length / Width; row++)
            {
                var values = x.Slice(row * Width, Width).ToArray().Select(value => (double)value).ToArray();
                var mean = values.Average();
                var deviation = Math.Sqrt(values.Average(value => (value - mean) * (value - mean)) + 1e-5);
                for (var i = 0; i < Width; i++) y[row * Width + i] = (float)((values[i] - mean) / deviation * gamma[i] + beta[i]);
            }
            return y;
        }

        static float[] Linear(ReadOnlySpan<float> x, float[] weight, float[] bias)
        {
            var y = new float[x.Length / Width * bias.Length];
            for (var row = 0; row < x.Length / Width; row++)
                for (var n = 0; n < bias.Length; n++)
                {
                    var sum = (double)bias[n];
                    for (var k = 0; k < Width; k++) sum += (double)x[row * Width + k] * weight[n * Width + k];
                    y[row * bias.Length + n] = (float)sum;
                }
            return y;
        }
    }

    [Fact]
    public void OneSequenceAndALayerThatIsThere()
    {
        using var device = Device.Cpu(1);
        using var gpt = ModelFiles.LoadGpt(device, RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"), heads: Heads);
        using var scope = new TensorScope();
        Assert.Throws<ShapeException>(() => gpt.AttentionWeights(device.From(new int[6], new Shape(2, 3)), device.From(new float[128], new Shape(2, 64)), 0));
        Assert.Throws<ShapeException>(() => gpt.AttentionWeights(device.From(new int[16], new Shape(1, 16)), device.From(new float[64], new Shape(1, 64)), 0));
        Assert.Equal(1, GenerationExplanation.LayerOf(gpt.Config, null));
        foreach (var layer in (int[])[-1, 2]) Assert.Contains("0 to 1", Assert.Throws<GenerationException>(() => GenerationExplanation.LayerOf(gpt.Config, layer)).Message);
    }
}
