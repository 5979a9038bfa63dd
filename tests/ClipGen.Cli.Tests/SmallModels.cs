using System.Runtime.InteropServices;
using System.Text;
using ClipGen.Checkpoints;
using ClipGen.Cli.Tests;
using ClipGen.Models;
using ClipGen.Testing;

[assembly: AssemblyFixture(typeof(SmallModels))]
[assembly: AssemblyFixture(typeof(MachineLock))]

namespace ClipGen.Cli.Tests;

/// <summary>
/// Three small models that fit together, in the released containers and under the released names: CLIP as a bare state dict, VQ-GAN and GPT
/// under <c>model</c>. Sizes are those of the golden tiny models, but CLIP takes texts as the released one does. Weights are computed.
/// </summary>
public sealed class SmallModels : IDisposable
{
    private const int Merges = 49152 - 256 - 2;
    private readonly TemporaryFolder folder = new();

    public SmallModels()
    {
        var clip = Shapes("clip", "clip_tiny.pt", "").Select(tensor => tensor.Name switch
        {
            "positional_embedding" => tensor with { Shape = [77, tensor.Shape[1]] },
            "token_embedding.weight" => tensor with { Shape = [49408, tensor.Shape[1]] },
            _ => tensor,
        }).ToList();
        Write(Clip, null, clip);
        Write(ClipOfBadTexts, null, clip, "ln_final.bias");
        Write(ClipOfBadPictures, null, clip, "visual.ln_post.bias");
        var vqgan = Shapes("vqgan", "vqgan_tiny.pt", "model.").ToList();
        Write(VqGan, "loss_recon", vqgan);
        Write(VqGanOfBadPictures, "loss_recon", vqgan, "decoder.final.2.bias");
        var gpt = Shapes("gpt", "gpt_tiny.pt", "model.").ToList();
        Write(Gpt, "val_loss", gpt);
        Write(GptOfBadLogits, "val_loss", gpt, "head.bias");
        Write(GptOfOtherCodes, "val_loss", Resized(gpt, 64, 32, "tok_emb.weight", "head.weight", "head.bias"));
        Write(GptOfOtherEmbedding, "val_loss", gpt.Select(tensor => tensor.Name == "cond_proj.weight" ? tensor with { Shape = [64, 32] } : tensor));
        Write(GptOfOddGrid, "val_loss", gpt.Select(tensor => tensor.Name == "pos_emb" ? tensor with { Shape = [1, 15, 64] } : tensor.Name.EndsWith(".mask", StringComparison.Ordinal) ? tensor with { Shape = [15, 15] } : tensor));
        File.WriteAllText(Vocabulary, MadeUpVocabulary());
    }

    public string Folder => folder.Path;

    public string Clip => folder["clip_vit_b32.pt"];

    public string VqGan => folder["vqgan_coco.pt"];

    public string Gpt => folder["gpt_coco.pt"];

    /// <summary>Weights that are no numbers, in the text tower.</summary>
    public string ClipOfBadTexts => folder["clip_bad_texts.pt"];

    /// <summary>Weights that are no numbers, in the vision tower.</summary>
    public string ClipOfBadPictures => folder["clip_bad_pictures.pt"];

    /// <summary>Weights that are no numbers, in the decoder.</summary>
    public string VqGanOfBadPictures => folder["vqgan_bad_pictures.pt"];

    /// <summary>Weights that are no numbers, in the head.</summary>
    public string GptOfBadLogits => folder["gpt_bad_logits.pt"];

    /// <summary>32 codes instead of the codebook's 64.</summary>
    public string GptOfOtherCodes => folder["gpt_other_codes.pt"];

    /// <summary>Takes embeddings of 32 values; CLIP makes 64.</summary>
    public string GptOfOtherEmbedding => folder["gpt_other_embedding.pt"];

    /// <summary>15 codes per picture.</summary>
    public string GptOfOddGrid => folder["gpt_odd_grid.pt"];

    /// <summary>
    /// A merges file with as many pairs as CLIP's, made up of pairs of single characters, so that tests of whole jobs need no download.
    /// Which ids a text gets does not matter to them.
    /// </summary>
    public string Vocabulary => folder["vocabulary.txt"];

    public void Dispose() => folder.Dispose();

    private static IEnumerable<TensorShape> Shapes(string directory, string name, string prefix)
    {
        using var checkpoint = Checkpoint.Open(RepositoryPaths.GoldenFile(directory, name));
        foreach (var tensor in checkpoint.Tensors)
            if (tensor.Name.StartsWith(prefix, StringComparison.Ordinal)) yield return new TensorShape(tensor.Name[prefix.Length..], [.. tensor.Shape]);
    }

    private static IEnumerable<TensorShape> Resized(IEnumerable<TensorShape> tensors, long from, long to, params string[] names) =>
        tensors.Select(tensor => names.Contains(tensor.Name) && tensor.Shape[0] == from ? tensor with { Shape = [to, .. tensor.Shape.Skip(1)] } : tensor);

    private static void Write(string path, string? lossName, IEnumerable<TensorShape> tensors, string? damaged = null)
    {
        var sources = tensors.Select(tensor => tensor.Name == damaged ? NaN(tensor) : Computed(tensor)).ToList();
        if (lossName is null) PyTorchWriter.Write(path, sources);
        else PyTorchWriter.Write(path, PyTorchValue.Dict([("model", PyTorchValue.StateDict(sources)), ("epoch", 3L), (lossName, 0.5)]));
    }

    private static TensorSource NaN(TensorShape tensor)
    {
        var values = new float[tensor.Shape.Aggregate(1L, (product, axis) => product * axis)];
        Array.Fill(values, float.NaN);
        return TensorSource.From(tensor.Name, values, [.. tensor.Shape]);
    }

    private static TensorSource Computed(TensorShape tensor)
    {
        var values = new float[tensor.Shape.Aggregate(1L, (product, axis) => product * axis)];
        ComputedWeights.Fill(tensor.Name, [.. tensor.Shape], 0, values);
        if (tensor.Name.EndsWith(".mask", StringComparison.Ordinal)) return Of(tensor, ElementType.Bool, values.Select(v => v != 0));
        return tensor.Name.EndsWith("num_batches_tracked", StringComparison.Ordinal)
            ? Of(tensor, ElementType.I64, values.Select(v => (long)v))
            : TensorSource.From(tensor.Name, values, [.. tensor.Shape]);
    }

    private static TensorSource Of<T>(TensorShape tensor, ElementType type, IEnumerable<T> values) where T : unmanaged
    {
        var elements = values.ToArray();
        return new TensorSource(tensor.Name, type, tensor.Shape, (first, bytes) => MemoryMarshal.AsBytes(elements.AsSpan((int)first))[..bytes.Length].CopyTo(bytes));
    }

    private static string MadeUpVocabulary()
    {
        // Characters that stand for themselves in the byte alphabet: 94 of ASCII and 94 of Latin-1.
        char[] symbols = [.. Enumerable.Range('!', '~' - '!' + 1).Concat(Enumerable.Range('¡', '¬' - '¡' + 1)).Concat(Enumerable.Range('®', 'ÿ' - '®' + 1)).Select(c => (char)c)];
        var text = new StringBuilder("#version: made up\n");
        var count = 0;
        foreach (var end in new[] { "</w>", "" })
            foreach (var a in symbols)
                foreach (var b in symbols)
                    if (count++ < Merges) text.Append($"{a} {b}{end}\n");
        return text.ToString();
    }
}
