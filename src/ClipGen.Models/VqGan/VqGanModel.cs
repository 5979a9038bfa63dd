using ClipGen.Kernels;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.VqGan;

/// <summary>
/// VQ-GAN (Esser, Rombach, Ommer 2021): a picture as a grid of indices into a learned codebook, and back. Pictures are [N, H, W, 3] with
/// values in [−1, 1]; a code stands for a square of <see cref="Factor"/> pixels.
/// </summary>
public sealed class VqGanModel : Module
{
    /// <summary>Name of the codebook in a checkpoint.</summary>
    public const string CodebookName = "quantizer.embedding.weight";

    /// <summary>A tensor that a checkpoint has if it has a discriminator.</summary>
    public const string DiscriminatorMark = "discriminator.head.weight";

    private readonly Encoder encoder;
    private readonly Decoder decoder;

    private VqGanModel(WeightLoader weights) : base("")
    {
        Device = weights.Device;
        encoder = Own(new Encoder(weights.In("encoder")));
        decoder = Own(new Decoder(weights.In("decoder")));
        var table = weights.ShapeOf(CodebookName, 2);
        Codebook = Own(weights.Tensor(CodebookName, table));
        (Codes, CodeSize) = (table[0], table[1]);
        if (weights.Has(DiscriminatorMark)) Discriminator = Own(new Discriminator(weights.In("discriminator")));
        Parameters = weights.Parameters;
    }

    /// <summary>Where it computes.</summary>
    public Device Device { get; }

    /// <summary>Entries of the codebook.</summary>
    public int Codes { get; }

    /// <summary>Channels of a code.</summary>
    public int CodeSize { get; }

    /// <summary>Pixels per code along one side: 16 in the released model.</summary>
    public int Factor => encoder.Factor;

    /// <summary>The codebook [K, Z].</summary>
    public Tensor Codebook { get; }

    /// <summary>The discriminator of the adversarial loss, where the checkpoint has it.</summary>
    public Discriminator? Discriminator { get; }

    /// <summary>Its parameters and buffers in the checkpoint's order; empty unless it was loaded to be trained.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>The filters of the decoder's last convolution [3, 9·C], at which the weight of the adversarial loss is found.</summary>
    public Tensor LastLayer => decoder.LastLayer;

    /// <summary>Loads the model.</summary>
    /// <exception cref="WeightException">The weights are not a VQ-GAN's.</exception>
    public static VqGanModel Load(Device device, IWeightSource source, WeightForm form = WeightForm.Packed) =>
        WeightLoader.Load(device, source, ModelKind.VqGan.Describe(), weights => new VqGanModel(weights), Ignored, form);

    /// <summary>Checks names and shapes without reading a weight.</summary>
    /// <returns>Number of codes.</returns>
    /// <exception cref="WeightException">The weights are not a VQ-GAN's.</exception>
    public static int Check(Device device, IWeightSource source) =>
        WeightLoader.Check(device, source, ModelKind.VqGan.Describe(), weights => new VqGanModel(weights), model => model.Codes, Ignored);

    /// <summary>Pictures -> latents [N, H/f, W/f, Z], not yet quantised.</summary>
    /// <exception cref="ShapeException">The sides are not multiples of <see cref="Factor"/>.</exception>
    public Tensor Encode(Tensor pictures)
    {
        using var span = Profiler.Enter("vqgan");
        if (pictures.Shape.Rank != 4 || pictures.Shape[3] != 3 || pictures.Shape[1] % Factor != 0 || pictures.Shape[2] % Factor != 0 || pictures.Shape[1] * pictures.Shape[2] == 0)
            throw new ShapeException("VqGan.Encode", $"pictures {pictures.Shape}, expected [N, H, W, 3] with sides that are multiples of {Factor}");
        return encoder.Forward(pictures);
    }

    /// <summary>Latents [N, h, w, Z] -> codes int [N, h, w], the nearest ones.</summary>
    public Tensor Quantize(Tensor latents)
    {
        using var span = Profiler.Enter("quantizer");
        return latents.NearestCode(Codebook);
    }

    /// <summary>Codes int [N, h, w] -> their vectors [N, h, w, Z].</summary>
    /// <exception cref="ArgumentOutOfRangeException">A code is outside the codebook.</exception>
    public Tensor Embed(Tensor codes) => codes.Embedding(Codebook);

    /// <summary>Latents [N, h, w, Z] -> pictures.</summary>
    public Tensor Decode(Tensor latents)
    {
        using var span = Profiler.Enter("vqgan");
        if (latents.Shape.Rank != 4 || latents.Shape[3] != CodeSize)
            throw new ShapeException("VqGan.Decode", $"latents {latents.Shape}, expected [N, h, w, {CodeSize}]");
        return decoder.Forward(latents);
    }

    /// <summary>Codes int [N, h, w] -> pictures.</summary>
    public Tensor DecodeCodes(Tensor codes)
    {
        using var latents = Embed(codes);
        return Decode(latents);
    }

    /// <summary>Pictures through the bottleneck and back. The decoder sees <c>z + (e − z)</c>, rounded as in training (straight-through).</summary>
    public Tensor Reconstruct(Tensor pictures)
    {
        using var scope = new TensorScope();
        var z = Encode(pictures);
        return scope.Keep(Decode(z.StraightThrough(Embed(Quantize(z)))));
    }

    // A count that only training uses.
    private static bool Ignored(string name) => name.EndsWith(".num_batches_tracked", StringComparison.Ordinal);
}
