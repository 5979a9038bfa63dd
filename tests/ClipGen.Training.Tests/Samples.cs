using ClipGen.Data;
using ClipGen.Training.Reporting;

namespace ClipGen.Training.Tests;

/// <summary>Pictures, numbers and descriptions that several tests need.</summary>
internal static class Samples
{
    /// <summary>PNG bytes of a picture with a colour gradient.</summary>
    public static byte[] Png(int width, int height)
    {
        using var folder = new TemporaryFolder();
        var picture = new Picture(width, height);
        for (var i = 0; i < picture.Rgb.Length; i++) picture.Rgb[i] = (byte)(i * 7);
        PictureFile.Save(picture, folder["p.png"]);
        return File.ReadAllBytes(folder["p.png"]);
    }

    /// <summary>Numbers from −1 to 1, the same ones for the same seed.</summary>
    public static float[] Uniform(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(2 * random.NextDouble() - 1))];
    }

    public static RunDescription Run(params Setting[] settings) => new()
    {
        Command = "train vqgan",
        Model = "VQ-GAN, 16384 codes, 78.8 M parameters",
        CommandLine = "clipgen train vqgan --ds shapes --bs 8",
        Seed = 18446744073709551615,
        Started = new DateTimeOffset(2026, 3, 1, 8, 0, 0, TimeSpan.Zero),
        Settings = settings,
        Version = "1.2.3",
    };
}
