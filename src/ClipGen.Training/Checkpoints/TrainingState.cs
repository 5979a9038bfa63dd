using ClipGen.Tensors.Nn;
using ClipGen.Tensors.Optim;

namespace ClipGen.Training.Checkpoints;

/// <summary>
/// All that a run needs to go on as if it had never stopped. Random numbers and the order of the data are functions of (seed, epoch, step), so the place in the run
/// stands for their states.
/// </summary>
public sealed class TrainingState
{
    /// <summary>Kind of training, <c>vqgan</c>, <c>gpt</c> or <c>clip</c>; a checkpoint of another kind is refused.</summary>
    public required string Kind { get; init; }

    /// <summary>The model's parameters and buffers, in the checkpoint's order.</summary>
    public required IReadOnlyList<Parameter> Parameters { get; init; }

    /// <summary>Constant entries of the state dict that are no tensors here: name, shape and a value per place (the GPT's causal masks).</summary>
    public IReadOnlyList<ConstantMask> Masks { get; init; } = [];

    /// <summary>Optimisers under the reference's keys: <c>opt_g</c> and <c>opt_d</c>, or <c>optimizer</c>.</summary>
    public required IReadOnlyList<(string Key, AdamOptimizer Optimizer)> Optimizers { get; init; }

    /// <summary>The reference's key of the validation result: <c>loss_recon</c> or <c>val_loss</c>.</summary>
    public required string ScoreKey { get; init; }

    /// <summary>Key of an empty entry for the reference's gradient scaler, or null.</summary>
    public string? ScalerKey { get; init; }

    /// <summary>The run's configuration as JSON: what the model and the data are.</summary>
    public required string Configuration { get; init; }

    /// <summary>Text that the model needs beside its weights, such as a vocabulary, or null.</summary>
    public string? Vocabulary { get; init; }

    /// <summary>Counters that a run goes on with, by name; the trainer updates them before a save.</summary>
    public Dictionary<string, float[]> Counters { get; } = [];

    /// <summary>Seed of everything random.</summary>
    public required ulong Seed { get; set; }

    /// <summary>Epoch that the next step belongs to.</summary>
    public long Epoch { get; set; }

    /// <summary>Step inside the epoch that comes next.</summary>
    public long Step { get; set; }

    /// <summary>Steps done in the whole run.</summary>
    public long GlobalStep { get; set; }

    /// <summary>Best validation result so far; infinite before the first.</summary>
    public double BestScore { get; set; } = double.PositiveInfinity;
}

/// <summary>A causal mask as the reference stores it with every block: [size, size], true above the diagonal.</summary>
/// <param name="Name">Its name in the state dict.</param>
/// <param name="Size">Its side.</param>
/// <param name="Before">Name of the parameter in front of which it stands.</param>
public sealed record ConstantMask(string Name, int Size, string Before);
