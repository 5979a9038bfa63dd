using System.Runtime.InteropServices;
using ClipGen.Checkpoints;
using ClipGen.Models;

namespace ClipGen.Benchmarks;

/// <summary>Files like the released ones, for timing and trying the whole job where the release can't be fetched. What they paint means nothing.</summary>
internal static class ReleasedFiles
{
    /// <summary>Writes all three into a folder.</summary>
    public static void Write(string folder, TextWriter log)
    {
        Directory.CreateDirectory(folder);
        Save("clip_vit_b32.pt", PyTorchValue.StateDict(Tensors(ReleasedModels.ClipVitB32)));
        Save("vqgan_coco.pt", PyTorchValue.Dict(("model", PyTorchValue.StateDict(Tensors(ReleasedModels.VqGanCoco))), ("epoch", 0), ("step", 0), ("loss_recon", 0.0)));
        Save("gpt_coco.pt", PyTorchValue.Dict(("model", PyTorchValue.StateDict(Tensors(ReleasedModels.GptMedium))), ("epoch", 0), ("step", 0), ("val_loss", 0.0)));

        void Save(string name, PyTorchValue value)
        {
            var path = Path.Combine(folder, name);
            PyTorchWriter.Write(path, value);
            log.WriteLine($"{path}: {new FileInfo(path).Length:N0} bytes");
        }
    }

    private static List<TensorSource> Tensors(IReadOnlyList<TensorShape> shapes) => [.. shapes.Select(Source)];

    private static TensorSource Source(TensorShape tensor)
    {
        long[] shape = [.. tensor.Shape];
        if (tensor.Name.EndsWith("num_batches_tracked", StringComparison.Ordinal)) return new TensorSource(tensor.Name, ElementType.I64, shape, (_, bytes) => bytes.Clear());
        if (tensor.Name.EndsWith(".mask", StringComparison.Ordinal))
            return new TensorSource(tensor.Name, ElementType.Bool, shape, (first, bytes) =>
            {
                var values = new float[bytes.Length];
                ComputedWeights.Fill(tensor.Name, shape, first, values);
                for (var i = 0; i < bytes.Length; i++) bytes[i] = (byte)values[i];
            });
        return new TensorSource(tensor.Name, ElementType.F32, shape, (first, bytes) => ComputedWeights.Fill(tensor.Name, shape, first, MemoryMarshal.Cast<byte, float>(bytes)));
    }
}
