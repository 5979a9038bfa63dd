using ClipGen.Models.Gpt;
using ClipGen.Models.Pipeline;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Testing;

namespace ClipGen.Models.Tests;

/// <summary>Weights that do not fit are reported all at once, by name, before anything is read.</summary>
public sealed class WeightFitTests
{
    [Fact]
    public void MissingUnexpectedAndMisshapenTogether()
    {
        var tensors = ReleasedModels.VqGanCoco.Where(t => t.Name is not "encoder.mid.0.block.2.weight" and not "decoder.final.2.bias")
            .Select(t => t.Name == "decoder.conv_in.bias" ? new TensorShape(t.Name, [17]) : t)
            .Append(new TensorShape("encoder.surprise", [3])).ToList();
        using var device = Device.Cpu(1);
        var error = Assert.Throws<WeightException>(() => VqGanModel.Load(device, new NeverRead("broken.pt", tensors)));
        Assert.StartsWith("broken.pt: ", error.Message);
        Assert.Contains("2 missing: encoder.mid.0.block.2.weight, decoder.final.2.bias", error.Message);
        Assert.Contains("1 of another shape: decoder.conv_in.bias has [17], expected [512]", error.Message);
        Assert.Contains("1 unexpected: encoder.surprise", error.Message);
        Assert.DoesNotContain('\n', error.Message);
        Assert.Equal(0, device.Memory.LiveBlocks);
    }

    [Fact]
    public void ALongListIsCut()
    {
        var tensors = ReleasedModels.GptMedium.Where(t => !t.Name.Contains("norm1", StringComparison.Ordinal)).ToList();
        using var device = Device.Cpu(1);
        var error = Assert.Throws<WeightException>(() => GptModel.Check(device, new NeverRead("gpt", tensors)));
        Assert.Contains("48 missing: ", error.Message);
        Assert.Contains("and 42 more", error.Message);
    }

    [Fact]
    public void AReadFailureFreesWhatWasLoaded()
    {
        using var device = Device.Cpu(1);
        var source = new FailsAt("blocks.1.encoder.linear1.weight", RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"));
        var error = Assert.Throws<IOException>(() => GptModel.Load(device, source));
        Assert.Equal("the disk is gone", error.Message);
        Assert.Equal(0, device.Memory.LiveBlocks);
    }

    [Theory]
    [InlineData("gpt/gpt_tiny.pt", ModelKind.Clip, "a GPT")]
    [InlineData("clip/clip_tiny.pt", ModelKind.VqGan, "a CLIP model")]
    [InlineData("vqgan/vqgan_tiny.pt", ModelKind.Gpt, "a VQ-GAN")]
    [InlineData("checkpoints/zip_dtypes.pt", ModelKind.Gpt, "no model that is known here")]
    public void AnotherModelIsNamed(string file, ModelKind expected, string found)
    {
        var path = RepositoryPaths.GoldenFile(file.Split('/'));
        var error = Assert.Throws<WeightException>(() => CheckpointWeights.Open(path, expected));
        Assert.StartsWith(path, error.Message);
        Assert.Contains($"expected {expected.Describe()}", error.Message);
        Assert.Contains(found, error.Message);
    }

    [Fact]
    public void CheckingFilesReadsNoWeights()
    {
        using var device = Device.Cpu(1);
        using var fits = PipelineModels.FromFiles(device, RepositoryPaths.GoldenFile("clip", "clip_tiny.pt"), RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"), RepositoryPaths.GoldenFile("vqgan", "vqgan_tiny.pt"));
        Assert.Equal(0, device.Memory.LiveBlocks);
    }

    [Fact]
    public void HeadsMustDivideTheWidth()
    {
        using var device = Device.Cpu(1);
        var error = Assert.Throws<WeightException>(() => ModelFiles.LoadGpt(device, RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"), heads: 5));
        Assert.Contains("--heads", error.Message);
    }

    /// <summary>Names and shapes without data: a check must not read.</summary>
    private sealed class NeverRead(string name, IReadOnlyList<TensorShape> tensors) : IWeightSource
    {
        public string Name => name;

        public IReadOnlyCollection<string> Names => [.. tensors.Select(t => t.Name)];

        public long[]? ShapeOf(string tensor) => tensors.FirstOrDefault(t => t.Name == tensor).Shape?.ToArray();

        public void ReadFloats(string tensor, long first, Span<float> destination) => throw new InvalidOperationException($"{tensor} was read");
    }

    private sealed class FailsAt(string name, string path) : IWeightSource
    {
        private readonly CheckpointWeights inner = CheckpointWeights.Open(path, ModelKind.Gpt);

        public string Name => inner.Name;

        public IReadOnlyCollection<string> Names => inner.Names;

        public long[]? ShapeOf(string tensor) => inner.ShapeOf(tensor);

        public void ReadFloats(string tensor, long first, Span<float> destination)
        {
            if (tensor == name) throw new IOException("the disk is gone");
            inner.ReadFloats(tensor, first, destination);
        }
    }
}
