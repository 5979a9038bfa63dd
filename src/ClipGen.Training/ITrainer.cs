using ClipGen.Data;
using ClipGen.Training.Checkpoints;
using ClipGen.Training.Reporting;

namespace ClipGen.Training;

/// <summary>One kind of training, as <see cref="TrainingLoop"/> drives it: what a step, a validation and a preview are.</summary>
public interface ITrainer : IDisposable
{
    /// <summary>The model in a line: sizes and number of parameters.</summary>
    string Model { get; }

    /// <summary>All that is saved and restored.</summary>
    TrainingState State { get; }

    /// <summary>Pictures of a step.</summary>
    int BatchSize { get; }

    /// <summary>Steps of an epoch.</summary>
    long StepsPerEpoch { get; }

    /// <summary>Numbers that every step measures, in the order of the log's columns.</summary>
    IReadOnlyList<string> StepMetrics { get; }

    /// <summary>Numbers that an epoch measures.</summary>
    IReadOnlyList<string> EpochMetrics { get; }

    /// <summary>Numbers that a validation measures; the first decides which checkpoint is the best, the smaller the better.</summary>
    IReadOnlyList<string> ValidationMetrics { get; }

    /// <summary>What the run will need, for the estimate at its start.</summary>
    IReadOnlyList<MemoryPart> Memory { get; }

    /// <summary>Takes one step and measures it.</summary>
    /// <param name="epoch">Epoch, from 0.</param>
    /// <param name="step">Step inside it.</param>
    /// <param name="cancellation">Ends waiting for data.</param>
    IReadOnlyDictionary<string, double> Step(long epoch, long step, CancellationToken cancellation);

    /// <summary>Takes a step's losses and gradients again, without an update, watching every op.</summary>
    /// <exception cref="Tensors.NonFiniteException">The first op whose result is not finite.</exception>
    void FindNonFinite(long epoch, long step, CancellationToken cancellation);

    /// <summary>Ends an epoch and measures it.</summary>
    /// <param name="epoch">The epoch that ended.</param>
    /// <param name="warn">Takes warnings, such as that of a collapsed codebook.</param>
    IReadOnlyDictionary<string, double> EndEpoch(long epoch, Action<string> warn);

    /// <summary>Measures the model on pictures that it is not trained on.</summary>
    IReadOnlyDictionary<string, double> Validate(CancellationToken cancellation);

    /// <summary>Pictures that show where the model stands: a tag such as <c>val/img-recon</c> and a grid each.</summary>
    IReadOnlyList<(string Tag, Picture Grid)> Preview(CancellationToken cancellation);
}
