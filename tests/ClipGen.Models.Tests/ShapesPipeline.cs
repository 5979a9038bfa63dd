using ClipGen.Data;
using ClipGen.Models.Evaluation;
using ClipGen.Models.Pipeline;
using ClipGen.Tensors;
using ClipGen.Testing;

namespace ClipGen.Models.Tests;

/// <summary>The tiny model of the synthetic world, loaded from files of its own.</summary>
internal sealed class ShapesPipeline : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public ShapesPipeline(Device device, int pictureSide = 64)
    {
        TinyShapesModel.Write(folder.Path, pictureSide);
        var clip = folder["shapes-clip.safetensors"];
        Models = PipelineModels.FromFiles(device, clip, folder["shapes-gpt.safetensors"], folder["shapes-vqgan.safetensors"]);
        Tokenizer = ModelFiles.Tokenizer(clip)!;
    }

    public PipelineModels Models { get; }

    public WordTokenizer Tokenizer { get; }

    public void Dispose()
    {
        Models.Dispose();
        folder.Dispose();
    }
}

/// <summary>Notes how far each stage came.</summary>
internal sealed class RecordedProgress : IGenerationProgress, IEvaluationProgress
{
    public List<(string Stage, long Total, long Done)> Stages { get; } = [];

    public void Begin(GenerationStage stage, long total) => Begin(stage.ToString(), total, "");

    public void Begin(string stage, long total, string unit) => Stages.Add((stage, total, 0));

    public void Report(long done) => Stages[^1] = Stages[^1] with { Done = done };
}
