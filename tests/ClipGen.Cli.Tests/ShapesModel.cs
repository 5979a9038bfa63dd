using ClipGen.Cli.Tests;
using ClipGen.Testing;

[assembly: AssemblyFixture(typeof(ShapesModel))]

namespace ClipGen.Cli.Tests;

/// <summary>A model of whole words with random weights, under the names of the built-in one; in a folder <c>pretrained</c> of its own.</summary>
public sealed class ShapesModel : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public ShapesModel()
    {
        Directory.CreateDirectory(Pretrained);
        TinyShapesModel.Write(Pretrained);
    }

    /// <summary>A working directory in which the model is the built-in one.</summary>
    public string WorkingDirectory => folder.Path;

    /// <summary>The folder of the three files.</summary>
    public string Pretrained => folder["pretrained"];

    public string Clip => Path.Combine(Pretrained, "shapes-clip.safetensors");

    public string VqGan => Path.Combine(Pretrained, "shapes-vqgan.safetensors");

    public string Gpt => Path.Combine(Pretrained, "shapes-gpt.safetensors");

    public void Dispose() => folder.Dispose();
}
