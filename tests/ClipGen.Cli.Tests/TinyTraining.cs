namespace ClipGen.Cli.Tests;

/// <summary>Command lines of trainings that take milliseconds a step: 64 scenes of 24 pixels, 16 steps an epoch. Options that a test gives stand in for these.</summary>
internal static class TinyTraining
{
    private static readonly string[] Data = ["--ds", "shapes", "--scenes", "64", "--val-share", "0.1", "--bs", "4", "--size", "24"];

    /// <summary><c>train vqgan</c>: 2 x 2 pixels per code, with a discriminator.</summary>
    public static string[] VqGan(string folder, params string[] more) => Job("vqgan", folder, more,
        "--channels", "8", "--groups", "4", "--multipliers", "1,2", "--blocks", "1", "--codes", "32", "--code-size", "8", "--disc-channels", "4", "--disc-start", "2steps");

    /// <summary><c>train clip</c>: four patches.</summary>
    public static string[] Clip(string folder, params string[] more) => Job("clip", folder, more,
        "--patch", "12", "--embedding", "16", "--vision-width", "32", "--vision-layers", "1", "--text-width", "32", "--text-layers", "1", "--hard-negatives", "4");

    /// <summary><c>train gpt</c> over the two: 12 x 12 codes.</summary>
    public static string[] Gpt(string folder, string vqgan, string clip, params string[] more) => Job("gpt", folder, more,
        "--vqgan-ckpt", vqgan, "--clip-ckpt", clip, "--gpt", "1x32x2", "--previews", "1");

    private static string[] Job(string kind, string folder, string[] more, params string[] sizes) =>
        ["train", kind, "--out", folder, .. ((string[])[.. Data, .. sizes]).Chunk(2).Where(pair => !more.Contains(pair[0])).SelectMany(pair => pair), .. more];
}
