using ClipGen.Tensors;
using ClipGen.Training.Reporting;

namespace ClipGen.Training.Tests;

/// <summary>A run whose numbers stop being finite ends with one line that says where, and leaves its checkpoint as it was.</summary>
public sealed class DivergenceTests
{
    [Theory]
    [InlineData("vqgan", "decoder.conv_in.bias", "Conv2d gave")]
    [InlineData("gpt", "blocks.1.encoder.linear2.bias", "MatMulTransposed gave")]
    [InlineData("clip", "visual.ln_pre.bias", "LayerNorm gave")]
    public void TheOpIsNamed(string kind, string weight, string op)
    {
        using var place = new TemporaryFolder();
        using var device = Device.Cpu(2);
        using (var trainer = TinyRuns.New(kind, device))
        using (var folder = RunFolder.Open(place.Path))
        {
            TinyRuns.Run(trainer, folder, resumed: false, 3);
            var before = File.ReadAllBytes(folder.LatestCheckpoint);
            var broken = trainer.State.Parameters.Single(parameter => parameter.Name == weight).Value;
            device.Backend.Upload<float>([float.PositiveInfinity, .. broken.ToFloats()[1..]], broken.Floats);
            var failure = Assert.Throws<DivergedException>(() => TinyRuns.Run(trainer, folder, resumed: true, 0, saveEvery: "1"));
            Assert.StartsWith("training diverged at epoch 0, step 3: ", failure.Message);
            Assert.True(failure.Message.Contains(op, StringComparison.Ordinal), failure.Message);
            Assert.Contains($"{folder.LatestCheckpoint} is as it was at the last save", failure.Message);
            Assert.DoesNotContain('\n', failure.Message);
            Assert.Equal(before, File.ReadAllBytes(folder.LatestCheckpoint));
            Assert.DoesNotContain(place.Names, name => name.EndsWith(".tmp", StringComparison.Ordinal));
        }
        Assert.Equal(0, device.Memory.LiveBlocks);
    }

    [Theory]
    [MemberData(nameof(TinyRuns.Kinds), MemberType = typeof(TinyRuns))]
    public void WithAHugeLearningRate(string kind)
    {
        using var place = new TemporaryFolder();
        using var device = Device.Cpu(2);
        // Above the largest float: the first update is infinite, while the loss before it is not.
        using var trainer = TinyRuns.New(kind, device, options: new TinyOptions { Schedule = new ConstantSchedule(1e39), DiscriminatorStart = 0 });
        using var folder = RunFolder.Open(place.Path);
        var failure = Assert.Throws<DivergedException>(() => TinyRuns.Run(trainer, folder, resumed: false, 0, saveEvery: "1"));
        Assert.StartsWith("training diverged", failure.Message);
        Assert.Contains("begin again with a smaller --lr", failure.Message);
        Assert.Empty(folder.ResumeCandidates());
    }

    [Fact]
    public void ACodebookThatCollapsesIsReported()
    {
        using var place = new TemporaryFolder();
        using var device = Device.Cpu(2);
        using var log = new StringWriter();
        // Five steps of four pictures see 2880 latents; that they choose fewer than a tenth of 4096 codes is certain, for a new codebook lies in one spot.
        using var trainer = TinyRuns.New("vqgan", device, options: new TinyOptions { Codes = 4096, RestartEvery = 0, QuantizeFrom = 0 });
        using var folder = RunFolder.Open(place.Path);
        TinyRuns.Run(trainer, folder, resumed: false, 5, log: log);
        Assert.Single(log.ToString().Split('\n'), line => line.StartsWith("warning: the codebook is collapsing: epoch 0 chose ", StringComparison.Ordinal) && line.EndsWith("--restart-codes 100 gives unused codes another chance", StringComparison.Ordinal));
        var table = MetricsTable.Read(folder.MetricsPath);
        var (used, perplexity) = (table.Series("train/codes_used")[0].Value, table.Series("train/perplexity")[0].Value);
        Assert.InRange(used, 1.0 / 4096, 0.1);
        // Never more than the codes that were used.
        Assert.InRange(perplexity, 1, used * 4096 + 1e-9);
    }
}
