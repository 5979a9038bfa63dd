using ClipGen.Kernels;
using ClipGen.Models.Gpt;
using ClipGen.Tensors;

namespace ClipGen.Models.Pipeline;

/// <summary>How pictures are made from a text.</summary>
public sealed record GenerationSettings
{
    /// <summary>Sequences that a CPU usually samples together.</summary>
    public const int CpuBatch = 8;

    // As many as its products of few rows take.
    private const int CardBatch = 64;

    /// <summary>Sequences to sample together on a device.</summary>
    public static int UsualBatch(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return device.Backend.WorksLater ? CardBatch : CpuBatch;
    }

    /// <summary>Pictures to sample; CLIP ranks them.</summary>
    public int Candidates { get; init; } = 64;

    /// <summary>Best ones to keep.</summary>
    public int Keep { get; init; } = 8;

    /// <summary>Sequences sampled together. The pictures do not depend on it.</summary>
    public int Batch { get; init; } = CpuBatch;

    /// <summary>Choose among the k most likely codes; 0 for all. Null for what suits the GPT (<see cref="GptConfig.DefaultTopK"/>).</summary>
    public int? TopK { get; init; }

    /// <summary>Choose among the most likely codes that hold this much probability; 1 for all. Null for what suits the GPT (<see cref="GptConfig.DefaultTopP"/>).</summary>
    public float? TopP { get; init; }

    /// <summary>Divides the logits.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>
    /// Guidance w (Ho and Salimans 2022): logits are those without the text plus w times what the text changes of them. 1 for the model as it is; more follows the text more closely, and asks for a GPT that was
    /// trained without embeddings too. Costs a second pass of the GPT. Null for what suits the GPT (<see cref="GptConfig.DefaultGuidance"/>).
    /// </summary>
    public float? Guidance { get; init; }

    /// <summary>Always take the most likely code.</summary>
    public bool Greedy { get; init; }

    /// <summary>Seed of the random numbers.</summary>
    public ulong Seed { get; init; }

    /// <summary>Reproduce the reference: over-long texts lose their end token, re-ranking sees pictures as the decoder gives them.</summary>
    public bool Parity { get; init; }

    /// <summary>These settings with nothing left open.</summary>
    public GenerationSettings For(GptConfig gpt)
    {
        ArgumentNullException.ThrowIfNull(gpt);
        var filter = Filter(gpt);
        return this with { TopK = filter.TopK, TopP = filter.TopP, Guidance = GuidanceOf(gpt) };
    }

    /// <summary>The sampling filter for a GPT.</summary>
    internal SamplingFilter Filter(GptConfig gpt) => new(Temperature, TopK ?? gpt.DefaultTopK, TopP ?? gpt.DefaultTopP);

    /// <summary>The guidance for a GPT.</summary>
    internal float GuidanceOf(GptConfig gpt) => Guidance ?? gpt.DefaultGuidance;

    /// <summary>Checks every setting.</summary>
    /// <exception cref="GenerationException">One is out of range; the message names its option.</exception>
    public void Validate()
    {
        Require(Candidates >= 1, $"--candidates {Candidates}: must be at least 1");
        Require(Keep >= 1, $"--keep {Keep}: must be at least 1");
        Require(Keep <= Candidates, $"--keep {Keep}: there are only {Candidates} candidates (--candidates)");
        Require(Batch >= 1, $"--batch {Batch}: must be at least 1");
        Require(TopK is null or >= 0, $"--top-k {TopK}: must be 0 (all codes) or more");
        Require(TopP is null or > 0 and <= 1, $"--top-p {TopP}: must be above 0 and at most 1");
        Require(Temperature > 0 && float.IsFinite(Temperature), $"--temperature {Temperature}: must be a positive number");
        Require(Guidance is null || Guidance >= 0 && float.IsFinite(Guidance.Value), $"--guidance {Guidance}: must be 0 or more");
    }

    private static void Require(bool condition, string message)
    {
        if (!condition) throw new GenerationException(message);
    }
}

/// <summary>A text can't be turned into pictures; one line that names the option or file.</summary>
public sealed class GenerationException(string message) : Exception(message);
