using System.Security.Cryptography;
using System.Text.Json;
using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.Lpips;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Testing;

namespace ClipGen.Models.Tests;

/// <summary>The models at full size, on computed weights, against the reference's outputs.</summary>
[Collection("full size")]
public sealed class FullSizeTests
{
    [Theory]
    [InlineData("clip_full")]
    [InlineData("gpt_full")]
    [InlineData("vqgan_full")]
    [InlineData("lpips_full")]
    public void ComputedWeightsAreThoseOfTheRule(string name)
    {
        var tensors = name switch
        {
            "clip_full" => ReleasedModels.ClipVitB32,
            "gpt_full" => ReleasedModels.GptMedium,
            "vqgan_full" => ReleasedModels.VqGanCoco,
            _ => ReleasedModels.Vgg16Lpips,
        };
        using var golden = Json("full", $"{name}.json");
        var weights = golden.RootElement.GetProperty("weights");
        Assert.Equal(weights.GetProperty("tensors").GetInt32(), tensors.Count);
        Assert.Equal(weights.GetProperty("elements").GetInt64(), tensors.Sum(tensor => tensor.Shape.Aggregate(1L, (product, axis) => product * axis)));
        var checkedTensors = 0;
        foreach (var sample in weights.GetProperty("samples").EnumerateObject())
        {
            var tensor = tensors.Single(t => t.Name == sample.Name);
            var values = new float[tensor.Shape.Aggregate(1L, (product, axis) => product * axis)];
            ComputedWeights.Fill(tensor.Name, [.. tensor.Shape], 0, values);
            var bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values).ToArray();
            if (tensor.Name.EndsWith(".mask", StringComparison.Ordinal)) bytes = [.. values.Select(v => (byte)v)];
            if (tensor.Name.EndsWith("num_batches_tracked", StringComparison.Ordinal)) bytes = new byte[8];
            Assert.True(sample.Value.GetProperty("sha256").GetString() == Convert.ToHexStringLower(SHA256.HashData(bytes)), $"{sample.Name} differs from the rule");
            checkedTensors++;
        }
        Assert.True(checkedTensors >= 8);
    }

    [Theory]
    [InlineData("state_dict_clip_vit_b32")]
    [InlineData("state_dict_gpt_coco")]
    [InlineData("state_dict_vqgan_coco")]
    [InlineData("state_dict_vgg16_lpips")]
    public void ReleasedNamesAndShapes(string name)
    {
        var tensors = name switch
        {
            "state_dict_clip_vit_b32" => ReleasedModels.ClipVitB32,
            "state_dict_gpt_coco" => ReleasedModels.GptMedium,
            "state_dict_vqgan_coco" => ReleasedModels.VqGanCoco,
            _ => ReleasedModels.Vgg16Lpips,
        };
        using var golden = Json("full", $"{name}.json");
        Assert.Equal(
            golden.RootElement.EnumerateArray().Select(entry => $"{entry.GetProperty("name").GetString()} [{string.Join(",", entry.GetProperty("shape").EnumerateArray().Select(axis => axis.GetInt64()))}]"),
            tensors.Select(tensor => $"{tensor.Name} [{string.Join(",", tensor.Shape)}]"));
    }

    [Fact]
    public void Clip()
    {
        var golden = GoldenTensors.Load("full", "clip_full.safetensors");
        using var device = Device.Cpu();
        using (var clip = ClipModel.Load(device, new ComputedWeights("clip", ReleasedModels.ClipVitB32)))
        {
            Assert.Equal(224, clip.Config.ImageSize);
            using var scope = new TensorScope();
            float[] mean = [0.48145466f, 0.4578275f, 0.40821073f], std = [0.26862954f, 0.26130258f, 0.27577711f];
            var pixels = golden["images_u8"].Bytes;
            var channels = new float[pixels.Length];
            for (var i = 0; i < pixels.Length; i++)
            {
                var c = i / (224 * 224) % 3;
                channels[i] = (pixels[i] / 255f - mean[c]) / std[c];
            }
            var images = device.From(GoldenAssert.ToChannelsLast(channels, 2, 3, 224, 224), new Shape(2, 224, 224, 3));
            using var trace = new Trace();
            var imageFeatures = clip.EncodeImage(images);
            GoldenAssert.Close(golden["image_features"].Floats, imageFeatures.ToFloats(), "image features");
            var textFeatures = clip.EncodeText(Rows(golden["tokens"], 77));
            GoldenAssert.Close(golden["text_features"].Floats, textFeatures.ToFloats(), "text features");
            CompareActivations("clip_full.json", "activations_batch_first", trace);
            trace.Dispose();

            // Without a trace the fused path runs: it must agree as well.
            GoldenAssert.Close(golden["image_embeds"].Floats, clip.EncodeImage(images).L2Normalize().ToFloats(), "image embeddings");
            var textEmbeds = clip.EncodeText(Rows(golden["tokens"], 77)).L2Normalize();
            GoldenAssert.Close(golden["text_embeds"].Floats, textEmbeds.ToFloats(), "text embeddings");
            GoldenAssert.Close(golden["text_features_truncated"].Floats, clip.EncodeText(Rows(golden["tokens_truncated"], 77)).ToFloats(), "over-long texts");
        }
        Assert.Equal(0, device.Memory.LiveBlocks);
    }

    [Fact]
    public void Gpt()
    {
        var golden = GoldenTensors.Load("full", "gpt_full.safetensors");
        using var device = Device.Cpu();
        using (var gpt = GptModel.Load(device, new ComputedWeights("gpt", ReleasedModels.GptMedium)))
        {
            using var scope = new TensorScope();
            var embed = device.From(golden["embed"].Floats, new Shape(2, 512));
            var tokens = device.From(golden["tokens"].Ints, new Shape(2, 32));
            float[] logits;
            using (var trace = new Trace())
            {
                logits = gpt.Forward(tokens, embed).ToFloats();
                CompareActivations("gpt_full.json", "activations", trace);
            }
            var entries = golden["picked_entries"].Ints;
            var rows = logits.Length / 16384;
            GoldenAssert.Close(golden["logits_picked"].Floats, [.. Enumerable.Range(0, rows).SelectMany(r => entries.Select(e => logits[r * 16384 + e]))], "picked logits");
            GoldenAssert.Close(golden["logits_last"].Floats, [.. logits.AsSpan(32 * 16384, 16384), .. logits.AsSpan(65 * 16384, 16384)], "last logits");
            Assert.Equal(golden["argmax"].Ints, Enumerable.Range(0, rows).Select(r => Array.IndexOf(logits, logits.AsSpan(r * 16384, 16384).ToArray().Max(), r * 16384) - r * 16384));
            GoldenAssert.Close(golden["logsumexp"].Floats, [.. Enumerable.Range(0, rows).Select(r => LogSumExp(logits.AsSpan(r * 16384, 16384)))], "log sum exp");

            Assert.Equal(golden["greedy_from_nothing"].Ints, Greedy(gpt, embed, null, 16));
            Assert.Equal(golden["greedy_continuation"].Ints, Greedy(gpt, embed, golden["tokens"].Ints, 16));
        }
        Assert.Equal(0, device.Memory.LiveBlocks);
    }

    [Fact]
    public void VqGan()
    {
        var golden = GoldenTensors.Load("full", "vqgan_full.safetensors");
        using var device = Device.Cpu();
        using (var vqgan = VqGanModel.Load(device, new ComputedWeights("vqgan", ReleasedModels.VqGanCoco)))
        {
            using var scope = new TensorScope();
            var pixels = golden["image_u8"].Bytes.Select(v => v / 127.5f - 1).ToArray();
            var picture = device.From(GoldenAssert.ToChannelsLast(pixels, 1, 3, 256, 256), new Shape(1, 256, 256, 3));
            float[] reconstruction;
            using (var trace = new Trace())
            {
                var traced = vqgan.Reconstruct(picture);
                reconstruction = traced.ToFloats();
                GoldenAssert.Close(golden["disc_logits_of_recon"].Floats, vqgan.Discriminator!.Forward(traced).ToFloats(), "discriminator, traced");
                CompareActivations("vqgan_full.json", "activations", trace);
            }
            var z = vqgan.Encode(picture);
            GoldenAssert.Close(GoldenAssert.ToChannelsLast(golden["z"].Floats, 1, 256, 16, 16), z.ToFloats(), "z");
            var codes = vqgan.Quantize(z);
            Assert.Equal(golden["indices"].Ints, codes.ToArray<int>());

            var fused = vqgan.Reconstruct(picture);
            foreach (var values in new[] { reconstruction, fused.ToFloats() })
                foreach (var (top, left) in new[] { (0, 0), (104, 88), (208, 208) })
                {
                    var crop = new List<float>();
                    for (var c = 0; c < 3; c++)
                        for (var h = 0; h < 48; h++)
                            for (var w = 0; w < 48; w++)
                                crop.Add(values[((top + h) * 256 + left + w) * 3 + c]);
                    GoldenAssert.Close(golden[$"recon_crop_{top}_{left}"].Floats, [.. crop], $"crop {top},{left}");
                }
            // Decoding e itself instead of z + (e − z) differs by 8e-6 in the reference.
            var fromCodes = vqgan.DecodeCodes(codes).ToFloats();
            var means = new float[3 * 32 * 32];
            for (var h = 0; h < 256; h++)
                for (var w = 0; w < 256; w++)
                    for (var c = 0; c < 3; c++)
                        means[(c * 32 + h / 8) * 32 + w / 8] += fromCodes[(h * 256 + w) * 3 + c] / 64;
            GoldenAssert.Close(golden["recon_mean8x8"].Floats, means, "block means from codes", 5e-5);
            GoldenAssert.Close(golden["disc_logits_of_recon"].Floats, vqgan.Discriminator!.Forward(fused).ToFloats(), "discriminator");
        }
        Assert.Equal(0, device.Memory.LiveBlocks);
    }

    [Fact]
    public void Lpips()
    {
        var golden = GoldenTensors.Load("full", "lpips_full.safetensors");
        using var device = Device.Cpu();
        using (var lpips = LpipsModel.Load(device, new ComputedWeights("lpips", ReleasedModels.Vgg16Lpips)))
        {
            foreach (var (pair, size) in new[] { ("pair0", 64), ("pair1", 160) })
            {
                using var scope = new TensorScope();
                Tensor Picture(string name) => device.From(GoldenAssert.ToChannelsLast([.. golden[$"{pair}.{name}"].Bytes.Select(v => v / 127.5f - 1)], 1, 3, size, size), new Shape(1, size, size, 3));
                var layers = lpips.PerLayer(Picture("a_u8"), Picture("b_u8"));
                GoldenAssert.Close(golden[$"{pair}.per_layer"].Floats, [.. layers.Select(layer => layer[0])], $"{pair} per layer");
                GoldenAssert.Close(golden[$"{pair}.value"].Floats, lpips.Distance(Picture("a_u8"), Picture("b_u8")), $"{pair} distance");
            }
        }
        Assert.Equal(0, device.Memory.LiveBlocks);
    }

    internal static JsonDocument Json(params string[] parts) => JsonDocument.Parse(File.ReadAllBytes(RepositoryPaths.GoldenFile(parts)));

    internal static int[][] Rows(GoldenTensor tokens, int length) => [.. tokens.Ints.Chunk(length)];

    private static float LogSumExp(ReadOnlySpan<float> row)
    {
        var max = float.NegativeInfinity;
        foreach (var value in row) max = MathF.Max(max, value);
        var sum = 0.0;
        foreach (var value in row) sum += Math.Exp((double)value - max);
        return (float)(max + Math.Log(sum));
    }

    private static int[] Greedy(GptModel gpt, Tensor embed, int[]? prefix, int count)
    {
        using var decoder = gpt.StartDecoding(embed);
        for (var t = 0; prefix is not null && t < prefix.Length / 2; t++)
        {
            using var given = gpt.Device.From([prefix[t], prefix[prefix.Length / 2 + t]], new Shape(2));
            decoder.Append(given);
        }
        var codes = new int[2 * count];
        for (var t = 0; t < count; t++)
        {
            using var chosen = decoder.Logits.ArgMaxRows();
            (codes[t], codes[count + t]) = (chosen.ToArray<int>()[0], chosen.ToArray<int>()[1]);
            if (t + 1 < count) decoder.Append(chosen);
        }
        return codes;
    }

    /// <summary>Mean, root mean square and the values at both ends of every activation the reference recorded.</summary>
    private static void CompareActivations(string file, string property, Trace trace)
    {
        using var golden = Json("full", file);
        var found = trace.Activations.ToDictionary(a => a.Path, a => a);
        var compared = 0;
        foreach (var expected in golden.RootElement.GetProperty(property).EnumerateObject())
        {
            Assert.True(found.TryGetValue(expected.Name, out var activation), $"activation {expected.Name} was not recorded");
            var values = activation.Values;
            Assert.Equal(expected.Value.GetProperty("shape").EnumerateArray().Select(axis => axis.GetInt32()), activation.Shape.Axes.ToArray());
            var rms = Math.Sqrt(values.Average(v => (double)v * v));
            var expectedRms = expected.Value.GetProperty("rms").GetDouble();
            Assert.True(Math.Abs(rms - expectedRms) < 1e-5 * expectedRms, $"{expected.Name}: rms {rms:R}, expected {expectedRms:R}");
            // A mean of values of size rms: each may be off by 1e-5 of it.
            Assert.True(Math.Abs(values.Average(v => (double)v) - expected.Value.GetProperty("mean").GetDouble()) < 1e-5 * expectedRms, $"{expected.Name}: mean");
            var ends = expected.Value.GetProperty("first").EnumerateArray().Concat(expected.Value.GetProperty("last").EnumerateArray()).Select(v => v.GetDouble()).ToArray();
            float[] foundEnds = [.. values[..4], .. values[^4..]];
            for (var i = 0; i < ends.Length; i++)
                Assert.True(Math.Abs(foundEnds[i] - ends[i]) < 5e-5 * expectedRms, $"{expected.Name}: value {foundEnds[i]:R}, expected {ends[i]:R}");
            compared++;
        }
        Assert.True(compared > 5, $"only {compared} activations compared");
    }
}

/// <summary>Full-size models hold gigabytes: one test at a time.</summary>
[CollectionDefinition("full size", DisableParallelization = true)]
public sealed class FullSizeCollection;
