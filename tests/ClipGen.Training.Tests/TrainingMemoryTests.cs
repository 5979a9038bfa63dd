using ClipGen.Tensors;

namespace ClipGen.Training.Tests;

/// <summary>A step frees what it made: after the thirtieth as much memory is held as after the third, and no more was ever needed.</summary>
public sealed class TrainingMemoryTests
{
    [Theory]
    [MemberData(nameof(TinyRuns.Kinds), MemberType = typeof(TinyRuns))]
    public void StaysFlat(string kind)
    {
        using var device = Device.Cpu(2);
        using (var trainer = TinyRuns.New(kind, device, options: new TinyOptions { DiscriminatorStart = 0, QuantizeFrom = 0 }))
        {
            void Steps(int from, int to)
            {
                for (var step = from; step < to; step++) trainer.Step(step / trainer.StepsPerEpoch, step % trainer.StepsPerEpoch, TestContext.Current.CancellationToken);
            }
            Steps(0, 3);
            var early = device.Memory;
            Steps(3, 30);
            Assert.Equal(early, device.Memory);
            // These two may need more than a step, and keep nothing of it.
            trainer.Validate(TestContext.Current.CancellationToken);
            trainer.Preview(TestContext.Current.CancellationToken);
            Assert.Equal((early.LiveBytes, early.LiveBlocks), (device.Memory.LiveBytes, device.Memory.LiveBlocks));
        }
        Assert.Equal((0L, 0L), (device.Memory.LiveBytes, device.Memory.LiveBlocks));
    }
}
