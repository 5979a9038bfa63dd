using System.CommandLine;
using ClipGen.Data;
using ClipGen.Data.Datasets;
using ClipGen.Models;
using ClipGen.Models.Pipeline;
using ClipGen.Models.VqGan;

namespace ClipGen.Cli;

/// <summary>Arguments and options of the commands that put pictures through a VQ-GAN.</summary>
internal static class PictureArguments
{
    private const int LargestSize = 2048;

    /// <summary>Longest side of a picture that is written: what a JPEG file can have, and about what viewers open.</summary>
    private const int LongestSide = 65500;

    /// <summary>Picture files.</summary>
    public static Argument<string[]> Images() => new("IMAGE") { Description = "Picture files (PNG, JPEG, GIF, WebP, TIFF, AVIF, BMP)", Arity = ArgumentArity.OneOrMore };

    /// <summary>The side that pictures are brought to.</summary>
    public static Option<int?> Size() => new("--size") { Description = $"Side of the square that is cut out of each picture, in pixels (default: what the model's GPT writes, or {PictureCodec.ReleasedSize})" };

    /// <summary>The given side, or that of the pictures which the GPT of the same model writes.</summary>
    /// <param name="model">The VQ-GAN.</param>
    /// <param name="given">From the command line.</param>
    /// <param name="gpt">Path of the GPT, if there is one.</param>
    /// <exception cref="UsageException">The model can't take that size.</exception>
    public static int SizeFor(VqGanModel model, int? given, string? gpt)
    {
        var size = given ?? (gpt is null ? PictureCodec.ReleasedSize : SideOf(gpt) * model.Factor);
        if (size < model.Factor || size > LargestSize || size % model.Factor != 0)
            throw new UsageException($"--size {size}: must be a multiple of {model.Factor} (this VQ-GAN's pixels per code) and at most {LargestSize}");
        return size;
    }

    private static int SideOf(string gpt)
    {
        using var weights = CheckpointWeights.Open(gpt, ModelKind.Gpt);
        return PictureCodec.Side(weights.ShapeOf("pos_emb") is [_, var codes, _] ? (int)codes : 0);
    }

    /// <summary>Checks that a grid of so many rows can be written as one picture.</summary>
    /// <exception cref="JobException">It would be too high.</exception>
    public static void RequireGrid(string what, int rows, int cellHeight)
    {
        if ((long)rows * (cellHeight + 2) + 2 > LongestSide)
            throw new JobException($"{what}: {rows:N0} rows of {cellHeight} pixels make a picture higher than {LongestSide:N0} pixels; do it in several parts");
    }

    /// <summary>Loads a picture and cuts it to size.</summary>
    /// <exception cref="DataException">The file can't be read.</exception>
    public static Picture Load(string path, int size) => Prepare(PictureFile.Load(path), path, size);

    /// <summary>The first pictures of a dataset, each cut to size.</summary>
    /// <exception cref="DataException">One can't be read, or is too long and thin.</exception>
    public static IEnumerable<Picture> Prepared(IPictureDataset pictures, long count, int size)
    {
        for (var n = 0L; n < count; n++) yield return Prepare(pictures.Load(n), pictures.NameOf(n), size);
    }

    /// <summary>Cuts a picture to size.</summary>
    /// <exception cref="DataException">It is too long and thin.</exception>
    public static Picture Prepare(Picture picture, string path, int size)
    {
        // A strip of 1 x 100,000 pixels would grow beyond all memory before its middle is cut out.
        long shorter = Math.Min(picture.Width, picture.Height), longer = Math.Max(picture.Width, picture.Height);
        if (longer * size / shorter * size > PictureFile.LargestPixels)
            throw new DataException($"{path}: a picture of {picture.Width} x {picture.Height} pixels is too long and thin; cut it first");
        return PictureCodec.Prepare(picture, size);
    }
}
