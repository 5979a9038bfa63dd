using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;

namespace ClipGen.Models.Tracing;

/// <summary>Runs a model once and hands out every intermediate activation, to find where two implementations part.</summary>
public static class ModelTrace
{
    /// <summary>Name of the model's result.</summary>
    public const string Result = "out";

    /// <summary>
    /// CLIP on <c>image</c> [N, 3, S, S] or <c>tokens</c> [N, T]: <c>out</c> is the embedding, not normalised. With both inputs the
    /// embeddings are <c>out.image</c> and <c>out.text</c>.
    /// </summary>
    /// <exception cref="Tensors.Nn.WeightException">An input is missing or does not fit the model.</exception>
    public static IReadOnlyList<TracedTensor> Run(ClipModel clip, TraceInputs inputs)
    {
        bool image = inputs.Has("image"), text = inputs.Has("tokens");
        if (!image && !text) throw inputs.Bad("has neither a tensor 'image' [N, 3, H, W] nor 'tokens' [N, T]");
        using var scope = new TensorScope();
        using var trace = new Trace();
        List<TracedTensor> results = [];
        if (image)
        {
            var size = clip.Config.ImageSize;
            var pictures = Pictures(clip.Device, inputs);
            if (pictures.Shape[1] != size || pictures.Shape[2] != size) throw inputs.Bad($"tensor 'image' has pictures of {pictures.Shape[1]} x {pictures.Shape[2]}, this model takes {size} x {size}");
            results.Add(Float(text ? $"{Result}.image" : Result, clip.EncodeImage(pictures)));
        }
        if (text)
        {
            var tokens = inputs.Rows("tokens", $"[N, {clip.Config.ContextLength}]", clip.Config.VocabularySize);
            if (tokens[0].Length != clip.Config.ContextLength) throw inputs.Bad($"tensor 'tokens' has rows of {tokens[0].Length}, this model takes {clip.Config.ContextLength}");
            results.Add(Float(image ? $"{Result}.text" : Result, clip.EncodeText(tokens)));
        }
        return [.. Recorded(trace), .. results];
    }

    /// <summary>
    /// VQ-GAN on <c>image</c> [N, 3, H, W]: <c>out</c> is the reconstruction of the straight-through latents, <c>quantizer</c> those latents,
    /// <c>indices</c> the codes. A discriminator judges the reconstruction, where there is one and the pictures are large enough for it.
    /// </summary>
    /// <exception cref="Tensors.Nn.WeightException">The input is missing or does not fit the model.</exception>
    public static IReadOnlyList<TracedTensor> Run(VqGanModel vqgan, TraceInputs inputs)
    {
        using var scope = new TensorScope();
        var pictures = Pictures(vqgan.Device, inputs);
        int height = pictures.Shape[1], width = pictures.Shape[2];
        if (height * width == 0 || height % vqgan.Factor != 0 || width % vqgan.Factor != 0)
            throw inputs.Bad($"tensor 'image' has pictures of {height} x {width}, expected sides that are multiples of {vqgan.Factor}");
        using var trace = new Trace();
        var latents = vqgan.Encode(pictures);
        var codes = vqgan.Quantize(latents);
        var straight = Trace.Record("quantizer", latents.Add(vqgan.Embed(codes).Subtract(latents)));
        var painted = vqgan.Decode(straight);
        if (vqgan.Discriminator is { } discriminator && Math.Min(height, width) >= discriminator.SmallestSide) discriminator.Forward(painted);
        var indices = new TracedTensor("indices", Axes(codes.Shape), codes.ToArray<int>().Select(code => (long)code).ToArray());
        using var channelsFirst = painted.ToChannelsFirst();
        return [.. Recorded(trace), indices, Float(Result, channelsFirst)];
    }

    /// <summary>GPT on <c>codes</c> [N, L] and <c>embed</c> [N, C]: <c>out</c> is the logits [N, L + 1, V].</summary>
    /// <exception cref="Tensors.Nn.WeightException">An input is missing or does not fit the model.</exception>
    public static IReadOnlyList<TracedTensor> Run(GptModel gpt, TraceInputs inputs)
    {
        var c = gpt.Config;
        var codes = inputs.Rows("codes", "[N, L]", c.Vocabulary);
        var length = codes[0].Length;
        using var scope = new TensorScope();
        var embeddings = inputs.Floats(gpt.Device, "embed", $"[N, {c.ConditionSize}]", 2);
        if (length + 1 > c.BlockSize) throw inputs.Bad($"tensor 'codes' has rows of {length}, this GPT takes at most {c.BlockSize - 1}");
        if (embeddings.Shape[0] != codes.Length || embeddings.Shape[1] != c.ConditionSize)
            throw inputs.Bad($"tensor 'embed' has shape {embeddings.Shape}, expected [{codes.Length}, {c.ConditionSize}]");
        using var trace = new Trace();
        var logits = gpt.Forward(gpt.Device.From([.. codes.SelectMany(row => row)], new Shape(codes.Length, length)), embeddings);
        return [.. Recorded(trace), Float(Result, logits)];
    }

    private static Tensor Pictures(Device device, TraceInputs inputs)
    {
        var given = inputs.Floats(device, "image", "[N, 3, H, W]", 4);
        if (given.Shape[1] != 3) throw inputs.Bad($"tensor 'image' has shape {given.Shape}, expected [N, 3, H, W]");
        return given.ToChannelsLast();
    }

    private static IEnumerable<TracedTensor> Recorded(Trace trace) => trace.Activations.Select(a => new TracedTensor(a.Path, Axes(a.Shape), a.Values));

    private static TracedTensor Float(string name, Tensor value) => new(name, Axes(value.Shape), value.ToFloats());

    private static long[] Axes(Shape shape) => [.. shape.Axes.ToArray().Select(axis => (long)axis)];
}
