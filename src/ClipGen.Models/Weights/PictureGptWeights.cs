using ClipGen.Kernels;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models;

/// <summary>
/// Initial weights of a GPT that know what its codes are: places of a grid, and vectors of a codebook. Positions begin as sines and cosines of their row and column (Vaswani et al. 2017, in two dimensions), so that "the code above" is a
/// turn by the same angles everywhere; a code's embedding, and its row of the head, begin as a random projection of its vector, so that codes that look alike begin alike and what is learned of one is learned of its neighbours.
/// All else is as in <see cref="InitialWeights"/>.
/// </summary>
/// <param name="plain">The other weights.</param>
/// <param name="codebook">The VQ-GAN's vectors, [codes, codeSize].</param>
/// <param name="codeSize">Numbers of a vector.</param>
/// <param name="seed">Seed of the projections.</param>
public sealed class PictureGptWeights(InitialWeights plain, float[] codebook, int codeSize, ulong seed) : IWeightSource
{
    private const uint Purpose = 0x0C0D << 16;
    private readonly float[] vectors = Standardized(codebook, codeSize);
    private readonly double[] embedding = Projection(1, codeSize, (int)plain.ShapeOf("tok_emb.weight")![^1], seed), head = Projection(2, codeSize, (int)plain.ShapeOf("head.weight")![^1], seed);

    /// <inheritdoc/>
    public string Name => plain.Name;

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names => plain.Names;

    /// <inheritdoc/>
    public long[]? ShapeOf(string name) => plain.ShapeOf(name);

    /// <inheritdoc/>
    public int? Option(string name) => plain.Option(name);

    /// <inheritdoc/>
    public void ReadFloats(string name, long first, Span<float> destination)
    {
        plain.ReadFloats(name, first, destination);
        var shape = plain.ShapeOf(name)!;
        var width = (int)shape[^1];
        switch (name)
        {
            case "pos_emb":
                var side = (int)Math.Sqrt(shape[1]);
                for (var i = 0; i < destination.Length; i++) destination[i] = (float)Place((int)((first + i) / width), (int)((first + i) % width), side, width);
                break;
            case "tok_emb.weight":
                // A share of its own, so that equal vectors are still two codes.
                for (var i = 0; i < destination.Length; i++) destination[i] = 0.3f * destination[i] + Projected(embedding, (first + i) / width, (int)((first + i) % width), width);
                break;
            case "head.weight":
                var size = (float)(1 / Math.Sqrt(3.0 * width));
                for (var i = 0; i < destination.Length; i++) destination[i] = 0.3f * destination[i] + size * Projected(head, (first + i) / width, (int)((first + i) % width), width);
                break;
        }
    }

    // The first half of the channels is the row's, the second the column's; of each, pairs of sine and cosine, from one turn over twice the grid to half a turn a step.
    private static double Place(int position, int channel, int side, int width)
    {
        var half = width / 2;
        var (at, c) = channel < half ? (position / side, channel) : (position % side, channel - half);
        var pairs = Math.Max(2, (half + 1) / 2);
        var angle = at * Math.PI * Math.Pow(1.0 / side, 1 - (double)(c / 2) / (pairs - 1));
        return c % 2 == 0 ? Math.Sin(angle) : Math.Cos(angle);
    }

    /// <summary>Entry of the code's vector times a projection, of size one.</summary>
    private float Projected(double[] projection, long code, int channel, int width)
    {
        double sum = 0;
        for (var i = 0; i < codeSize; i++) sum += vectors[code * codeSize + i] * projection[i * width + channel];
        return (float)(sum / Math.Sqrt(codeSize));
    }

    /// <summary>A random matrix, [codeSize, width].</summary>
    private static double[] Projection(uint which, int codeSize, int width, ulong seed)
    {
        var key = new RandomKey(seed, Purpose, which);
        return [.. Enumerable.Range(0, codeSize * width).Select(i => Philox.Normal(key, i))];
    }

    /// <summary>Every number of the vectors with mean 0 and deviation 1 over the codes.</summary>
    private static float[] Standardized(float[] codebook, int codeSize)
    {
        var result = new float[codebook.Length];
        var codes = codebook.Length / codeSize;
        for (var i = 0; i < codeSize; i++)
        {
            double mean = 0, squares = 0;
            for (var code = 0; code < codes; code++) mean += codebook[code * codeSize + i];
            mean /= codes;
            for (var code = 0; code < codes; code++) squares += Math.Pow(codebook[code * codeSize + i] - mean, 2);
            var deviation = Math.Sqrt(squares / codes);
            for (var code = 0; code < codes; code++) result[code * codeSize + i] = deviation > 0 ? (float)((codebook[code * codeSize + i] - mean) / deviation) : 0;
        }
        return result;
    }
}
