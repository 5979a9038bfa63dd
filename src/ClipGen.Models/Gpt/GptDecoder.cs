using ClipGen.Tensors;

namespace ClipGen.Models.Gpt;

/// <summary>
/// A batch of sequences while they are written: keys and values of all earlier positions are kept, so a step computes one position only,
/// and the head runs on that position alone. Free it to free the caches: layers x 2 x [N, heads, block, C / heads] floats.
/// </summary>
public sealed class GptDecoder : IDisposable
{
    private readonly GptModel model;
    private readonly Tensor[] keys, values;
    private readonly int batch;
    private Tensor? logits;

    internal GptDecoder(GptModel model, Tensor embeddings)
    {
        this.model = model;
        var c = model.Config;
        if (embeddings.Shape.Rank != 2 || embeddings.Shape[1] != c.ConditionSize)
            throw new ShapeException("Gpt", $"condition {embeddings.Shape}, expected [N, {c.ConditionSize}]");
        batch = embeddings.Shape[0];
        var cache = new Shape(batch, c.Heads, c.BlockSize, c.Width / c.Heads);
        keys = [.. Enumerable.Range(0, c.Layers).Select(_ => TensorScope.Detach(model.Device.Empty(cache)))];
        values = [.. Enumerable.Range(0, c.Layers).Select(_ => TensorScope.Detach(model.Device.Empty(cache)))];
        using var scope = new TensorScope();
        Advance(model.Condition(embeddings));
    }

    /// <summary>Positions computed so far, the condition's included.</summary>
    public int Length { get; private set; }

    /// <summary>Logits of the next code, [N, V]. Valid until the next step.</summary>
    public Tensor Logits => logits!;

    /// <summary>Appends one code per sequence.</summary>
    /// <param name="codes">int [N].</param>
    /// <exception cref="InvalidOperationException">The block is full.</exception>
    public void Append(Tensor codes)
    {
        if (codes.Shape != new Shape(batch)) throw new ShapeException("Gpt", $"codes {codes.Shape}, expected [{batch}]");
        using var scope = new TensorScope();
        Advance(model.EmbedCodes(codes));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        logits?.Dispose();
        foreach (var cache in keys) cache.Dispose();
        foreach (var cache in values) cache.Dispose();
    }

    private void Advance(Tensor x)
    {
        if (Length >= model.Config.BlockSize) throw new InvalidOperationException($"the block of {model.Config.BlockSize} positions is full");
        x = x.Add(model.Position(Length));
        var lengths = new int[batch];
        Array.Fill(lengths, Length);
        var before = model.Device.From(lengths, new Shape(batch));
        for (var layer = 0; layer < keys.Length; layer++) x = model.DecodeBlock(layer, x, keys[layer], values[layer], before);
        logits?.Dispose();
        logits = TensorScope.Detach(model.Logits(x));
        Length++;
    }
}
