using System.CommandLine;
using ClipGen.Kernels;

namespace ClipGen.Cli;

/// <summary>The option <c>--gpt-weights</c>: how the numbers of a GPT's matrices are held.</summary>
internal sealed class GptWeightsOption
{
    /// <summary>The option.</summary>
    public Option<string> Option { get; } = new("--gpt-weights") { Description = "How the GPT's matrices are held: f32, bf16 (half the memory, up to twice as fast), int8 (a quarter); fewer bits change the codes", DefaultValueFactory = _ => "f32" };

    /// <summary>The type that it names.</summary>
    /// <exception cref="UsageException">It names none.</exception>
    public PackedType Value(ParseResult parsed) => parsed.GetValue(Option) switch
    {
        "f32" => PackedType.Float32,
        "bf16" => PackedType.BFloat16,
        "int8" => PackedType.Int8,
        var other => throw new UsageException($"--gpt-weights {ShownText.Of(other ?? "")}: expected f32, bf16 or int8"),
    };
}
