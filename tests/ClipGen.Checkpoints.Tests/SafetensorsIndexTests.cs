namespace ClipGen.Checkpoints.Tests;

/// <summary>Models in several safetensors files behind an index.</summary>
public class SafetensorsIndexTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public SafetensorsIndexTests()
    {
        SafetensorsWriter.Write(folder.File("a.safetensors"), [TensorSource.From("x", [1, 2, 3], 3), TensorSource.From("extra", [9], 1)]);
        SafetensorsWriter.Write(folder.File("b.safetensors"), [TensorSource.From("y", [4, 5], 2)]);
    }

    public void Dispose()
    {
        folder.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void All_files_are_one_checkpoint()
    {
        using var checkpoint = Checkpoint.Open(Index("""{"metadata": {"total_size": 20, "more": [1, {"a": 2}]}, "weight_map": {"y": "b.safetensors", "x": "a.safetensors"}}"""));
        Assert.Equal(CheckpointFormat.Safetensors, checkpoint.Format);
        Assert.Equal(["x", "y"], checkpoint.Tensors.Select(tensor => tensor.Name).Order());
        Assert.Equal(2, checkpoint.Tensors.Select(tensor => tensor.StorageIndex).Distinct().Count());
        var values = new float[3];
        checkpoint.Find("x")!.ReadFloats(0, values);
        Assert.Equal([1, 2, 3], values);
        checkpoint.Find("y")!.ReadFloats(0, values.AsSpan(0, 2));
        Assert.Equal([4, 5, 3], values);
    }

    [Theory]
    [InlineData("""{"weight_map": {"x": "b.safetensors"}}""", "'x' is in b.safetensors, where it is not")]
    [InlineData("""{"weight_map": {"x": "c.safetensors"}}""", "c.safetensors: no such file")]
    [InlineData("""{"weight_map": {"x": "../a.safetensors"}}""", "no plain file name")]
    [InlineData("""{"weight_map": {"x": "/etc/passwd"}}""", "no plain file name")]
    [InlineData("""{"weight_map": {"x": ""}}""", "no plain file name")]
    [InlineData("""{"weight_map": {"x": "index.json"}}""", "text file")]
    [InlineData("""{"weight_map": {"x": 1}}""", "names no file for tensor 'x'")]
    [InlineData("""{"weight_map": {"x": "a.safetensors", "x": "a.safetensors"}}""", "twice")]
    [InlineData("""{"weight_map": {}}""", "text file")]
    [InlineData("""{"weight_map": [1]}""", "text file")]
    [InlineData("""{"other": 1}""", "text file")]
    [InlineData("""{"weight_map": {"x": "a.safe""", "text file")]
    public void What_is_wrong_is_named(string index, string complaint) => Assert.Contains(complaint, Assert.Throws<CheckpointException>(() => Checkpoint.Open(Index(index))).Message);

    private string Index(string text)
    {
        System.IO.File.WriteAllText(folder.File("index.json"), text);
        return folder.File("index.json");
    }
}
