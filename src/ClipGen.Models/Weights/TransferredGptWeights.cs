using ClipGen.Tensors.Nn;

namespace ClipGen.Models;

/// <summary>
/// Weights of a GPT that goes on with another VQ-GAN's codes. What it knows of embeddings and places stays; only its two tables of codes change. With P(o|k) the share of old code o where the new one is k, and P(k|o) that of k where the
/// old one is o: the embedding of k and its row of the head are the means over P(o|k) of those of o, and its bias is the mean of <c>bias(o) + log P(k|o)</c>, so that its probability is what o's was, times the share of it that k took.
/// </summary>
public sealed class TransferredGptWeights : IWeightSource
{
    // Counted with every pair, so that what never stood together is rare and not impossible.
    private const double Prior = 1e-3;

    private const string Embedding = "tok_emb.weight", Head = "head.weight", Bias = "head.bias";
    private readonly IWeightSource gpt;
    private readonly Dictionary<string, (long[] Shape, float[] Values)> tables = [];

    /// <summary>Reads the tables and computes the new ones.</summary>
    /// <param name="gpt">The trained GPT.</param>
    /// <param name="counts">From the codes that it writes to those that it shall write.</param>
    /// <exception cref="WeightException">It writes other codes than were counted.</exception>
    public TransferredGptWeights(IWeightSource gpt, CodeCounts counts)
    {
        this.gpt = gpt;
        foreach (var name in (string[])[Embedding, Head, Bias])
        {
            var shape = gpt.ShapeOf(name) ?? throw new WeightException($"{gpt.Name}: expected the tensor {name} of a GPT");
            if (shape.Length == 0 || shape[0] != counts.From) throw new WeightException($"{gpt.Name}: {name} has the shape [{string.Join(", ", shape)}], expected {counts.From} rows, one for each code of the VQ-GAN that it was trained on");
            var width = checked((int)shape.Skip(1).Aggregate(1L, (product, axis) => product * axis));
            var old = new float[checked(counts.From * width)];
            gpt.ReadFloats(name, 0, old);
            var values = new float[checked(counts.To * width)];
            var sums = new double[width];
            for (var code = 0; code < counts.To; code++)
            {
                Array.Clear(sums);
                foreach (var (from, share) in counts.SharesOf(code))
                {
                    var taken = name == Bias ? Math.Log((counts.Both(from, code) + Prior) / (counts.Of(from) + Prior * counts.To)) : 0;
                    for (var i = 0; i < width; i++) sums[i] += share * (old[from * width + i] + taken);
                }
                for (var i = 0; i < width; i++) values[code * width + i] = (float)sums[i];
            }
            tables[name] = ([counts.To, .. shape[1..]], values);
        }
    }

    /// <inheritdoc/>
    public string Name => gpt.Name;

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names => gpt.Names;

    /// <inheritdoc/>
    public long[]? ShapeOf(string name) => tables.TryGetValue(name, out var table) ? table.Shape : gpt.ShapeOf(name);

    /// <inheritdoc/>
    public int? Option(string name) => gpt.Option(name);

    /// <inheritdoc/>
    public void ReadFloats(string name, long first, Span<float> destination)
    {
        if (tables.TryGetValue(name, out var table)) table.Values.AsSpan(checked((int)first), destination.Length).CopyTo(destination);
        else gpt.ReadFloats(name, first, destination);
    }
}
