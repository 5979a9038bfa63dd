using System.Globalization;
using System.Text.RegularExpressions;
using ClipGen.Checkpoints;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models;

/// <summary>
/// A VQ-GAN as taming-transformers (Esser et al. 2021) names it, <c>VQModel</c>: levels with blocks, attention and resampling of their own, where here the steps are numbered through; query, key and value as
/// convolutions of 1 x 1. Its group norms have eps 1e-6.
/// </summary>
internal sealed partial class TamingVqGan : INameMap
{
    private static readonly Dictionary<string, string> Names = new()
    {
        ["encoder.conv_in"] = "encoder.conv_in",
        ["encoder.norm_out"] = "encoder.final.0",
        ["encoder.conv_out"] = "encoder.final.2",
        ["quant_conv"] = "encoder.final.3",
        ["post_quant_conv"] = "decoder.quant_conv_in",
        ["decoder.conv_in"] = "decoder.conv_in",
        ["decoder.norm_out"] = "decoder.final.0",
        ["decoder.conv_out"] = "decoder.final.2",
        ["quantize.embedding"] = "quantizer.embedding",
    };

    private static readonly Dictionary<string, string> BlockParts = new()
    {
        ["norm1"] = "block.0",
        ["conv1"] = "block.2",
        ["norm2"] = "block.3",
        ["conv2"] = "block.6",
        ["nin_shortcut"] = "shortcut",
    };

    private static readonly Dictionary<string, string> MiddleSteps = new() { ["block_1"] = "0", ["attn_1"] = "1", ["block_2"] = "2" };

    public IReadOnlyDictionary<string, int> Options { get; } = new Dictionary<string, int> { [GroupNorm.EpsOption] = 1 };

    public bool Recognises(IReadOnlyCollection<string> names) => names.Contains("quantize.embedding.weight") && names.Any(name => name.StartsWith("encoder.down.0.block.", StringComparison.Ordinal));

    public IEnumerable<(string Name, WeightTensor Tensor)> Map(IReadOnlyDictionary<string, CheckpointTensor> tensors)
    {
        var steps = Steps(tensors.Keys);
        foreach (var (name, tensor) in tensors)
        {
            var dot = name.LastIndexOf('.');
            if (dot < 0) continue;
            string module = name[..dot], kind = name[(dot + 1)..];
            if (Names.TryGetValue(module, out var known)) yield return ($"{known}.{kind}", WeightTensor.Of(tensor));
            else if (Discriminator().Match(module) is { Success: true } layer)
            {
                // The last of its layers is the head.
                var number = layer.Groups[1].Value;
                yield return ($"discriminator.{(number == "11" ? "head" : $"features.{number}")}.{kind}", WeightTensor.Of(tensor));
            }
            else if (Step().Match(module) is { Success: true } inStep && steps.TryGetValue(inStep.Groups["step"].Value, out var step))
            {
                var part = inStep.Groups["part"].Value;
                if (part.Length == 0) yield return ($"{step}.conv.{kind}", WeightTensor.Of(tensor));
                else if (BlockParts.TryGetValue(part, out var renamed)) yield return ($"{step}.{renamed}.{kind}", WeightTensor.Of(tensor));
                else if (part == "norm") yield return ($"{step}.norm.{kind}", WeightTensor.Of(tensor));
                else if (part == "proj_out") yield return ($"{step}.attn.out_proj.{kind}", kind == "weight" ? WeightTensor.Stacked([tensor], 2) : WeightTensor.Of(tensor));
                else if (part == "q" && Find(tensors, $"{inStep.Groups["step"].Value}.k.{kind}") is { } key && Find(tensors, $"{inStep.Groups["step"].Value}.v.{kind}") is { } value)
                    yield return ($"{step}.attn.in_proj_{kind}", WeightTensor.Stacked([tensor, key, value], kind == "weight" ? 2 : 1));
            }
        }
    }

    private static CheckpointTensor? Find(IReadOnlyDictionary<string, CheckpointTensor> tensors, string name) => tensors.GetValueOrDefault(name);

    /// <summary>Every step's name there to its name here: levels downwards in the encoder, upwards in the decoder, in each its blocks, an attention behind each that has one, and the resampling.</summary>
    private static Dictionary<string, string> Steps(IEnumerable<string> names)
    {
        var found = names.Select(name => Step().Match(name)).Where(match => match.Success).Select(match => match.Groups["step"].Value).ToHashSet();
        Dictionary<string, string> steps = [];
        foreach (var (half, list) in new[] { ("encoder", "down"), ("decoder", "up") })
        {
            foreach (var (theirs, ours) in MiddleSteps) steps[$"{half}.mid.{theirs}"] = $"{half}.mid.{ours}";
            var levels = 0;
            while (found.Contains($"{half}.{list}.{levels}.block.0")) levels++;
            var number = 0;
            for (var i = 0; i < levels; i++)
            {
                var level = string.Create(CultureInfo.InvariantCulture, $"{half}.{list}.{(list == "down" ? i : levels - 1 - i)}");
                for (var block = 0; found.Contains($"{level}.block.{block}"); block++)
                {
                    Add($"{level}.block.{block}");
                    if (found.Contains($"{level}.attn.{block}")) Add($"{level}.attn.{block}");
                }
                foreach (var resampling in new[] { $"{level}.downsample.conv", $"{level}.upsample.conv" })
                    if (found.Contains(resampling)) Add(resampling);
            }

            void Add(string theirs) => steps[theirs] = string.Create(CultureInfo.InvariantCulture, $"{half}.{list}.{number++}");
        }
        return steps;
    }

    [GeneratedRegex(@"^(?<step>(?:encoder\.down|decoder\.up)\.\d+\.(?:(?:block|attn)\.\d+|(?:down|up)sample\.conv)|(?:encoder|decoder)\.mid\.(?:block_1|attn_1|block_2))(?:\.(?<part>[a-z_0-9]+))?(?:\.(?:weight|bias))?$")]
    private static partial Regex Step();

    [GeneratedRegex(@"^loss\.discriminator\.main\.(\d+)$")]
    private static partial Regex Discriminator();
}
