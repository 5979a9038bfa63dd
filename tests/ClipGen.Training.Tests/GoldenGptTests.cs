using System.Text.Json;
using ClipGen.Checkpoints;
using ClipGen.Models;
using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Testing;
using ClipGen.Training.Checkpoints;
using ClipGen.Training.Gpt;

namespace ClipGen.Training.Tests;

/// <summary>The GPT's training against the reference: gradients, schedule, runs from fresh and from stored optimiser states, and the optional CLIP loss.</summary>
public sealed class GoldenGptTests : IDisposable
{
    private readonly Device device = Device.Cpu();
    private readonly JsonElement json = GoldenRun.Json("gpt", "gpt_tiny.json");

    public void Dispose()
    {
        var live = device.Memory.LiveBlocks;
        device.Dispose();
        Assert.Equal(0, live);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Gradients(bool recompute)
    {
        using var model = Load();
        using var training = New(model, recompute: recompute);
        var golden = GoldenTensors.Load("gpt", "gpt_tiny.safetensors");
        using var scope = new TensorScope();
        var losses = training.Gradients([.. golden["tokens"].Ints.Chunk(16)], device.From(golden["embed"].Floats, new Shape(2, 64)), 0);
        GoldenRun.Loss(json, "loss", losses.Total, GoldenRun.OneLoss);
        GoldenRun.Gradients(golden, model.Parameters, p => p.ToStored(p.Value.Gradient!.ToFloats()), new HashSet<string>());
    }

    [Fact]
    public void GroupsAndOrderAreTheReferences()
    {
        using var model = Load();
        using var training = New(model);
        string[] Names(string list) => [.. json.GetProperty(list).EnumerateArray().Select(name => name.GetString()!)];
        Assert.Equal(Names("decay"), training.Optimizer.Groups[0].Parameters.Select(p => p.Name));
        Assert.Equal(Names("no_decay"), training.Optimizer.Groups[1].Parameters.Select(p => p.Name));
    }

    [Fact]
    public void EightStepsFromAFreshOptimiser() => Run("gpt_tiny_train.safetensors", "trajectory", stored: false);

    [Fact]
    public void TwoStepsFromAStoredOptimiser() => Run("gpt_tiny_resume.safetensors", "resumed", stored: true);

    [Fact]
    public void ClipLoss()
    {
        var golden = GoldenTensors.Load("pipeline", "gpt_train_loss.safetensors");
        using var gpt = Load();
        using var vqganWeights = CheckpointWeights.Open(RepositoryPaths.GoldenFile("vqgan", "vqgan_tiny.pt"), ModelKind.VqGan);
        using var vqgan = VqGanModel.Load(device, vqganWeights, WeightForm.Plain);
        using var clipWeights = CheckpointWeights.Open(RepositoryPaths.GoldenFile("clip", "clip_tiny.pt"), ModelKind.Clip);
        using var clip = ClipModel.Load(device, clipWeights, 2, WeightForm.Plain);
        using var training = new GptTraining(gpt, new GptRecipe { LearningRate = 1e-3, Dropout = 0, ClipWeight = 2.5f }, 0, vqgan, clip);
        using var scope = new TensorScope();
        var tokens = golden["tokens"];
        var losses = training.Gradients([.. tokens.Ints.Chunk((int)tokens.Shape[^1])], device.From(golden["clip_embeds"].Floats, new Shape(golden["clip_embeds"].Axes)), 0);
        var expected = GoldenRun.Json("pipeline", "pipeline.json").GetProperty("train_loss");
        GoldenRun.Loss(expected, "loss_gpt", losses.CrossEntropy, GoldenRun.OneLoss);
        GoldenRun.Loss(expected, "loss_clip", losses.Clip, GoldenRun.OneLoss);
        GoldenRun.Loss(expected, "loss", losses.Total, GoldenRun.OneLoss);
        GoldenRun.Gradients(golden, gpt.Parameters, p => p.ToStored(p.Value.Gradient!.ToFloats()), new HashSet<string>());
    }

    [Fact]
    public void Schedules()
    {
        var schedules = GoldenRun.Json("gpt", "lr_schedule.json");
        var rows = 0;
        foreach (var run in schedules.EnumerateObject().Where(run => run.Value.GetProperty("enabled").GetBoolean()))
        {
            double Number(string name) => run.Value.GetProperty(name).GetDouble();
            var schedule = new WarmupCosineSchedule(Number("lr"), Number("warmup_epochs"), Number("epochs"), Number("min_lr"));
            foreach (var row in run.Value.GetProperty("rows").EnumerateArray())
            {
                var (found, expected) = (schedule.At(row[0].GetDouble()), row[1].GetDouble());
                Assert.True(Math.Abs(found - expected) <= 1e-12 * Math.Abs(expected) + 1e-20, $"{run.Name} at {row[0]}: {found:R}, expected {expected:R}");
                rows++;
            }
        }
        Assert.True(rows > 100);
        Assert.Equal(0.5, new ConstantSchedule(0.5).At(17.25));
    }

    [Fact]
    public void ParametersAreInTheCheckpointsOrder()
    {
        using var model = Load();
        using var checkpoint = Checkpoint.Open(Path);
        Assert.Equal(checkpoint.Tensors.Where(t => t.Name.StartsWith("model.", StringComparison.Ordinal) && !t.Name.EndsWith(".mask", StringComparison.Ordinal)).Select(t => t.Name[6..]), model.Parameters.Select(p => p.Name));
    }

    private static string Path => RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt");

    private GptModel Load()
    {
        using var weights = CheckpointWeights.Open(Path, ModelKind.Gpt);
        return GptModel.Load(device, weights, 4, WeightForm.Trainable);
    }

    private static GptTraining New(GptModel model, bool recompute = false) => new(model, new GptRecipe { LearningRate = 1e-3, Dropout = 0, Recompute = recompute }, 0);

    private void Run(string file, string part, bool stored)
    {
        using var model = Load();
        using var training = New(model);
        if (stored)
        {
            using var checkpoint = Checkpoint.Open(Path);
            Assert.Empty(TrainingCheckpoint.Restore(checkpoint, new TrainingState { Kind = "gpt", Parameters = model.Parameters, Optimizers = [("optimizer", training.Optimizer)], ScoreKey = "val_loss", Configuration = "{}", Seed = 0 }));
            Assert.Equal(3, training.Optimizer.Moments[^1].Steps);
        }
        var start = GoldenRun.Stored(model.Parameters);
        var golden = GoldenTensors.Load("gpt", file);
        var run = json.GetProperty(part);
        var s = run.GetProperty("schedule");
        var schedule = new WarmupCosineSchedule(run.GetProperty("base_lr").GetDouble(), s.GetProperty("warmup_epochs").GetDouble(), s.GetProperty("epochs").GetDouble(), s.GetProperty("min_lr").GetDouble());
        var (tokens, embed) = (golden["tokens"], golden["embed"]);
        var (batch, length, width) = ((int)tokens.Shape[1], (int)tokens.Shape[2], (int)embed.Shape[2]);
        var (number, rates) = (0, 0.0);
        foreach (var expected in run.GetProperty("steps").EnumerateArray())
        {
            using var scope = new TensorScope();
            training.Optimizer.LearningRate = schedule.At(expected.GetProperty("epoch").GetInt32() + expected.GetProperty("step").GetInt32() / s.GetProperty("steps_per_epoch").GetDouble());
            GoldenRun.Loss(expected, "lr", training.Optimizer.LearningRate, 1e-12);
            rates += training.Optimizer.LearningRate;
            var losses = training.Step(number, ([.. tokens.Ints.Skip(number * batch * length).Take(batch * length).Chunk(length)], device.From(embed.Floats.AsSpan(number * batch * width, batch * width).ToArray(), new Shape(batch, width))));
            GoldenRun.Loss(expected, "loss", losses.Total, GoldenRun.RunLoss);
            number++;
        }
        Assert.Equal(run.GetProperty("steps").GetArrayLength(), number);
        var final = golden.Where(pair => pair.Key.StartsWith("final.", StringComparison.Ordinal) && pair.Value.DType == "F32").ToDictionary(pair => pair.Key[6..], pair => pair.Value.Floats);
        GoldenRun.Final(final, start, model.Parameters, 1e-3, 2 * rates, new HashSet<string>());
    }
}
