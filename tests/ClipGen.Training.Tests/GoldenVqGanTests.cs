using System.Text.Json;
using ClipGen.Checkpoints;
using ClipGen.Models;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Testing;
using ClipGen.Training.Checkpoints;
using ClipGen.Training.VqGan;

namespace ClipGen.Training.Tests;

/// <summary>The VQ-GAN's training against the reference: losses, adaptive weight, every gradient, running statistics, runs from fresh and from stored optimiser states.</summary>
public sealed class GoldenVqGanTests : IDisposable
{
    private readonly Device device = Device.Cpu();
    private readonly JsonElement json = GoldenRun.Json("vqgan", "vqgan_tiny.json");

    public void Dispose()
    {
        var live = device.Memory.LiveBlocks;
        device.Dispose();
        Assert.Equal(0, live);
    }

    [Fact]
    public void GeneratorGradients()
    {
        using var model = Load();
        using var training = New(model);
        var golden = GoldenTensors.Load("vqgan", "vqgan_tiny_stage0.safetensors");
        using var scope = new TensorScope();
        var losses = training.GeneratorGradients(GoldenRun.Pictures(device, golden["x"].Floats, 2, 3, 64, 64), quantized: true, adversarial: true);
        var expected = json.GetProperty("stage0");
        GoldenRun.Loss(expected, "loss_l1", losses.L1, GoldenRun.OneLoss);
        GoldenRun.Loss(expected, "loss_quant", losses.Quantizer, GoldenRun.OneLoss);
        GoldenRun.Loss(expected, "loss_disc", losses.Adversarial, GoldenRun.OneLoss);
        GoldenRun.Loss(expected, "weight_d", losses.AdversarialWeight, GoldenRun.OneLoss);
        GoldenRun.Loss(expected, "loss_g", losses.Generator, GoldenRun.OneLoss);
        GoldenRun.Gradients(golden, model.Parameters, p => p.ToStored(p.Value.Gradient!.ToFloats()), Vanishing(expected));
        Assert.All(model.Parameters.Where(p => p.Name.StartsWith("discriminator.", StringComparison.Ordinal)), p => Assert.Null(p.Value.Gradient));
        Buffers(golden, model);
    }

    [Fact]
    public void DiscriminatorGradients()
    {
        using var model = Load();
        using var training = New(model);
        using var scope = new TensorScope();
        var pictures = GoldenRun.Pictures(device, GoldenTensors.Load("vqgan", "vqgan_tiny_stage0.safetensors")["x"].Floats, 2, 3, 64, 64);
        var golden = GoldenTensors.Load("vqgan", "vqgan_tiny_stage1.safetensors");
        var loss = training.DiscriminatorGradients(pictures);
        var expected = json.GetProperty("stage1");
        GoldenRun.Loss(expected, "loss_d", loss, GoldenRun.OneLoss);
        GoldenRun.Gradients(golden, model.Parameters, p => p.ToStored(p.Value.Gradient!.ToFloats()), Vanishing(expected));
        Buffers(golden, model);
    }

    [Fact]
    public void SixStepsFromFreshOptimisers() => Run("vqgan_tiny_train.safetensors", "trajectory", stored: false);

    [Fact]
    public void ThreeStepsFromStoredOptimisers() => Run("vqgan_tiny_resume.safetensors", "resumed", stored: true);

    [Fact]
    public void ParametersAreInTheCheckpointsOrder()
    {
        using var model = Load();
        using var checkpoint = Checkpoint.Open(Path);
        Assert.Equal(checkpoint.Tensors.Where(t => t.Name.StartsWith("model.", StringComparison.Ordinal)).Select(t => t.Name[6..]), model.Parameters.Select(p => p.Name));
    }

    private static string Path => RepositoryPaths.GoldenFile("vqgan", "vqgan_tiny.pt");

    private VqGanModel Load()
    {
        using var weights = CheckpointWeights.Open(Path, ModelKind.VqGan);
        return VqGanModel.Load(device, weights, WeightForm.Trainable);
    }

    private VqGanTraining New(VqGanModel model) => new(model, null, new VqGanRecipe { LearningRate = json.GetProperty("lr").GetDouble(), PerceptualWeight = 0 });

    private void Run(string file, string part, bool stored)
    {
        using var model = Load();
        using var training = New(model);
        if (stored)
        {
            using var checkpoint = Checkpoint.Open(Path);
            Assert.Empty(TrainingCheckpoint.Restore(checkpoint, State(model, training)));
            Assert.Equal(3, training.Generator.Moments[0].Steps);
        }
        var start = GoldenRun.Stored(model.Parameters);
        var golden = GoldenTensors.Load("vqgan", file);
        var steps = json.GetProperty(part).GetProperty("steps");
        var x = golden["x"];
        var size = x.Shape[1..].Aggregate(1L, (product, axis) => product * axis);
        var number = 0;
        foreach (var expected in steps.EnumerateArray())
        {
            using var scope = new TensorScope();
            var losses = training.Step(quantized: true, adversarial: true, GoldenRun.Pictures(device, x.Floats.AsSpan((int)(number * size), (int)size), 2, 3, 64, 64));
            GoldenRun.Loss(expected, "loss_l1", losses.L1, GoldenRun.RunLoss);
            GoldenRun.Loss(expected, "loss_quant", losses.Quantizer, GoldenRun.RunLoss);
            GoldenRun.Loss(expected, "loss_disc", losses.Adversarial, GoldenRun.RunLoss);
            GoldenRun.Loss(expected, "weight_d", losses.AdversarialWeight, GoldenRun.RunLoss);
            GoldenRun.Loss(expected, "loss_g", losses.Generator, GoldenRun.RunLoss);
            GoldenRun.Loss(expected, "loss_d", losses.Discriminator, GoldenRun.RunLoss);
            if (golden.TryGetValue("indices", out var indices))
            {
                var perStep = (int)(indices.Count / indices.Shape[0] / 2);
                Assert.Equal(indices.Ints.AsSpan(2 * number * perStep, perStep).ToArray(), losses.Codes);
            }
            number++;
        }
        Assert.Equal(steps.GetArrayLength(), number);
        var final = golden.Where(pair => pair.Key.StartsWith("final.", StringComparison.Ordinal) && pair.Value.DType == "F32").ToDictionary(pair => pair.Key[6..], pair => pair.Value.Floats);
        foreach (var (name, delta) in golden.Where(pair => pair.Key.StartsWith("delta.", StringComparison.Ordinal)))
            final[name[6..]] = [.. delta.Floats.Zip(start[name[6..]], (d, s) => d + s)];
        // Running statistics follow the batches, not the optimiser; their update is compared like a parameter's.
        GoldenRun.Final(final, start, model.Parameters, 2e-2, 2 * training.Recipe.LearningRate * number, Vanishing(json.GetProperty("stage0")));
    }

    internal static TrainingState State(VqGanModel model, VqGanTraining training) => new()
    {
        Kind = "vqgan",
        Parameters = model.Parameters,
        Optimizers = [("opt_g", training.Generator), ("opt_d", training.Discriminator)],
        ScoreKey = "loss_recon",
        Configuration = "{}",
        Seed = 0,
    };

    private static void Buffers(IReadOnlyDictionary<string, GoldenTensor> golden, VqGanModel model)
    {
        var buffers = golden.Where(pair => pair.Key.StartsWith("buffer_after.", StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(buffers);
        foreach (var (name, value) in buffers)
        {
            var found = model.Parameters.Single(p => p.Name == name[13..]).ToStored();
            if (value.DType == "I64") Assert.Equal(value.Longs[0], (long)found[0]);
            else Assert.True(GoldenTensors.RelativeError(value.Floats, found) < 1e-5, name);
        }
    }

    private static HashSet<string> Vanishing(JsonElement part) =>
        [.. part.GetProperty("fp32_vs_fp64").GetProperty("gradients").GetProperty("analytically_zero").EnumerateArray().Select(name => name.GetString()!)];
}
