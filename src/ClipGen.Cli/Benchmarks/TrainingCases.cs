using ClipGen.Data;
using ClipGen.Data.Shapes;
using ClipGen.Kernels;
using ClipGen.Models;
using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.Lpips;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Training.Clip;
using ClipGen.Training.Gpt;
using ClipGen.Training.VqGan;

namespace ClipGen.Cli.Benchmarks;

/// <summary>Whole training steps: forward, backward and update, of the full-size models on computed weights and of the small ones of the synthetic world on initial weights.</summary>
internal static class TrainingCases
{
    /// <summary>GPT-medium on 256 codes per sequence, AdamW, dropout 0.1.</summary>
    public static (Action Run, IDisposable[] Owned) Gpt(Device device, int batch) => Gpt(device, GptMedium(device), batch, 0.1f);

    /// <summary>The same without dropout.</summary>
    public static (Action Run, IDisposable[] Owned) GptWithoutDropout(Device device, int batch) => Gpt(device, GptMedium(device), batch, 0);

    /// <summary>The released VQ-GAN at 256 pixels: generator with LPIPS and adaptive weight, then discriminator.</summary>
    public static (Action Run, IDisposable[] Owned) VqGan(Device device, int batch)
    {
        var model = VqGanModel.Load(device, new ComputedWeights("vqgan", ReleasedModels.VqGanCoco), WeightForm.Trainable);
        var lpips = LpipsModel.Load(device, new ComputedWeights("lpips", ReleasedModels.Vgg16Lpips), WeightForm.Plain);
        return VqGan(device, model, lpips, batch, 256, adversarial: true);
    }

    /// <summary>The small GPT: 6 layers of 160 on 64 codes.</summary>
    public static (Action Run, IDisposable[] Owned) ShapesGpt(Device device, int batch)
    {
        return Gpt(device, GptModel.Load(device, new InitialWeights(ModelKind.Gpt, StateDicts.Gpt(ShapesModels.Gpt), 0), ShapesModels.Gpt.Heads, WeightForm.Trainable), batch, 0);
    }

    /// <summary>The small VQ-GAN at 64 pixels, without LPIPS and discriminator.</summary>
    public static (Action Run, IDisposable[] Owned) ShapesVqGan(Device device, int batch)
    {
        var options = new Dictionary<string, int> { ["groups"] = ShapesModels.VqGanGroups };
        var model = VqGanModel.Load(device, new InitialWeights(ModelKind.VqGan, StateDicts.VqGan(ShapesModels.VqGan), 0, options), WeightForm.Trainable);
        return VqGan(device, model, null, batch, 64, adversarial: false);
    }

    /// <summary>The small CLIP: 64 patches, 4 layers of 128; texts of 24, 3 layers of 128.</summary>
    public static (Action Run, IDisposable[] Owned) ShapesClip(Device device, int batch)
    {
        device.Backend.PoolLimit = long.MaxValue;
        var tokenizer = new WordTokenizer(ShapeCaptions.Words);
        var config = ShapesModels.Clip;
        var options = new Dictionary<string, int> { ["vision_heads"] = config.VisionHeads, ["text_heads"] = config.TextHeads };
        var model = ClipModel.Load(device, new InitialWeights(ModelKind.Clip, StateDicts.Clip(config), 0, options), null, WeightForm.Trainable);
        var training = new ClipTraining(model, new ClipRecipe { LearningRate = 1e-3 });
        var pictures = BenchCases.Normal(device, new Shape(batch, 64, 64, 3), 1);
        var tokens = Enumerable.Range(0, batch).Select(n => tokenizer.Tokenize(ShapeCaptions.Canonical(ShapesWorld.Scene(0, ShapesSplit.Train, n)), config.ContextLength).Ids).ToArray();
        return (() => training.Step(pictures, tokens), [training, model, pictures]);
    }

    private static GptModel GptMedium(Device device) => GptModel.Load(device, new ComputedWeights("gpt2_medium", ReleasedModels.GptMedium), null, WeightForm.Trainable);

    private static (Action Run, IDisposable[] Owned) Gpt(Device device, GptModel model, int batch, float dropout)
    {
        device.Backend.PoolLimit = long.MaxValue;
        var c = model.Config;
        var training = new GptTraining(model, new GptRecipe { LearningRate = 1e-5, Dropout = dropout }, 1);
        var random = new Random(1);
        int[][] codes = [.. Enumerable.Range(0, batch).Select(_ => Enumerable.Range(0, c.BlockSize).Select(_ => random.Next(c.Vocabulary)).ToArray())];
        var embeddings = BenchCases.Normal(device, new Shape(batch, c.ConditionSize), 1).Into(rows => rows.L2Normalize());
        var step = 0;
        return (() => training.Step(step++, (codes, embeddings)), [training, model, embeddings]);
    }

    private static (Action Run, IDisposable[] Owned) VqGan(Device device, VqGanModel model, LpipsModel? lpips, int batch, int side, bool adversarial)
    {
        device.Backend.PoolLimit = long.MaxValue;
        var training = new VqGanTraining(model, lpips, new VqGanRecipe { LearningRate = 1e-6, PerceptualWeight = lpips is null ? 0 : 1, Discriminates = adversarial });
        var pictures = BenchCases.Normal(device, new Shape(batch, side, side, 3), 1);
        return (() => training.Step(quantized: true, adversarial, pictures), lpips is null ? [training, model, pictures] : [training, model, lpips, pictures]);
    }
}
