using ClipGen.Kernels;
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
    private readonly Tensor codes, lengths, first;
    private readonly RepeatedStep step;
    private readonly int batch;

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
        codes = TensorScope.Detach(model.Device.Empty(new Shape(batch), DType.Int32));
        lengths = TensorScope.Detach(model.Device.Empty(new Shape(batch), DType.Int32));
        step = new RepeatedStep(model.Device, () => Advance(model.EmbedCodes(codes)));
        Count();
        using var scope = new TensorScope();
        Logits = first = TensorScope.Detach(Advance(model.Condition(embeddings)));
    }

    /// <summary>Positions computed so far, the condition's included.</summary>
    public int Length { get; private set; }

    /// <summary>Logits of the next code, [N, V]. Valid until the next step.</summary>
    public Tensor Logits { get; private set; }

    /// <summary>Appends one code per sequence.</summary>
    /// <param name="codes">int [N].</param>
    /// <exception cref="InvalidOperationException">The block is full.</exception>
    public void Append(Tensor codes)
    {
        if (codes.Shape != new Shape(batch)) throw new ShapeException("Gpt", $"codes {codes.Shape}, expected [{batch}]");
        if (Length >= model.Config.BlockSize) throw new InvalidOperationException($"the block of {model.Config.BlockSize} positions is full");
        Count();
        model.Device.Backend.Copy(codes.Ints, this.codes.Ints);
        Logits = step.Run();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        step.Dispose();
        foreach (var tensor in (ReadOnlySpan<Tensor>)[first, codes, lengths, .. keys, .. values]) tensor.Dispose();
    }

    /// <summary>Tells the device how many positions there are, and counts the one to come.</summary>
    private void Count()
    {
        var before = new int[batch];
        Array.Fill(before, Length++);
        model.Device.Backend.Upload<int>(before, lengths.Ints);
    }

    private Tensor Advance(Tensor x)
    {
        using var span = Profiler.Enter("gpt");
        x = x.Add(model.Positions(lengths));
        for (var layer = 0; layer < keys.Length; layer++) x = model.DecodeBlock(layer, x, keys[layer], values[layer], lengths);
        return model.Logits(x);
    }
}
