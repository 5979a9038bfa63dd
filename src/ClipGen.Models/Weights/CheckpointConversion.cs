using System.Globalization;
using ClipGen.Checkpoints;

namespace ClipGen.Models;

/// <summary>How a checkpoint is converted.</summary>
public sealed record ConversionSettings
{
    /// <summary>Element type that the model's floats are rounded to, F32, F16 or BF16; null keeps them. Optimiser state keeps its own: its squares vanish in 16 bits.</summary>
    public ElementType? Type { get; init; }

    /// <summary>Only the model, its configuration and its vocabulary.</summary>
    public bool WeightsOnly { get; init; }

    /// <summary>With <see cref="WeightsOnly"/>: keep a VQ-GAN's discriminator, which only training uses.</summary>
    public bool KeepDiscriminator { get; init; }

    /// <summary>With <see cref="WeightsOnly"/>: a tensor of the model to write in place of the one that has its name.</summary>
    public TensorSource? Replaced { get; init; }
}

/// <summary>Checkpoints from <c>.pt</c> to <c>.safetensors</c> and back, whole or the weights alone.</summary>
public static class CheckpointConversion
{
    private const string Model = "model", Own = "clipgen";

    // Numbers that training keeps beside the weights; a safetensors file has them as text.
    private static readonly string[] Integers = ["epoch", "step"], Floats = ["loss_recon", "val_loss"];

    /// <summary>Converts a file; the new one appears whole or not at all.</summary>
    /// <param name="checkpoint">An open checkpoint.</param>
    /// <param name="path">File to write; its ending, <c>.pt</c> or <c>.safetensors</c>, says in which format.</param>
    /// <param name="settings">How.</param>
    /// <returns>Tensors written.</returns>
    /// <exception cref="CheckpointException">It can't be written, there is no model to take the weights of, or a value is too large for the element type.</exception>
    public static int Convert(Checkpoint checkpoint, string path, ConversionSettings settings)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(settings);
        var safetensors = Path.GetExtension(path).Equals(".safetensors", StringComparison.OrdinalIgnoreCase);
        var hasModel = checkpoint.Tensors.Any(tensor => tensor.Name.StartsWith($"{Model}.", StringComparison.Ordinal));
        bool IsOfModel(string name) => hasModel ? name.StartsWith($"{Model}.", StringComparison.Ordinal) : name.Split('.') is not [.., "state", _, _];
        TensorSource Source(CheckpointTensor tensor) => settings.Type is { } type && IsOfModel(tensor.Name) ? TensorSource.From(tensor, type, checkpoint.Path) : TensorSource.From(tensor);

        // Modules of TorchScript are programs' objects: of them, the state dict is what counts.
        if (settings.WeightsOnly || checkpoint.Format == CheckpointFormat.TorchScript) return WriteWeights(checkpoint, path, safetensors, hasModel, settings, Source);
        if (checkpoint.Root.Kind == NodeKind.Tensor) throw new CheckpointException(checkpoint.Path, "holds a single tensor without a name, not a checkpoint; save it in a dict");
        if (safetensors) SafetensorsWriter.Write(path, [.. checkpoint.Tensors.Select(Source)], checkpoint.Format == CheckpointFormat.Safetensors ? Texts(checkpoint) : WithFormat(TreeDescription.Metadata(checkpoint)));
        else PyTorchWriter.Write(path, checkpoint.Format == CheckpointFormat.Safetensors ? TreeDescription.Rebuild(checkpoint, Source) ?? Nested(checkpoint, hasModel, Source) : PyTorchValue.From(checkpoint.Root, Source));
        return checkpoint.Tensors.Count;
    }

    private static int WriteWeights(Checkpoint checkpoint, string path, bool safetensors, bool hasModel, ConversionSettings settings, Func<CheckpointTensor, TensorSource> source)
    {
        var kind = CheckpointWeights.Recognise(checkpoint) ?? throw new CheckpointException(checkpoint.Path, "holds no model that is known here, so its weights can't be told from the rest; convert it as a whole");
        var skipped = hasModel ? Model.Length + 1 : 0;
        TensorSource[] weights =
        [
            .. checkpoint.Tensors.Where(tensor => !hasModel || tensor.Name.StartsWith($"{Model}.", StringComparison.Ordinal))
                .Select(tensor => tensor.Name[skipped..] == settings.Replaced?.Name ? settings.Replaced : source(tensor) with { Name = tensor.Name[skipped..] })
                .Where(tensor => kind != ModelKind.VqGan || !settings.WeightsOnly || settings.KeepDiscriminator || !tensor.Name.StartsWith("discriminator.", StringComparison.Ordinal)),
        ];
        Dictionary<string, string> own = [];
        foreach (var key in new[] { ModelConfiguration.Key, ModelConfiguration.VocabularyKey })
            if (ModelConfiguration.TextOf(checkpoint, key) is { } text) own[key] = text;
        if (safetensors) SafetensorsWriter.Write(path, weights, WithFormat(own));
        else if (own.Count == 0) PyTorchWriter.Write(path, weights);
        else PyTorchWriter.Write(path, PyTorchValue.Dict((Model, PyTorchValue.StateDict(weights)), (Own, PyTorchValue.Dict(own.Select(entry => (entry.Key[(Own.Length + 1)..], (PyTorchValue)entry.Value))))));
        return weights.Length;
    }

    /// <summary>A safetensors file without a description, as ClipGen's training and others write it, as PyTorch's trainers lay it out: the model's state dict, optimisers' states by number, scalars.</summary>
    private static PyTorchValue Nested(Checkpoint checkpoint, bool hasModel, Func<CheckpointTensor, TensorSource> source)
    {
        var texts = Texts(checkpoint);
        texts.Remove("format");
        if (!hasModel && texts.Count == 0) return PyTorchValue.StateDict(checkpoint.Tensors.Select(source));
        List<(string, PyTorchValue)> own = [], foreign = [], root = [];
        var tensors = checkpoint.Tensors.Where(tensor => !tensor.Name.StartsWith($"{Own}.", StringComparison.Ordinal)).ToArray();
        if (!hasModel) root.Add((Model, PyTorchValue.StateDict(tensors.Select(source))));
        else
            foreach (var group in tensors.GroupBy(tensor => tensor.Name.Split('.')[0]))
                root.Add((group.Key, group.Key != Model && States(group, source) is { } states ? states : Group(group.Key, group, source)));
        foreach (var (name, text) in texts)
        {
            if (name.StartsWith($"{Own}.", StringComparison.Ordinal)) own.Add((name[(Own.Length + 1)..], text));
            else if (Integers.Contains(name) && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer)) root.Add((name, integer));
            else if (Floats.Contains(name) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)) root.Add((name, number));
            else foreign.Add((name, text));
        }
        own.AddRange(checkpoint.Tensors.Where(tensor => tensor.Name.StartsWith($"{Own}.", StringComparison.Ordinal)).Select(tensor => (tensor.Name[(Own.Length + 1)..], (PyTorchValue)source(tensor))));
        if (own.Count > 0) root.Add((Own, PyTorchValue.Dict(own)));
        if (foreign.Count > 0) root.Add(("__metadata__", PyTorchValue.Dict(foreign)));
        return PyTorchValue.Dict(root);
    }

    /// <summary>Tensors <c>prefix.rest</c> as a state dict; a lone tensor without a rest as itself.</summary>
    private static PyTorchValue Group(string prefix, IEnumerable<CheckpointTensor> tensors, Func<CheckpointTensor, TensorSource> source)
    {
        var all = tensors.ToArray();
        return all is [{ Name: var name } only] && name == prefix ? source(only) : PyTorchValue.StateDict(all.Select(tensor => source(tensor) with { Name = tensor.Name == prefix ? "" : tensor.Name[(prefix.Length + 1)..] }));
    }

    /// <summary>Tensors <c>optimizer.state.3.exp_avg</c> as <c>{"state": {3: {"exp_avg": ...}}}</c>, or null if one has another name.</summary>
    private static PyTorchValue? States(IEnumerable<CheckpointTensor> tensors, Func<CheckpointTensor, TensorSource> source)
    {
        SortedDictionary<long, List<(string, PyTorchValue)>> states = [];
        foreach (var tensor in tensors)
        {
            if (tensor.Name.Split('.') is not [_, "state", var number, var part] || !long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var index)) return null;
            if (!states.TryGetValue(index, out var entries)) states[index] = entries = [];
            entries.Add((part, source(tensor)));
        }
        return PyTorchValue.Dict(("state", PyTorchValue.Dict(states.Select(state => ((PyTorchValue)state.Key, PyTorchValue.Dict(state.Value))))));
    }

    private static Dictionary<string, string> Texts(Checkpoint checkpoint)
    {
        const string prefix = "__metadata__.";
        return checkpoint.Values.Where(entry => entry.Key.StartsWith(prefix, StringComparison.Ordinal)).ToDictionary(entry => entry.Key[prefix.Length..], entry => (string)entry.Value!);
    }

    // What other programs look for before they take a safetensors file for PyTorch's.
    private static Dictionary<string, string> WithFormat(Dictionary<string, string> metadata)
    {
        metadata.TryAdd("format", "pt");
        return metadata;
    }
}
