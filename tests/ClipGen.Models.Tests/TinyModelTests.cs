using ClipGen.Kernels;
using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.Pipeline;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Testing;

namespace ClipGen.Models.Tests;

/// <summary>Small models from the reference's own checkpoint files, every stored activation by name.</summary>
public sealed class TinyModelTests : IDisposable
{
    private readonly Device device = Device.Cpu();

    public void Dispose()
    {
        // Whatever a test loaded and computed must be free again: nothing leaks.
        var live = device.Memory.LiveBlocks;
        device.Dispose();
        Assert.Equal(0, live);
    }

    [Fact]
    public void Clip()
    {
        var golden = GoldenTensors.Load("clip", "clip_tiny.safetensors");
        using var clip = ModelFiles.LoadClip(device, RepositoryPaths.GoldenFile("clip", "clip_tiny.pt"), textHeads: 2);
        using var scope = new TensorScope();
        var images = Pictures(golden["images"]);
        var texts = FullSizeTests.Rows(golden["texts"], 16);
        using (var trace = new Trace())
        {
            GoldenAssert.Close(golden["image_features"].Floats, clip.EncodeImage(images).ToFloats(), "image features");
            GoldenAssert.Close(golden["text_features"].Floats, clip.EncodeText(texts).ToFloats(), "text features");
            CompareActivations(golden, trace, 20);
        }
        GoldenAssert.Close(golden["image_embeds"].Floats, clip.EncodeImage(images).L2Normalize().ToFloats(), "image embeddings, fused");
        GoldenAssert.Close(golden["text_embeds"].Floats, clip.EncodeText(texts[..3]).L2Normalize().ToFloats(), "text embeddings, fused");
        Assert.Equal(14.285714149475098, Math.Exp(clip.LogitScale.ToFloats()[0]), 1e-5);
    }

    [Fact]
    public void Gpt()
    {
        var golden = GoldenTensors.Load("gpt", "gpt_tiny.safetensors");
        using var gpt = ModelFiles.LoadGpt(device, RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"), heads: 4);
        using var scope = new TensorScope();
        var embed = device.From(golden["embed"].Floats, new Shape(2, 64));
        var tokens = golden["tokens"].Ints;
        Tensor Prefix(int length) => device.From([.. tokens.Chunk(16).SelectMany(row => row[..length])], new Shape(2, length));
        using (var trace = new Trace())
        {
            GoldenAssert.Close(golden["logits"].Floats, gpt.Forward(Prefix(15), embed).ToFloats(), "logits");
            CompareActivations(golden, trace, 12);
        }
        GoldenAssert.Close(golden["logits"].Floats, gpt.Forward(Prefix(15), embed).ToFloats(), "logits, fused");
        GoldenAssert.Close(golden["logits_empty_prefix"].Floats, gpt.Forward(Prefix(0), embed).ToFloats(), "logits of the condition alone");
        GoldenAssert.Close(golden["logits_short_prefix"].Floats, gpt.Forward(Prefix(5), embed).ToFloats(), "logits of five codes");

        // Cached decoding gives the same logits, position by position.
        using var decoder = gpt.StartDecoding(embed);
        for (var t = 0; t < 16; t++)
        {
            float[] expected = [.. golden["logits"].Floats.AsSpan(t * 64, 64), .. golden["logits"].Floats.AsSpan((16 + t) * 64, 64)];
            GoldenAssert.Close(expected, decoder.Logits.ToFloats(), $"cached logits at {t}");
            if (t < 15) decoder.Append(device.From([tokens[t], tokens[16 + t]], new Shape(2)));
        }
        Assert.Throws<InvalidOperationException>(() => decoder.Append(device.From([0, 0], new Shape(2))));
        Assert.Throws<ShapeException>(() => gpt.Forward(Prefix(16), embed));
    }

    [Theory]
    // A number's error is even between zero and 2^-9 (or half of a 127th of its row's largest); sums of a hundred such, through two layers, err by a few of these.
    [InlineData(PackedType.BFloat16, 0.0002, 0.01)]
    [InlineData(PackedType.Int8, 0.0005, 0.03)]
    public void GptInFewerBitsErrsByTheirRounding(PackedType type, double least, double most)
    {
        var golden = GoldenTensors.Load("gpt", "gpt_tiny.safetensors");
        using var gpt = ModelFiles.LoadGpt(device, RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"), heads: 4, type);
        using var scope = new TensorScope();
        var codes = device.From([.. golden["tokens"].Ints.Chunk(16).SelectMany(row => row[..15])], new Shape(2, 15));
        var found = gpt.Forward(codes, device.From(golden["embed"].Floats, new Shape(2, 64))).ToFloats();
        double difference = 0, size = 0;
        foreach (var (expected, value) in golden["logits"].Floats.Zip(found))
        {
            difference += Math.Pow(value - expected, 2);
            size += Math.Pow(expected, 2);
        }
        Assert.InRange(Math.Sqrt(difference / size), least, most);
    }

    [Fact]
    public void VqGan()
    {
        var golden = GoldenTensors.Load("vqgan", "vqgan_tiny_eval.safetensors");
        using var vqgan = ModelFiles.LoadVqGan(device, RepositoryPaths.GoldenFile("vqgan", "vqgan_tiny.pt"));
        using var scope = new TensorScope();
        Assert.Equal((64, 32, 4), (vqgan.Codes, vqgan.CodeSize, vqgan.Factor));
        var x = Pictures(golden["x"]);
        var z = vqgan.Encode(x);
        GoldenAssert.Close(golden["z"].Floats, z.ToChannelsFirst().ToFloats(), "z");
        var codes = vqgan.Quantize(z);
        Assert.Equal(golden["indices"].Ints, codes.ToArray<int>());
        var reconstruction = vqgan.Reconstruct(x);
        GoldenAssert.Close(golden["x_recon"].Floats, reconstruction.ToChannelsFirst().ToFloats(), "reconstruction");
        GoldenAssert.Close(golden["x_recon_from_indices"].Floats, vqgan.DecodeCodes(codes).ToChannelsFirst().ToFloats(), "from codes");
        GoldenAssert.Close(golden["logits_real"].Floats, vqgan.Discriminator!.Forward(x).ToFloats(), "discriminator of the pictures");
        GoldenAssert.Close(golden["logits_fake"].Floats, vqgan.Discriminator!.Forward(Pictures(golden["x_recon"])).ToFloats(), "discriminator of the reconstructions");
        using var trace = new Trace();
        vqgan.Reconstruct(Pictures(golden["act_x"]));
        CompareActivations(golden, trace, 30);
    }

    [Fact]
    public void SamplingWithGivenNumbers()
    {
        var golden = GoldenTensors.Load("sampling", "sampling.safetensors");
        using var document = FullSizeTests.Json("sampling", "sampling.json");
        using var gpt = ModelFiles.LoadGpt(device, RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"), heads: 4);
        using var scope = new TensorScope();
        var greedy = CodeSampler.Sample(gpt, device.From(golden["embed"].Floats, new Shape(2, 64)), [new float[16], new float[16]], new GenerationSettings { Greedy = true });
        Assert.Equal(golden["greedy"].Ints, greedy.SelectMany(row => row));

        var runs = 0;
        foreach (var run in document.RootElement.GetProperty("runs").EnumerateArray())
        {
            var settings = new GenerationSettings { TopK = run.GetProperty("top_k") is { ValueKind: System.Text.Json.JsonValueKind.Number } k ? k.GetInt32() : 0, TopP = run.GetProperty("top_p").GetSingle(), Temperature = run.GetProperty("temperature").GetSingle() };
            var condition = device.From(golden["embed_of_runs"].Floats, new Shape(golden["embed_of_runs"].Axes));
            var uniforms = golden[$"run{runs}.u"].Floats.Chunk(16).ToArray();
            var indices = CodeSampler.Sample(gpt, condition, uniforms, settings);
            Assert.Equal(golden[$"run{runs}.indices"].Ints, indices.SelectMany(row => row));
            runs++;
        }
        Assert.True(runs >= 2);
    }

    [Fact]
    public void PipelineAsTheReference()
    {
        var golden = GoldenTensors.Load("pipeline", "pipeline.safetensors");
        using var clip = ModelFiles.LoadClip(device, RepositoryPaths.GoldenFile("clip", "clip_tiny.pt"), textHeads: 2);
        using var gpt = ModelFiles.LoadGpt(device, RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"), heads: 4);
        using var vqgan = ModelFiles.LoadVqGan(device, RepositoryPaths.GoldenFile("vqgan", "vqgan_tiny.pt"));
        using var scope = new TensorScope();
        var condition = clip.EncodeText(FullSizeTests.Rows(golden["tokens"], 16)).L2Normalize();
        GoldenAssert.Close(golden["text_embed"].Floats, condition.ToFloats(), "text embedding");
        var settings = new GenerationSettings { TopK = 20, TopP = 0.95f, Temperature = 1 };
        var codes = CodeSampler.Sample(gpt, condition, golden["u"].Floats.Chunk(16).ToArray(), settings);
        Assert.Equal(golden["indices"].Ints, codes.SelectMany(row => row));

        var painted = vqgan.DecodeCodes(device.From(golden["indices"].Ints, new Shape(8, 4, 4)));
        GoldenAssert.Close(golden["x_recon"].Floats, painted.ToChannelsFirst().ToFloats(), "pictures");
        GoldenAssert.Close(golden["clip_input"].Floats, Reranker.ToClip(clip, painted, parity: true).ToChannelsFirst().ToFloats(), "CLIP's input");
        var scores = Reranker.Score(clip, painted, condition, parity: true);
        GoldenAssert.Close(golden["similarity"].Floats, scores, "similarity");
        var order = Reranker.Order(scores);
        Assert.Equal(golden["order"].Ints, order);

        var values = painted.ToFloats();
        var size = values.Length / 8;
        var pictures = order.Take(5).Select(n => Data.PictureTransforms.FromVqGan(values.AsSpan(n * size, size), 16, 16)).ToArray();
        var grid = Data.PictureGrid.Make(pictures, 4, 2);
        var expected = golden["grid_u8"].Bytes;
        Assert.Equal((74, 38), (grid.Width, grid.Height));
        var different = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            int c = i / (38 * 74), p = i % (38 * 74);
            var found = grid.Rgb[p * 3 + c];
            // The decoder's outputs agree to 1e-6, so a value near a rounding edge may land one level off.
            Assert.True(Math.Abs(found - expected[i]) <= 1, $"pixel {p}, channel {c}: {found}, expected {expected[i]}");
            if (found != expected[i]) different++;
        }
        Assert.True(different <= expected.Length / 1000, $"{different} of {expected.Length} values are one level off");
    }

    [Fact]
    public void SampledCodesDoNotDependOnTheBatch()
    {
        using var gpt = ModelFiles.LoadGpt(device, RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"), heads: 4);
        using var scope = new TensorScope();
        var condition = device.From(Enumerable.Range(0, 64).Select(i => MathF.Sin(i)).ToArray(), new Shape(1, 64)).L2Normalize();
        var settings = new GenerationSettings { Seed = 11, TopK = 30 };
        var together = Sample(gpt, condition, 0, 7, settings);
        Assert.True(together.Select(row => string.Join(',', row)).Distinct().Count() >= 6);
        var first = 0;
        foreach (var count in new[] { 1, 2, 4 })
        {
            Assert.Equal(together[first..(first + count)], Sample(gpt, condition, first, count, settings));
            first += count;
        }
        using var oneThread = Device.Cpu(1);
        using var same = ModelFiles.LoadGpt(oneThread, RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"), heads: 4);
        using var sameCondition = TensorScope.Detach(oneThread.From(condition.ToFloats(), new Shape(1, 64)));
        Assert.Equal(together, Sample(same, sameCondition, 0, 7, settings));
        Assert.NotEqual(together, Sample(gpt, condition, 0, 7, settings with { Seed = 12 }));
    }

    private static int[][] Sample(GptModel gpt, Tensor condition, int first, int count, GenerationSettings settings) =>
        CodeSampler.Sample(gpt, condition, first, count, settings, cancellation: TestContext.Current.CancellationToken);

    private Tensor Pictures(GoldenTensor picture) => device.From(picture.Floats, new Shape(picture.Axes)).ToChannelsLast();

    private static void CompareActivations(IReadOnlyDictionary<string, GoldenTensor> golden, Trace trace, int atLeast)
    {
        var found = trace.Activations.ToDictionary(a => a.Path, a => a);
        var compared = 0;
        foreach (var (name, expected) in golden.Where(entry => entry.Key.StartsWith("act.", StringComparison.Ordinal)))
        {
            Assert.True(found.TryGetValue(name[4..], out var activation), $"{name} was not recorded");
            Assert.Equal(expected.Axes, activation.Shape.Axes.ToArray());
            GoldenAssert.Close(expected.Floats, activation.Values, name);
            compared++;
        }
        Assert.True(compared >= atLeast, $"only {compared} activations compared");
    }
}
