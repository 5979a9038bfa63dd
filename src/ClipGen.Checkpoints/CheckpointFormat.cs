namespace ClipGen.Checkpoints;

/// <summary>Containers that <see cref="Checkpoint"/> reads.</summary>
public enum CheckpointFormat
{
    /// <summary>A JSON header and raw tensors (huggingface/safetensors).</summary>
    Safetensors,

    /// <summary>What <c>torch.save</c> writes since PyTorch 1.6: a zip with <c>data.pkl</c> and one entry per storage.</summary>
    PyTorchZip,

    /// <summary>What <c>torch.save</c> wrote before PyTorch 1.6: five pickles, then raw storages.</summary>
    PyTorchLegacy,

    /// <summary>What <c>torch.jit.save</c> writes: the same zip with a module tree and code, of which only the tensors are read.</summary>
    TorchScript,
}
