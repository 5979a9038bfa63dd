using ClipGen.Checkpoints;
using ClipGen.Models;
using ClipGen.Models.Gpt;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Testing;
using ClipGen.Training.Checkpoints;
using ClipGen.Training.Gpt;
using ClipGen.Training.VqGan;

namespace ClipGen.Training.Tests;

/// <summary>The files of runs: the reference's content in the reference's form, and refusals of what belongs to another model.</summary>
public sealed class TrainingCheckpointTests : IDisposable
{
    private readonly Device device = Device.Cpu(2);
    private readonly TemporaryFolder place = new();

    public void Dispose()
    {
        place.Dispose();
        device.Dispose();
    }

    [Theory]
    [InlineData("gpt", "gpt_tiny.pt", "optimizer")]
    [InlineData("vqgan", "vqgan_tiny.pt", "opt_g opt_d")]
    public void TheReferencesStateComesBackAsItWas(string kind, string name, string optimizers)
    {
        var path = RepositoryPaths.GoldenFile(kind, name);
        using var checkpoint = Checkpoint.Open(path);
        using var training = kind == "gpt" ? (IDisposable)Gpt(out var state) : VqGan(out state);
        Assert.Empty(TrainingCheckpoint.Restore(checkpoint, state));
        TrainingCheckpoint.Write(place["ours.pt"], state);

        using var ours = Checkpoint.Open(place["ours.pt"]);
        static bool IsOwn(string key) => key.StartsWith("clipgen.", StringComparison.Ordinal);
        Assert.Equal(checkpoint.Tensors.Select(tensor => tensor.ToString()).Order(StringComparer.Ordinal), ours.Tensors.Where(tensor => !IsOwn(tensor.Name)).Select(tensor => tensor.ToString()).Order(StringComparer.Ordinal));
        // The state dict's order is the order of PyTorch's modules.
        static IEnumerable<string> Model(Checkpoint of) => of.Tensors.Select(tensor => tensor.Name).Where(tensor => tensor.StartsWith("model.", StringComparison.Ordinal));
        Assert.Equal(Model(checkpoint), Model(ours));
        foreach (var tensor in checkpoint.Tensors) Assert.True(TinyRuns.Bytes(tensor).AsSpan().SequenceEqual(TinyRuns.Bytes(ours.Find(tensor.Name)!)), $"{tensor} differs");
        // Every number and key beside the tensors: place, score, the groups' settings, the parameters' numbers.
        Assert.Equal(checkpoint.Values.Keys.Order(StringComparer.Ordinal), ours.Values.Keys.Where(key => !IsOwn(key)).Order(StringComparer.Ordinal));
        foreach (var (key, value) in checkpoint.Values)
            Assert.Equal(checkpoint.FindNumber(key) ?? value, ours.FindNumber(key) ?? ours.Values[key]);
        Assert.All(optimizers.Split(' '), key => Assert.True(ours.FindNumber($"{key}.param_groups.0.lr") > 0));
    }

    [Fact]
    public void AnotherKindOfRunIsRefused()
    {
        var path = Saved("clip");
        using var gpt = TinyRuns.New("gpt", device);
        AssertRefused(path, gpt.State, "is a checkpoint of `train clip`; expected one of `train gpt`");
    }

    [Theory]
    [InlineData("vqgan")]
    [InlineData("gpt")]
    [InlineData("clip")]
    public void AnotherModelsMomentsAreRefused(string kind)
    {
        // The same kind of run, with moments of other shapes: those of the golden models, or of another codebook.
        using var trainer = TinyRuns.New(kind, device, options: new TinyOptions { Codes = 16 });
        var path = kind switch { "gpt" => RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"), "vqgan" => Saved("vqgan"), _ => WithMomentsOf(Saved("clip")) };
        AssertRefused(path, trainer.State, "the checkpoint belongs to another model");
    }

    [Fact]
    public void PlacesThatNoRunReachesAreRefused()
    {
        PyTorchWriter.Write(place["far.pt"], PyTorchValue.Dict(("epoch", long.MaxValue), ("step", 0L)));
        PyTorchWriter.Write(place["negative.pt"], PyTorchValue.Dict(("epoch", 0L), ("step", -1L)));
        using var trainer = TinyRuns.New("clip", device);
        AssertRefused(place["far.pt"], trainer.State, "expected numbers from 0");
        AssertRefused(place["negative.pt"], trainer.State, "expected numbers from 0");
    }

    [Fact]
    public void AnOptimiserThatHasNotBegunIsNoGap()
    {
        using (var trainer = TinyRuns.New("vqgan", device)) TrainingCheckpoint.Write(place["new.pt"], trainer.State);
        using var again = TinyRuns.Resumed("vqgan", device, place["new.pt"]);
        using var bare = TinyRuns.New("vqgan", device);
        PyTorchWriter.Write(place["bare.pt"], PyTorchValue.Dict(("epoch", 1L), ("step", 0L)));
        using var checkpoint = Checkpoint.Open(place["bare.pt"]);
        Assert.Equal(2, TrainingCheckpoint.Restore(checkpoint, bare.State).Count(remark => remark.Contains("no optimiser state", StringComparison.Ordinal)));
    }

    private GptTraining Gpt(out TrainingState state)
    {
        using var weights = CheckpointWeights.Open(RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"), ModelKind.Gpt);
        var model = GptModel.Load(device, weights, 4, WeightForm.Trainable);
        var training = new GptTraining(model, new GptRecipe { LearningRate = 1 }, 0);
        state = new TrainingState
        {
            Kind = "gpt",
            Parameters = model.Parameters,
            Optimizers = [("optimizer", training.Optimizer)],
            ScoreKey = "val_loss",
            ScalerKey = "scaler",
            Configuration = "{}",
            Seed = 0,
            Masks = [.. Enumerable.Range(0, model.Config.Layers).Select(i => new ConstantMask($"blocks.{i}.mask", model.Config.BlockSize, $"blocks.{i}.encoder.self_attn.in_proj_weight"))],
        };
        return training;
    }

    private VqGanTraining VqGan(out TrainingState state)
    {
        using var weights = CheckpointWeights.Open(RepositoryPaths.GoldenFile("vqgan", "vqgan_tiny.pt"), ModelKind.VqGan);
        var model = VqGanModel.Load(device, weights, WeightForm.Trainable);
        var training = new VqGanTraining(model, null, new VqGanRecipe { LearningRate = 1, PerceptualWeight = 0 });
        state = new TrainingState { Kind = "vqgan", Parameters = model.Parameters, Optimizers = [("opt_g", training.Generator), ("opt_d", training.Discriminator)], ScoreKey = "loss_recon", Configuration = "{}", Seed = 0 };
        return training;
    }

    private string Saved(string kind)
    {
        // With codes from the first step on, so that every parameter has its moments.
        using var trainer = TinyRuns.New(kind, device, options: new TinyOptions { QuantizeFrom = 0 });
        trainer.Step(0, 0, TestContext.Current.CancellationToken);
        TrainingCheckpoint.Write(place[$"{kind}.pt"], trainer.State);
        return place[$"{kind}.pt"];
    }

    // One moment more than the model has parameters.
    private string WithMomentsOf(string path)
    {
        using var checkpoint = Checkpoint.Open(path);
        const string state = "optimizer.state.";
        var moments = checkpoint.Tensors.Where(tensor => tensor.Name.StartsWith(state, StringComparison.Ordinal)).Select(TensorSource.From).ToList();
        var count = moments.Count(tensor => tensor.Name.EndsWith(".exp_avg", StringComparison.Ordinal));
        SafetensorsWriter.Write(place["more.safetensors"], [.. moments, TensorSource.From($"{state}{count}.exp_avg", [0f], 1)], new Dictionary<string, string> { ["epoch"] = "0", ["step"] = "1" });
        return place["more.safetensors"];
    }

    private static void AssertRefused(string path, TrainingState state, string reason)
    {
        using var checkpoint = Checkpoint.Open(path);
        var message = Assert.Throws<CheckpointException>(() => TrainingCheckpoint.Restore(checkpoint, state)).Message;
        Assert.StartsWith(path, message);
        Assert.Contains(reason, message);
        Assert.DoesNotContain('\n', message);
    }
}
