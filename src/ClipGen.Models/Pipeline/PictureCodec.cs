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

    /// <summary>Pictures [N, H, W, 3] of equally long square grids of codes, each row by row.</summary>
    /// <exception cref="GenerationException">The number of codes is not a square.</exception>
    public static Tensor Paint(VqGanModel vqgan, IReadOnlyList<int[]> codes)
    {
        var side = Side(codes[0].Length);
        using var grid = vqgan.Device.From([.. codes.SelectMany(row => row)], new Shape(codes.Count, side, side));
        return vqgan.DecodeCodes(grid);
    }

    /// <summary>
    /// How many pictures to decode at once, at most <paramref name="most"/>. Large ones keep all processors busy one by one, and their activations would fill the memory; of small
    /// ones as many as make up one of the released size. A picture's bits do not depend on it.
    /// </summary>
    public static int DecodedTogether(VqGanModel vqgan, int codes, int most)
    {
        var side = Side(codes) * vqgan.Factor;
        return Math.Clamp(ReleasedSize * ReleasedSize / (side * side), 1, most);
    }

    /// <summary>Square pictures of one size in batches of as many as <see cref="DecodedTogether"/> says.</summary>
    public static IEnumerable<List<Picture>> Batches(VqGanModel vqgan, IEnumerable<Picture> pictures)
    {
        List<Picture> batch = [];
        foreach (var picture in pictures)
        {
            batch.Add(picture);
            var codes = picture.Width / vqgan.Factor * (picture.Width / vqgan.Factor);
            if (batch.Count < DecodedTogether(vqgan, codes, int.MaxValue)) continue;
            yield return batch;
            batch = [];
        }
        if (batch.Count > 0) yield return batch;
    }

    /// <summary>Decoder output [N, H, W, 3] as 8-bit pictures.</summary>
    /// <exception cref="DataException">A value is not a number.</exception>
    public static Picture[] Pictures(Tensor painted)
    {
        var values = painted.ToFloats();
        var size = values.Length / painted.Shape[0];
        return [.. Enumerable.Range(0, painted.Shape[0]).Select(n => PictureTransforms.FromVqGan(values.AsSpan(n * size, size), painted.Shape[2], painted.Shape[1]))];
    }

    /// <summary>Side of a square grid of so many codes.</summary>
    /// <exception cref="GenerationException">The number is not a square.</exception>
    public static int Side(int codes)
    {
        var side = (int)Math.Round(Math.Sqrt(codes));
        return side * side == codes ? side : throw new GenerationException($"the GPT writes {codes} codes, which is not a square grid");
    }

    /// <summary>Peak signal-to-noise ratio of 8-bit pictures in decibels; infinite for equal ones.</summary>
    public static double Psnr(Picture a, Picture b)
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
