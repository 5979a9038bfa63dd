using ClipGen.Checkpoints;
using ClipGen.Data;
using ClipGen.Data.Shapes;
using ClipGen.Models;
using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.VqGan;

namespace ClipGen.Testing;

/// <summary>
/// A model of the synthetic world's sizes (pictures of 64 pixels, 8 x 8 codes, captions of whole words) with random weights, tiny in all other sizes, as the files of the built-in
/// model are: half precision, configuration and vocabulary in the metadata.
/// </summary>
internal static class TinyShapesModel
{
    /// <summary>Codes of the VQ-GAN.</summary>
    public const int Codes = 32;

    private const int Embedding = 16;

    private static readonly VqGanConfig VqGan = new() { Channels = 8, Multipliers = [1, 1, 1, 1], ResidualBlocks = [1], AttentionLevels = [], CodeSize = 8, Codes = Codes, DiscriminatorChannels = 8 };

    private static readonly GptConfig Gpt = new() { Vocabulary = Codes, Layers = 1, Width = 32, Heads = 2, BlockSize = 64, ConditionSize = Embedding };

    /// <summary>Writes the three files into a folder, as <c>shapes-clip.safetensors</c> and so on.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="pictureSide">Side of the pictures that CLIP takes, a multiple of 16.</param>
    public static void Write(string folder, int pictureSide = 64)
    {
        var words = new WordTokenizer(ShapeCaptions.Words);
        var clip = new ClipConfig
        {
            EmbeddingSize = Embedding,
            Patches = pictureSide / 16 * (pictureSide / 16),
            PatchSize = 16,
            VisionWidth = 32,
            VisionLayers = 1,
            VisionHeads = 2,
            ContextLength = ShapeCaptions.ContextLength,
            VocabularySize = words.VocabularySize,
            TextWidth = 32,
            TextLayers = 1,
            TextHeads = 2,
        };
        Write(Path.Combine(folder, "shapes-clip.safetensors"), ModelKind.Clip, StateDicts.Clip(clip), """{"model":{"text_heads":2,"vision_heads":2}}""", words.Vocabulary);
        Write(Path.Combine(folder, "shapes-vqgan.safetensors"), ModelKind.VqGan, StateDicts.VqGan(VqGan).Where(tensor => !tensor.Name.StartsWith("discriminator.", StringComparison.Ordinal)), """{"model":{"groups":4}}""");
        Write(Path.Combine(folder, "shapes-gpt.safetensors"), ModelKind.Gpt, StateDicts.Gpt(Gpt).Where(tensor => !tensor.Name.EndsWith(".mask", StringComparison.Ordinal)), """{"model":{"heads":2}}""");
    }

    /// <summary>The state dict of the VQ-GAN with its discriminator, in float32.</summary>
    public static IReadOnlyList<TensorSource> VqGanTensors() => Tensors(ModelKind.VqGan, StateDicts.VqGan(VqGan), half: false);

    private static void Write(string path, ModelKind kind, IEnumerable<TensorShape> shapes, string configuration, string? vocabulary = null)
    {
        var metadata = new Dictionary<string, string> { ["format"] = "pt", [ModelConfiguration.Key] = configuration };
        if (vocabulary is not null) metadata[ModelConfiguration.VocabularyKey] = vocabulary;
        SafetensorsWriter.Write(path, Tensors(kind, [.. shapes], half: true), metadata);
    }

    private static List<TensorSource> Tensors(ModelKind kind, IReadOnlyList<TensorShape> shapes, bool half)
    {
        var weights = new InitialWeights(kind, shapes, 1);
        return
        [
            .. shapes.Select(tensor => new TensorSource(tensor.Name, half ? ElementType.F16 : ElementType.F32, tensor.Shape, (first, bytes) =>
            {
                var values = new float[bytes.Length / (half ? 2 : 4)];
                weights.ReadFloats(tensor.Name, first, values);
                // A new codebook and head are near zero, which would make all pictures and all codes alike.
                if (tensor.Name is "quantizer.embedding.weight" or "head.weight")
                    for (var i = 0; i < values.Length; i++) values[i] *= 10;
                for (var i = 0; i < values.Length; i++)
                    if (half) BitConverter.TryWriteBytes(bytes[(2 * i)..], (Half)values[i]);
                    else BitConverter.TryWriteBytes(bytes[(4 * i)..], values[i]);
            })),
        ];
    }
}
