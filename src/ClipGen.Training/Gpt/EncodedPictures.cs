using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using ClipGen.Checkpoints;
using ClipGen.Data.Datasets;

namespace ClipGen.Training.Gpt;

/// <summary>What a GPT is trained on, of every picture of a dataset: its codes and its CLIP embedding. Kept in a file, so that a run that goes on does not encode again.</summary>
/// <param name="count">Pictures.</param>
/// <param name="length">Codes of a picture.</param>
/// <param name="width">Values of an embedding.</param>
internal sealed class EncodedPictures(int count, int length, int width)
{
    private const string CodesName = "codes", EmbeddingsName = "embeddings", KeyName = "clipgen.encoded";
    private readonly int[] codes = new int[checked((long)count * length)];
    private readonly float[] embeddings = new float[checked((long)count * width)];

    /// <summary>Says which pictures and models encodings belong to: other ones have another key.</summary>
    /// <param name="pictures">The dataset; it is known by its pictures' names, not by what is in them.</param>
    /// <param name="side">Side of the crops.</param>
    /// <param name="seed">Seed of the run.</param>
    /// <param name="models">Tells the two models from others.</param>
    public static string KeyOf(IPictureDataset pictures, int side, ulong seed, string models)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        void Append(string text) => hash.AppendData(Encoding.UTF8.GetBytes(text + "\n"));
        Append(string.Create(CultureInfo.InvariantCulture, $"{pictures.Name} {pictures.Count} {side} {seed} {models}"));
        if (pictures.Together > 1) Append($"groups of {pictures.Together}");
        for (var n = 0L; n < pictures.Count; n++) Append(pictures.NameOf(n));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Codes of a picture.</summary>
    public int[] CodesOf(long index) => codes.AsSpan(checked((int)index * length), length).ToArray();

    /// <summary>Embedding of a picture.</summary>
    public float[] EmbeddingOf(long index) => embeddings.AsSpan(checked((int)index * width), width).ToArray();

    /// <summary>Takes pictures, from <paramref name="first"/> on.</summary>
    public void Set(long first, int[][] rows, float[] vectors)
    {
        for (var i = 0; i < rows.Length; i++) rows[i].CopyTo(codes, checked((int)((first + i) * length)));
        vectors.CopyTo(embeddings, first * width);
    }

    /// <summary>Writes the file; it appears whole or not at all.</summary>
    /// <exception cref="CheckpointException">It can't be written.</exception>
    public void Write(string path, string key) => SafetensorsWriter.Write(path,
    [
        new TensorSource(CodesName, ElementType.I32, [count, length], (first, bytes) => MemoryMarshal.AsBytes(codes.AsSpan((int)first)).Slice(0, bytes.Length).CopyTo(bytes)),
        TensorSource.From(EmbeddingsName, embeddings, count, width),
    ], new Dictionary<string, string> { [KeyName] = key });

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="key">What it must belong to.</param>
    /// <param name="count">Pictures.</param>
    /// <param name="length">Codes of a picture.</param>
    /// <param name="width">Values of an embedding.</param>
    /// <param name="vocabulary">Codes that there are.</param>
    /// <returns>Null when there is no such file, or it belongs to other pictures or models.</returns>
    /// <exception cref="CheckpointException">It is damaged.</exception>
    public static EncodedPictures? Read(string path, string key, int count, int length, int width, int vocabulary)
    {
        if (!File.Exists(path)) return null;
        using var file = Checkpoint.Open(path);
        if (file.Values.GetValueOrDefault($"__metadata__.{KeyName}") as string != key) return null;
        if (file.Find(CodesName) is not { Type: ElementType.I32 } stored || !stored.Shape.SequenceEqual([count, length]) || file.Find(EmbeddingsName) is not { Type: ElementType.F32 } vectors || !vectors.Shape.SequenceEqual([count, width]))
            throw new CheckpointException(path, $"expected the codes [{count}, {length}] and embeddings [{count}, {width}] of the pictures; remove it to encode them again");
        var encoded = new EncodedPictures(count, length, width);
        stored.ReadBytes(0, MemoryMarshal.AsBytes(encoded.codes.AsSpan()));
        vectors.ReadFloats(0, encoded.embeddings);
        if (encoded.codes.Any(code => (uint)code >= (uint)vocabulary)) throw new CheckpointException(path, $"holds a code outside of 0 to {vocabulary - 1}; remove it to encode the pictures again");
        return encoded;
    }
}
