using ClipGen.Checkpoints;
using ClipGen.Tensors;
using ClipGen.Training.Checkpoints;
using ClipGen.Training.Control;
using ClipGen.Training.Reporting;

namespace ClipGen.Training.Tests;

/// <summary>A folder for runs of a <see cref="ScriptedTrainer"/>.</summary>
public abstract class ScriptedRun : IDisposable
{
    private protected Device Device { get; } = Device.Cpu(1);

    private protected TemporaryFolder Place { get; } = new();

    public void Dispose()
    {
        Place.Dispose();
        Device.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected ScriptedTrainer Resumed(params double[] validations)
    {
        var trainer = new ScriptedTrainer(Device, validations);
        using var checkpoint = Checkpoint.Open(Place["latest.pt"]);
        Assert.Empty(TrainingCheckpoint.Restore(checkpoint, trainer.State));
        // The weights come from the file with the model.
        trainer.SetWeight(Saved("latest.pt").Weight);
        return trainer;
    }

    private protected TrainingResult Run(ScriptedTrainer trainer, long maxSteps, string saveEvery = "1h", int keep = 3, int logEvery = 1, bool resumed = false, TextWriter? log = null, TrainingSignals? signals = null)
    {
        using (trainer)
        using (var folder = RunFolder.Open(Place.Path, keep))
            return TinyRuns.Run(trainer, folder, resumed, maxSteps, saveEvery: saveEvery, log: log, logEvery: logEvery, signals: signals);
    }

    private protected (float Weight, long? Epoch, long? Step, double? Best) Saved(string name)
    {
        using var checkpoint = Checkpoint.Open(Place[name]);
        var weight = new float[1];
        checkpoint.Find("model.weight")!.ReadFloats(0, weight);
        return (weight[0], checkpoint.FindInteger("epoch"), checkpoint.FindInteger("step"), checkpoint.FindNumber("loss_recon"));
    }
}
