using ClipGen.Data;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Training.Checkpoints;
using ClipGen.Training.Reporting;

namespace ClipGen.Training.Tests;

/// <summary>A trainer that does what a test says: four steps an epoch, a loss of <c>1 / (steps done)</c>, one parameter that holds the number of steps, validations from a list.</summary>
internal sealed class ScriptedTrainer : ITrainer
{
    private readonly Device device;
    private readonly Tensor weight;
    private readonly double[] validations;

    public ScriptedTrainer(Device device, params double[] validations)
    {
        (this.device, this.validations, weight) = (device, validations, device.Zeros(new Shape(1)));
        State = new TrainingState { Kind = "vqgan", Parameters = [new Parameter("weight", [1], weight, ParameterLayout.AsStored, false)], Optimizers = [], ScoreKey = "loss_recon", Configuration = "{}", Seed = 0 };
    }

    /// <summary>Called in every step, with the step of the whole run.</summary>
    public Action<long> OnStep { get; init; } = _ => { };

    /// <summary>Called at the start of a validation, with its number.</summary>
    public Action<long> OnValidate { get; init; } = _ => { };

    public string Model => "a counter";

    public TrainingState State { get; }

    public int BatchSize => 2;

    public long StepsPerEpoch => 4;

    public IReadOnlyList<string> StepMetrics => ["loss", "lr"];

    public IReadOnlyList<string> EpochMetrics => ["ended"];

    public IReadOnlyList<string> ValidationMetrics => ["score"];

    public IReadOnlyList<MemoryPart> Memory => [];

    public IReadOnlyDictionary<string, double> Step(long epoch, long step, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var number = epoch * StepsPerEpoch + step + 1;
        OnStep(number);
        SetWeight(number);
        return new Dictionary<string, double> { ["loss"] = 1.0 / number, ["lr"] = number };
    }

    public void SetWeight(float value) => device.Backend.Upload<float>([value], weight.Floats);

    public void FindNonFinite(long epoch, long step, CancellationToken cancellation) => throw new InvalidOperationException("every loss is finite here");

    public IReadOnlyDictionary<string, double> EndEpoch(long epoch, Action<string> warn) => new Dictionary<string, double> { ["ended"] = epoch };

    public IReadOnlyDictionary<string, double> Validate(CancellationToken cancellation)
    {
        OnValidate(State.Epoch);
        cancellation.ThrowIfCancellationRequested();
        return new Dictionary<string, double> { ["score"] = validations[State.Epoch] };
    }

    public IReadOnlyList<(string Tag, Picture Grid)> Preview(CancellationToken cancellation) => [("val/img-recon", new Picture(4, 2))];

    public void Dispose() => weight.Dispose();
}
