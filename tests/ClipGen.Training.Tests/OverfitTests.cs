using ClipGen.Tensors;

namespace ClipGen.Training.Tests;

/// <summary>One batch again and again: what learns at all learns that by heart. The bounds leave room for another order of rounding, not for a wrong gradient.</summary>
public sealed class OverfitTests
{
    [Theory]
    [InlineData("vqgan", "loss_recon", 5e-3, 80, 0.5)]
    [InlineData("gpt", "loss", 5e-3, 60, 0.25)]
    [InlineData("clip", "loss", 2e-3, 80, 0.25)]
    public void TheLossFalls(string kind, string metric, double rate, int steps, double share)
    {
        using var device = Device.Cpu();
        var options = new TinyOptions { Overfit = true, Accumulate = 1, Rate = rate, DiscriminatorStart = -1, Dropout = 0, Noise = 0, RestartEvery = 10, QuantizeFrom = 0, Schedule = new ConstantSchedule(rate) };
        if (kind == "vqgan") options = options with { DiscriminatorStart = 1000 };
        using var trainer = TinyRuns.New(kind, device, options: options);
        double first = 0, last = 0;
        for (var step = 0; step < steps; step++)
        {
            last = trainer.Step(step / trainer.StepsPerEpoch, step % trainer.StepsPerEpoch, TestContext.Current.CancellationToken)[metric];
            if (step == 0) first = last;
        }
        Assert.True(last <= share * first, $"{metric} was {first:G4} and is {last:G4}, expected at most {share} of it");
    }
}
