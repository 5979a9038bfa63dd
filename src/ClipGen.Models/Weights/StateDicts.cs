using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.VqGan;

namespace ClipGen.Models;

/// <summary>Names and shapes of models' state dicts by their sizes, in PyTorch's order.</summary>
public static class StateDicts
{
    /// <summary>A CLIP model's.</summary>
    public static IReadOnlyList<TensorShape> Clip(ClipConfig c)
    {
        var list = new StateDict();
        list.Add("positional_embedding", c.ContextLength, c.TextWidth);
        list.Add("text_projection", c.TextWidth, c.EmbeddingSize);
        list.Add("logit_scale");
        list.Add("visual.class_embedding", c.VisionWidth);
        list.Add("visual.positional_embedding", c.Patches + 1, c.VisionWidth);
        list.Add("visual.proj", c.VisionWidth, c.EmbeddingSize);
        list.Add("visual.conv1.weight", c.VisionWidth, 3, c.PatchSize, c.PatchSize);
        list.Norm("visual.ln_pre", c.VisionWidth);
        ClipBlocks(list, "visual.transformer.resblocks", c.VisionLayers, c.VisionWidth);
        list.Norm("visual.ln_post", c.VisionWidth);
        ClipBlocks(list, "transformer.resblocks", c.TextLayers, c.TextWidth);
        list.Add("token_embedding.weight", c.VocabularySize, c.TextWidth);
        list.Norm("ln_final", c.TextWidth);
        return list.Tensors;
    }

    private static void ClipBlocks(StateDict list, string prefix, int layers, int width)
    {
        for (var i = 0; i < layers; i++)
        {
            list.Attention($"{prefix}.{i}.attn", width);
            list.Norm($"{prefix}.{i}.ln_1", width);
            list.Linear($"{prefix}.{i}.mlp.c_fc", width, 4 * width);
            list.Linear($"{prefix}.{i}.mlp.c_proj", 4 * width, width);
            list.Norm($"{prefix}.{i}.ln_2", width);
        }
    }

    /// <summary>A GPT's, the causal masks of its blocks included.</summary>
    public static IReadOnlyList<TensorShape> Gpt(GptConfig c)
    {
        var (layers, width, block, vocabulary, condition) = (c.Layers, c.Width, c.BlockSize, c.Vocabulary, c.ConditionSize);
        var list = new StateDict();
        list.Add("pos_emb", 1, block, width);
        list.Add("tok_emb.weight", vocabulary, width);
        list.Linear("cond_proj", condition, width);
        for (var i = 0; i < layers; i++)
        {
            list.Add($"blocks.{i}.mask", block, block);
            list.Attention($"blocks.{i}.encoder.self_attn", width);
            list.Linear($"blocks.{i}.encoder.linear1", width, 4 * width);
            list.Linear($"blocks.{i}.encoder.linear2", 4 * width, width);
            list.Norm($"blocks.{i}.encoder.norm1", width);
            list.Norm($"blocks.{i}.encoder.norm2", width);
        }
        list.Norm("norm", width);
        list.Linear("head", width, vocabulary);
        return list.Tensors;
    }

    /// <summary>A VQ-GAN's, with its discriminator.</summary>
    public static IReadOnlyList<TensorShape> VqGan(VqGanConfig c)
    {
        var (channels, multipliers, z, codes) = (c.Channels, c.Multipliers, c.CodeSize, c.Codes);
        var list = new StateDict();
        list.Conv("encoder.conv_in", 3, channels, 3);
        int at = channels, step = 0;
        for (var level = 0; level < multipliers.Count; level++)
        {
            for (var i = 0; i < c.BlocksOf(level); i++)
            {
                list.Residual($"encoder.down.{step++}", at, channels * multipliers[level]);
                at = channels * multipliers[level];
                if (c.AttentionLevels.Contains(level)) list.PictureAttention($"encoder.down.{step++}", at);
            }
            if (level < multipliers.Count - 1) list.Conv($"encoder.down.{step++}.conv", at, at, 3);
        }
        list.Middle("encoder.mid", at);
        list.Norm("encoder.final.0", at);
        list.Conv("encoder.final.2", at, z, 3);
        list.Conv("encoder.final.3", z, z, 1);

        list.Conv("decoder.quant_conv_in", z, z, 1);
        list.Conv("decoder.conv_in", z, at, 3);
        list.Middle("decoder.mid", at);
        step = 0;
        for (var level = multipliers.Count - 1; level >= 0; level--)
        {
            for (var i = 0; i < c.BlocksOf(level) + 1; i++)
            {
                list.Residual($"decoder.up.{step++}", at, channels * multipliers[level]);
                at = channels * multipliers[level];
                if (c.AttentionLevels.Contains(level)) list.PictureAttention($"decoder.up.{step++}", at);
            }
            if (level > 0) list.Conv($"decoder.up.{step++}.conv", at, at, 3);
        }
        list.Norm("decoder.final.0", at);
        list.Conv("decoder.final.2", at, 3, 3);
        list.Add(VqGanModel.CodebookName, codes, z);
        return [.. list.Tensors, .. Discriminator(c.DiscriminatorChannels)];
    }

    /// <summary>That of a VQ-GAN's discriminator alone.</summary>
    /// <param name="channels">Channels of its first layer.</param>
    public static IReadOnlyList<TensorShape> Discriminator(int channels)
    {
        var list = new StateDict();
        list.Conv("discriminator.features.0", 3, channels, 4);
        for (var i = 0; i < 3; i++)
        {
            list.Add($"discriminator.features.{3 * i + 2}.weight", channels << (i + 1), channels << i, 4, 4);
            var norm = $"discriminator.features.{3 * i + 3}";
            list.Norm(norm, channels << (i + 1));
            list.Add($"{norm}.running_mean", channels << (i + 1));
            list.Add($"{norm}.running_var", channels << (i + 1));
            list.Add($"{norm}.num_batches_tracked");
        }
        list.Conv("discriminator.head", channels << 3, 1, 4);
        return list.Tensors;
    }

    /// <summary>That of LPIPS over VGG16.</summary>
    public static IReadOnlyList<TensorShape> Lpips()
    {
        var list = new StateDict();
        list.Add("scaling_layer.shift", 1, 3, 1, 1);
        list.Add("scaling_layer.scale", 1, 3, 1, 1);
        (int Slice, int Layer, int Channels)[] layers =
            [(1, 0, 64), (1, 2, 64), (2, 5, 128), (2, 7, 128), (3, 10, 256), (3, 12, 256), (3, 14, 256), (4, 17, 512), (4, 19, 512), (4, 21, 512), (5, 24, 512), (5, 26, 512), (5, 28, 512)];
        var from = 3;
        foreach (var (slice, layer, channels) in layers)
        {
            list.Conv($"net.slice{slice}.{layer}", from, channels, 3);
            from = channels;
        }
        int[] outputs = [64, 128, 256, 512, 512];
        for (var i = 0; i < outputs.Length; i++) list.Add($"lin{i}.model.1.weight", 1, outputs[i], 1, 1);
        return list.Tensors;
    }

    /// <summary>Collects tensors, with the habits of PyTorch's layers.</summary>
    private sealed class StateDict
    {
        public List<TensorShape> Tensors { get; } = [];

        public void Add(string name, params long[] shape) => Tensors.Add(new TensorShape(name, shape));

        public void Norm(string name, int channels)
        {
            Add($"{name}.weight", channels);
            Add($"{name}.bias", channels);
        }

        public void Linear(string name, int inputs, int outputs)
        {
            Add($"{name}.weight", outputs, inputs);
            Add($"{name}.bias", outputs);
        }

        public void Conv(string name, int inputs, int outputs, int kernel)
        {
            Add($"{name}.weight", outputs, inputs, kernel, kernel);
            Add($"{name}.bias", outputs);
        }

        public void Attention(string name, int width)
        {
            Add($"{name}.in_proj_weight", 3 * width, width);
            Add($"{name}.in_proj_bias", 3 * width);
            Linear($"{name}.out_proj", width, width);
        }

        public void Residual(string name, int inputs, int outputs)
        {
            Norm($"{name}.block.0", inputs);
            Conv($"{name}.block.2", inputs, outputs, 3);
            Norm($"{name}.block.3", outputs);
            Conv($"{name}.block.6", outputs, outputs, 3);
            if (inputs != outputs) Conv($"{name}.shortcut", inputs, outputs, 1);
        }

        public void PictureAttention(string name, int channels)
        {
            Norm($"{name}.norm", channels);
            Attention($"{name}.attn", channels);
        }

        public void Middle(string name, int channels)
        {
            Residual($"{name}.0", channels, channels);
            PictureAttention($"{name}.1", channels);
            Residual($"{name}.2", channels, channels);
        }
    }
}
