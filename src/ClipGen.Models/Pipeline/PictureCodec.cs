using ClipGen.Data;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;

namespace ClipGen.Models.Pipeline;

/// <summary>Pictures to grids of codes and back, through a VQ-GAN.</summary>
public static class PictureCodec
{
    /// <summary>Side of the pictures that the released models were trained on.</summary>
    public const int ReleasedSize = 256;

    /// <summary>A picture as validation of the reference prepares it: short side resized (bilinear, antialiased), middle square cut out.</summary>
    /// <param name="picture">Any picture.</param>
    /// <param name="size">Side of the square.</param>
    public static Picture Prepare(Picture picture, int size = ReleasedSize) => PictureTransforms.CenterCrop(PictureTransforms.ResizeShortSide(picture, size), size);

    /// <summary>A prepared picture through the bottleneck and back.</summary>
    public static Reconstruction Reconstruct(VqGanModel vqgan, Picture picture)
    {
        using var scope = new TensorScope();
        var values = PictureTransforms.ToVqGan(picture);
        var input = vqgan.Device.From(values, new Shape(1, picture.Height, picture.Width, 3));
        var output = vqgan.Reconstruct(input).ToFloats();
        var result = PictureTransforms.FromVqGan(output, picture.Width, picture.Height);
        double difference = 0;
        for (var i = 0; i < values.Length; i++) difference += Math.Abs((double)output[i] - values[i]);
        return new Reconstruction(picture, result, difference / values.Length, Psnr(picture, result));
    }

    /// <summary>Codes of a prepared picture, rows x columns.</summary>
    public static int[][] Encode(VqGanModel vqgan, Picture picture)
    {
        using var scope = new TensorScope();
        var input = vqgan.Device.From(PictureTransforms.ToVqGan(picture), new Shape(1, picture.Height, picture.Width, 3));
        var codes = vqgan.Quantize(vqgan.Encode(input));
        return [.. codes.ToArray<int>().Chunk(codes.Shape[2])];
    }

    /// <summary>The picture that codes, rows x columns, stand for.</summary>
    public static Picture Decode(VqGanModel vqgan, int[][] codes)
    {
        using var scope = new TensorScope();
        int[] all = [.. codes.SelectMany(row => row)];
        var output = vqgan.DecodeCodes(vqgan.Device.From(all, new Shape(1, codes.Length, codes[0].Length)));
        return PictureTransforms.FromVqGan(output.ToFloats(), output.Shape[2], output.Shape[1]);
    }

    /// <summary>Peak signal-to-noise ratio of 8-bit pictures in decibels; infinite for equal ones.</summary>
    private static double Psnr(Picture a, Picture b)
    {
        double squares = 0;
        for (var i = 0; i < a.Rgb.Length; i++) squares += (a.Rgb[i] - b.Rgb[i]) * (double)(a.Rgb[i] - b.Rgb[i]);
        return 10 * Math.Log10(255.0 * 255.0 * a.Rgb.Length / squares);
    }
}

/// <summary>A picture and what became of it.</summary>
/// <param name="Original">The prepared picture.</param>
/// <param name="Result">Its reconstruction.</param>
/// <param name="L1">Mean absolute difference of the values in [−1, 1]: the reconstruction loss of training.</param>
/// <param name="Psnr">Of the two 8-bit pictures, in decibels; infinite when they are equal.</param>
public sealed record Reconstruction(Picture Original, Picture Result, double L1, double Psnr);
