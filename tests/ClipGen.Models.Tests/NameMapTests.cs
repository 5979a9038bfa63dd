using ClipGen.Checkpoints;
using ClipGen.Models.Clip;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.Tests;

/// <summary>Other projects' checkpoints of models that are known here: the same weights under their names, taken apart as theirs are.</summary>
public sealed class NameMapTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ClipOfTransformers()
    {
        var config = new ClipConfig
        {
            EmbeddingSize = 16,
            Patches = 4,
            PatchSize = 8,
            VisionWidth = 64,
            VisionLayers = 2,
            VisionHeads = 1,
            ContextLength = 12,
            VocabularySize = 40,
            TextWidth = 128,
            TextLayers = 1,
            TextHeads = 2,
        };
        var own = new InitialWeights(ModelKind.Clip, StateDicts.Clip(config), 3);
        List<TensorSource> theirs = [Tensor("text_model.embeddings.position_ids", new float[12], 1, 12)];
        void Same(string name, string here) => theirs.Add(Tensor(name, Values(own, here), own.ShapeOf(here)!));
        void Transposed(string name, string here)
        {
            var (shape, values) = (own.ShapeOf(here)!, Values(own, here));
            theirs.Add(Tensor(name, [.. Enumerable.Range(0, values.Length).Select(i => values[i % shape[0] * shape[1] + i / shape[0]])], shape[1], shape[0]));
        }
        Same("logit_scale", "logit_scale");
        Same("text_model.embeddings.token_embedding.weight", "token_embedding.weight");
        Same("text_model.embeddings.position_embedding.weight", "positional_embedding");
        Same("vision_model.embeddings.class_embedding", "visual.class_embedding");
        Same("vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight");
        Same("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding");
        Transposed("text_projection.weight", "text_projection");
        Transposed("visual_projection.weight", "visual.proj");
        foreach (var kind in new[] { "weight", "bias" })
        {
            Same($"text_model.final_layer_norm.{kind}", $"ln_final.{kind}");
            Same($"vision_model.pre_layrnorm.{kind}", $"visual.ln_pre.{kind}");
            Same($"vision_model.post_layernorm.{kind}", $"visual.ln_post.{kind}");
            foreach (var (tower, block) in new[] { ("vision_model.encoder.layers.0", "visual.transformer.resblocks.0"), ("vision_model.encoder.layers.1", "visual.transformer.resblocks.1"), ("text_model.encoder.layers.0", "transformer.resblocks.0") })
            {
                Same($"{tower}.layer_norm1.{kind}", $"{block}.ln_1.{kind}");
                Same($"{tower}.layer_norm2.{kind}", $"{block}.ln_2.{kind}");
                Same($"{tower}.mlp.fc1.{kind}", $"{block}.mlp.c_fc.{kind}");
                Same($"{tower}.mlp.fc2.{kind}", $"{block}.mlp.c_proj.{kind}");
                Same($"{tower}.self_attn.out_proj.{kind}", $"{block}.attn.out_proj.{kind}");
                Parts(theirs, own, $"{block}.attn.in_proj_{kind}", part => $"{tower}.self_attn.{part}_proj.{kind}", matrix => matrix);
            }
        }
        var path = folder["clip.safetensors"];
        SafetensorsWriter.Write(path, theirs);
        RequireSame(path, ModelKind.Clip, own, StateDicts.Clip(config).Select(tensor => tensor.Name));
        using var device = Device.Cpu(1);
        using var source = CheckpointWeights.Open(path, ModelKind.Clip);
        Assert.Equal(config, ClipModel.Check(device, source));
    }

    [Fact]
    public void VqGanOfTaming()
    {
        var config = new VqGanConfig { Channels = 32, Multipliers = [1, 2], ResidualBlocks = [1], AttentionLevels = [1], CodeSize = 4, Codes = 16, DiscriminatorChannels = 8 };
        var shapes = StateDicts.VqGan(config);
        var own = new InitialWeights(ModelKind.VqGan, shapes, 4);
        // Levels are named from the outermost on in both halves; the decoder's steps are numbered from the innermost.
        Dictionary<string, string> modules = new()
        {
            ["encoder.conv_in"] = "encoder.conv_in",
            ["encoder.down.1.conv"] = "encoder.down.0.downsample.conv",
            ["encoder.final.0"] = "encoder.norm_out",
            ["encoder.final.2"] = "encoder.conv_out",
            ["encoder.final.3"] = "quant_conv",
            ["decoder.quant_conv_in"] = "post_quant_conv",
            ["decoder.conv_in"] = "decoder.conv_in",
            ["decoder.up.4.conv"] = "decoder.up.1.upsample.conv",
            ["decoder.final.0"] = "decoder.norm_out",
            ["decoder.final.2"] = "decoder.conv_out",
            ["quantizer.embedding"] = "quantize.embedding",
            ["discriminator.head"] = "loss.discriminator.main.11",
        };
        foreach (var layer in new[] { 0, 2, 3, 5, 6, 8, 9 }) modules[$"discriminator.features.{layer}"] = $"loss.discriminator.main.{layer}";
        foreach (var (here, there) in new[]
        {
            ("encoder.down.0", "encoder.down.0.block.0"), ("encoder.down.2", "encoder.down.1.block.0"), ("encoder.mid.0", "encoder.mid.block_1"), ("encoder.mid.2", "encoder.mid.block_2"),
            ("decoder.mid.0", "decoder.mid.block_1"), ("decoder.mid.2", "decoder.mid.block_2"), ("decoder.up.0", "decoder.up.1.block.0"), ("decoder.up.2", "decoder.up.1.block.1"),
            ("decoder.up.5", "decoder.up.0.block.0"), ("decoder.up.6", "decoder.up.0.block.1"),
        })
            foreach (var (part, theirPart) in new[] { ("block.0", "norm1"), ("block.2", "conv1"), ("block.3", "norm2"), ("block.6", "conv2"), ("shortcut", "nin_shortcut") }) modules[$"{here}.{part}"] = $"{there}.{theirPart}";
        Dictionary<string, string> attentions = new()
        {
            ["encoder.down.3"] = "encoder.down.1.attn.0",
            ["encoder.mid.1"] = "encoder.mid.attn_1",
            ["decoder.mid.1"] = "decoder.mid.attn_1",
            ["decoder.up.1"] = "decoder.up.1.attn.0",
            ["decoder.up.3"] = "decoder.up.1.attn.1",
        };
        List<TensorSource> theirs = [Tensor("loss.perceptual_loss.lin0.model.1.weight", new float[4], 1, 4, 1, 1)];
        foreach (var (name, shape) in shapes.Select(tensor => (tensor.Name, tensor.Shape)))
        {
            var dot = name.LastIndexOf('.');
            string module = name[..dot], kind = name[(dot + 1)..];
            var attention = attentions.Keys.FirstOrDefault(step => name.StartsWith(step + ".", StringComparison.Ordinal) && (name.Contains(".attn.", StringComparison.Ordinal) || name.Contains(".norm.", StringComparison.Ordinal)));
            if (modules.TryGetValue(module, out var there)) theirs.Add(Tensor($"{there}.{kind}", Values(own, name), [.. shape]));
            else if (attention is null) Assert.Fail($"the test does not know where {name} goes");
            else if (name.Contains("in_proj", StringComparison.Ordinal))
                Parts(theirs, own, name, part => $"{attentions[attention]}.{part}.{(name.EndsWith("weight", StringComparison.Ordinal) ? "weight" : "bias")}", matrix => matrix.Length == 2 ? [.. matrix, 1, 1] : matrix);
            else if (name.Contains("out_proj", StringComparison.Ordinal)) theirs.Add(Tensor($"{attentions[attention]}.proj_out.{kind}", Values(own, name), kind == "weight" ? [.. shape, 1, 1] : [.. shape]));
            else theirs.Add(Tensor($"{attentions[attention]}.norm.{kind}", Values(own, name), [.. shape]));
        }
        var path = folder["last.ckpt"];
        PyTorchWriter.Write(path, PyTorchValue.Dict(("epoch", 3), ("state_dict", PyTorchValue.StateDict(theirs))));
        RequireSame(path, ModelKind.VqGan, own, shapes.Select(tensor => tensor.Name));

        // Its norms add less to the variance than those here; that is part of the model.
        using var device = Device.Cpu(1);
        using var source = CheckpointWeights.Open(path, ModelKind.VqGan);
        var found = Decoded(device, source);
        Assert.Equal(Decoded(device, new InitialWeights(ModelKind.VqGan, shapes, 4, new Dictionary<string, int> { [GroupNorm.EpsOption] = 1 })), found);
        Assert.NotEqual(Decoded(device, own), found);
    }

    [Fact]
    public void WhatIsMissingIsNamedAsItIsNamedHere()
    {
        SafetensorsWriter.Write(folder["half.safetensors"],
        [
            Tensor("text_model.encoder.layers.0.self_attn.q_proj.weight", new float[4], 2, 2), Tensor("text_model.encoder.layers.0.self_attn.k_proj.weight", new float[4], 2, 2),
            Tensor("vision_model.encoder.layers.0.layer_norm1.weight", new float[2], 2), Tensor("text_projection.weight", new float[4], 2, 2),
        ]);
        using var device = Device.Cpu(1);
        using var source = CheckpointWeights.Open(folder["half.safetensors"], ModelKind.Clip);
        Assert.DoesNotContain("transformer.resblocks.0.attn.in_proj_weight", source.Names);
        Assert.StartsWith(folder["half.safetensors"], Assert.Throws<WeightException>(() => ClipModel.Check(device, source)).Message);
    }

    private static float[] Decoded(Device device, IWeightSource source)
    {
        using var scope = new TensorScope();
        using var model = VqGanModel.Load(device, source);
        using var codes = device.From([.. Enumerable.Range(0, 16)], new Shape(1, 4, 4));
        return model.DecodeCodes(codes).ToFloats();
    }

    private static void RequireSame(string path, ModelKind kind, InitialWeights own, IEnumerable<string> names)
    {
        using var source = CheckpointWeights.Open(path, kind);
        Assert.Equal(names.Order(StringComparer.Ordinal), source.Names.Order(StringComparer.Ordinal));
        foreach (var name in source.Names)
        {
            Assert.Equal(own.ShapeOf(name), source.ShapeOf(name));
            var expected = Values(own, name);
            var found = new float[expected.Length];
            source.ReadFloats(name, 0, found);
            Assert.Equal(expected, found);
            // From the middle on, across the seams of what was put together.
            if (found.Length < 4) continue;
            var part = new float[found.Length / 2];
            source.ReadFloats(name, found.Length / 3, part);
            Assert.Equal(expected.AsSpan(found.Length / 3, part.Length).ToArray(), part);
        }
    }

    private static void Parts(List<TensorSource> theirs, InitialWeights own, string here, Func<string, string> name, Func<long[], long[]> form)
    {
        var (shape, values) = (own.ShapeOf(here)!, Values(own, here));
        var third = values.Length / 3;
        long[] each = [shape[0] / 3, .. shape[1..]];
        foreach (var (part, i) in new[] { ("q", 0), ("k", 1), ("v", 2) }) theirs.Add(Tensor(name(part), values[(i * third)..((i + 1) * third)], form(each)));
    }

    private static float[] Values(InitialWeights own, string name)
    {
        var values = new float[own.ShapeOf(name)!.Aggregate(1L, (product, size) => product * size)];
        own.ReadFloats(name, 0, values);
        return values;
    }

    private static TensorSource Tensor(string name, float[] values, params long[] shape) => TensorSource.From(name, values, shape);
}
