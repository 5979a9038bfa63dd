using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using ClipGen.Checkpoints;
using ClipGen.Models;
using ClipGen.Tensors.Nn;
using ClipGen.Tensors.Optim;

namespace ClipGen.Training.Checkpoints;

/// <summary>
/// Saves and restores runs. A <c>.pt</c> has the reference's keys (model, opt_g, opt_d or optimizer, epoch, step, loss_recon or val_loss) and loads in PyTorch with
/// <c>torch.load(weights_only=True)</c>; what only ClipGen knows is under <c>clipgen</c>. A <c>.safetensors</c> has the same under the same dotted names, numbers as metadata.
/// Files appear whole or not at all.
/// </summary>
public static class TrainingCheckpoint
{
    private const string Own = "clipgen";
    private const long Furthest = int.MaxValue;

    /// <summary>Writes a run's state; the file's ending chooses the format.</summary>
    /// <exception cref="CheckpointException">It can't be written.</exception>
    public static void Write(string path, TrainingState state)
    {
        if (Path.GetExtension(path).Equals(".safetensors", StringComparison.OrdinalIgnoreCase)) WriteSafetensors(path, state);
        else WritePyTorch(path, state);
    }

    /// <summary>Writes the model's weights alone.</summary>
    /// <param name="path">A safetensors file.</param>
    /// <param name="state">The run.</param>
    /// <param name="half">Round to float16.</param>
    /// <param name="keep">Which tensors to write.</param>
    /// <exception cref="CheckpointException">It can't be written, or a value is too large for float16.</exception>
    public static void WriteWeights(string path, TrainingState state, bool half, Func<string, bool> keep)
    {
        var metadata = new Dictionary<string, string> { ["format"] = "pt", [ModelConfiguration.Key] = state.Configuration };
        if (state.Vocabulary is not null) metadata[ModelConfiguration.VocabularyKey] = state.Vocabulary;
        SafetensorsWriter.Write(path, [.. ModelTensors(state).Where(tensor => keep(tensor.Name)).Select(tensor => half && tensor.Type == ElementType.F32 ? Halved(path, tensor) : tensor)], metadata);
    }

    /// <summary>Restores optimisers and the place in the run. The model's weights are loaded from the same file when it is built.</summary>
    /// <returns>What did not have to be there and was not: one sentence each.</returns>
    /// <exception cref="CheckpointException">The file is no state of such a run.</exception>
    public static IReadOnlyList<string> Restore(Checkpoint checkpoint, TrainingState state)
    {
        List<string> remarks = [];
        if (Text(checkpoint, $"{Own}.kind") is { } kind && kind != state.Kind)
            throw new CheckpointException(checkpoint.Path, $"is a checkpoint of `train {kind}`; expected one of `train {state.Kind}`");
        foreach (var (key, optimizer) in state.Optimizers)
            // An optimiser that has not stepped yet has its groups there, and no state.
            if (!RestoreOptimizer(checkpoint, key, optimizer) && Text(checkpoint, $"{Own}.kind") is null && checkpoint.FindNumber($"{key}.param_groups.0.lr") is null) remarks.Add($"{checkpoint.Path} has no optimiser state under '{key}'; its moments begin at zero");
        state.Epoch = Integer(checkpoint, "epoch") ?? 0;
        state.Step = Integer(checkpoint, "step") ?? 0;
        if (state.Epoch is < 0 or > Furthest || state.Step is < 0 or > Furthest) throw new CheckpointException(checkpoint.Path, $"stands at epoch {state.Epoch}, step {state.Step}; expected numbers from 0 to {Furthest}");
        state.GlobalStep = Integer(checkpoint, $"{Own}.global_step") ?? -1;
        state.BestScore = Number(checkpoint, $"{Own}.best") ?? Number(checkpoint, state.ScoreKey) ?? double.PositiveInfinity;
        if (double.IsNaN(state.BestScore)) state.BestScore = double.PositiveInfinity;
        foreach (var (name, counter) in state.Counters)
            if (checkpoint.Find($"{Own}.{name}") is { } stored && stored.Count == counter.Length) stored.ReadFloats(0, counter);
        if (Text(checkpoint, $"{Own}.seed") is { } seed && ulong.TryParse(seed, NumberStyles.None, CultureInfo.InvariantCulture, out var parsed)) state.Seed = parsed;
        return remarks;
    }

    private static void WritePyTorch(string path, TrainingState state)
    {
        List<(string, PyTorchValue)> entries = [("model", PyTorchValue.StateDict(ModelTensors(state)))];
        foreach (var (key, optimizer) in state.Optimizers) entries.Add((key, OptimizerValue(optimizer)));
        if (state.ScalerKey is not null) entries.Add((state.ScalerKey, PyTorchValue.Dict(Array.Empty<(string, PyTorchValue)>())));
        entries.Add(("epoch", state.Epoch));
        entries.Add(("step", state.Step));
        entries.Add((state.ScoreKey, state.BestScore));
        entries.Add((Own, PyTorchValue.Dict(OwnTexts(state).Select(entry => (entry.Key, (PyTorchValue)entry.Value)).Concat(state.Counters.Select(counter => (counter.Key, (PyTorchValue)TensorSource.From(counter.Key, counter.Value, counter.Value.Length)))))));
        PyTorchWriter.Write(path, PyTorchValue.Dict(entries));
    }

    private static void WriteSafetensors(string path, TrainingState state)
    {
        List<TensorSource> tensors = [.. ModelTensors(state).Select(tensor => tensor with { Name = $"model.{tensor.Name}" })];
        var metadata = new Dictionary<string, string>
        {
            ["epoch"] = state.Epoch.ToString(CultureInfo.InvariantCulture),
            ["step"] = state.Step.ToString(CultureInfo.InvariantCulture),
            [state.ScoreKey] = state.BestScore.ToString("R", CultureInfo.InvariantCulture),
        };
        foreach (var (key, value) in OwnTexts(state)) metadata[$"{Own}.{key}"] = value;
        foreach (var (key, optimizer) in state.Optimizers)
            for (var i = 0; i < optimizer.Moments.Count; i++)
                foreach (var (name, tensor) in MomentTensors(optimizer.Moments[i])) tensors.Add(tensor with { Name = $"{key}.state.{i}.{name}" });
        tensors.AddRange(state.Counters.Select(counter => TensorSource.From($"{Own}.{counter.Key}", counter.Value, counter.Value.Length)));
        SafetensorsWriter.Write(path, tensors, metadata);
    }

    private static List<(string Key, string Value)> OwnTexts(TrainingState state)
    {
        List<(string, string)> texts =
        [
            ("kind", state.Kind), ("seed", state.Seed.ToString(CultureInfo.InvariantCulture)), ("global_step", state.GlobalStep.ToString(CultureInfo.InvariantCulture)),
            ("best", state.BestScore.ToString("R", CultureInfo.InvariantCulture)), ("configuration", state.Configuration),
        ];
        if (state.Vocabulary is not null) texts.Add(("vocabulary", state.Vocabulary));
        return texts;
    }

    private static List<TensorSource> ModelTensors(TrainingState state)
    {
        List<TensorSource> tensors = [];
        foreach (var parameter in state.Parameters)
        {
            foreach (var mask in state.Masks.Where(mask => mask.Before == parameter.Name)) tensors.Add(MaskTensor(mask));
            tensors.Add(parameter.Name.EndsWith(".num_batches_tracked", StringComparison.Ordinal)
                ? new TensorSource(parameter.Name, ElementType.I64, [], (_, bytes) => MemoryMarshal.Write(bytes, (long)parameter.Value.ToFloats()[0]))
                : Stored(parameter.Name, parameter, parameter.Value));
        }
        return tensors;
    }

    private static TensorSource MaskTensor(ConstantMask mask) => new(mask.Name, ElementType.Bool, [mask.Size, mask.Size], (first, bytes) =>
    {
        for (var i = 0; i < bytes.Length; i++) bytes[i] = (byte)((first + i) % mask.Size > (first + i) / mask.Size ? 1 : 0);
    });

    /// <summary>A tensor of a parameter's shape in PyTorch's layout, rearranged when it is written and let go when its last piece is.</summary>
    private static TensorSource Stored(string name, Parameter parameter, Tensors.Tensor value)
    {
        float[]? values = null;
        return new TensorSource(name, ElementType.F32, [.. parameter.Shape.Select(axis => (long)axis)], (first, bytes) =>
        {
            values ??= parameter.ToStored(value.ToFloats());
            MemoryMarshal.AsBytes(values.AsSpan((int)first))[..bytes.Length].CopyTo(bytes);
            if (first + bytes.Length / sizeof(float) == values.Length) values = null;
        });
    }

    private static TensorSource Halved(string path, TensorSource tensor) => new(tensor.Name, ElementType.F16, tensor.Shape, (first, bytes) =>
    {
        var halves = MemoryMarshal.Cast<byte, Half>(bytes);
        var floats = new float[halves.Length];
        tensor.ReadBytes(first, MemoryMarshal.AsBytes(floats.AsSpan()));
        for (var i = 0; i < floats.Length; i++)
        {
            halves[i] = (Half)floats[i];
            if (!Half.IsFinite(halves[i])) throw new CheckpointException(path, $"tensor '{tensor.Name}' holds {floats[i]}, which float16 can't; save without rounding");
        }
    });

    private static IEnumerable<(string Name, TensorSource Tensor)> MomentTensors(AdamMoments moments)
    {
        if (moments.Mean is null || moments.Variance is null) yield break;
        yield return ("step", TensorSource.From("step", [(float)moments.Steps]));
        yield return ("exp_avg", Stored("exp_avg", moments.Parameter, moments.Mean));
        yield return ("exp_avg_sq", Stored("exp_avg_sq", moments.Parameter, moments.Variance));
    }

    private static PyTorchValue OptimizerValue(AdamOptimizer optimizer)
    {
        var first = 0L;
        List<PyTorchValue> groups = [];
        foreach (var group in optimizer.Groups)
        {
            var s = optimizer.Settings;
            var numbers = Enumerable.Range(0, group.Parameters.Count).Select(i => (PyTorchValue)(first + i)).ToArray();
            List<(string, PyTorchValue)> entries =
            [
                ("lr", optimizer.LearningRate * group.LearningRateScale), ("betas", PyTorchValue.Tuple(s.Beta1, s.Beta2)), ("eps", s.Epsilon), ("weight_decay", group.WeightDecay),
                ("amsgrad", false), ("maximize", false), ("foreach", PyTorchValue.None), ("capturable", false),
            ];
            // What the reference's PyTorch stores for Adam and not for AdamW; later ones fill in what is missing.
            if (!s.Decoupled) entries.AddRange([("differentiable", false), ("fused", false)]);
            entries.Add(("params", PyTorchValue.List(numbers)));
            groups.Add(PyTorchValue.Dict(entries));
            first += numbers.Length;
        }
        List<(PyTorchValue, PyTorchValue)> state = [];
        for (var i = 0; i < optimizer.Moments.Count; i++)
            if (optimizer.Moments[i].Mean is not null)
                state.Add(((long)i, PyTorchValue.Dict(MomentTensors(optimizer.Moments[i]).Select(entry => (entry.Name, (PyTorchValue)entry.Tensor)))));
        return PyTorchValue.Dict(("state", PyTorchValue.Dict(state)), ("param_groups", PyTorchValue.List(groups)));
    }

    private static bool RestoreOptimizer(Checkpoint checkpoint, string key, AdamOptimizer optimizer)
    {
        var found = false;
        for (var i = 0; i < optimizer.Moments.Count; i++)
        {
            var name = $"{key}.state.{i}";
            var (mean, variance) = (checkpoint.Find($"{name}.exp_avg"), checkpoint.Find($"{name}.exp_avg_sq"));
            if (mean is null || variance is null) continue;
            var moments = optimizer.Moments[i];
            foreach (var tensor in new[] { mean, variance })
                if (!tensor.Shape.SequenceEqual(moments.Parameter.Shape.Select(axis => (long)axis)))
                    throw new CheckpointException(checkpoint.Path, $"tensor '{tensor.Name}' has shape [{string.Join(", ", tensor.Shape)}], the optimiser's parameter {moments.Parameter} has another; the checkpoint belongs to another model");
            var step = checkpoint.Find($"{name}.step") is { Shape.Count: <= 1 } stored ? Floats(stored)[0] : checkpoint.FindNumber($"{name}.step") ?? 0;
            if (!(step >= 0 && step < 1e15)) throw new CheckpointException(checkpoint.Path, $"'{name}.step' is {step}, expected a number of steps");
            moments.Restore((long)step, Floats(mean), Floats(variance));
            found = true;
        }
        // A state with more parameters than the model is another model's.
        if (checkpoint.Find($"{key}.state.{optimizer.Moments.Count}.exp_avg") is not null)
            throw new CheckpointException(checkpoint.Path, $"'{key}' holds states of more than the model's {optimizer.Moments.Count} parameters; the checkpoint belongs to another model");
        if (found && checkpoint.FindNumber($"{key}.param_groups.0.lr") is { } rate) optimizer.LearningRate = rate / optimizer.Groups[0].LearningRateScale;
        return found;
    }

    private static float[] Floats(CheckpointTensor tensor)
    {
        var values = new float[tensor.Count];
        tensor.ReadFloats(0, values);
        return values;
    }

    private static string? Text(Checkpoint checkpoint, string name) => ModelConfiguration.TextOf(checkpoint, name);

    private static double? Number(Checkpoint checkpoint, string name) => checkpoint.Values.GetValueOrDefault(name) switch
    {
        double value => value,
        BigInteger value => (double)value,
        string text when Parsed(text) is { } value => value,
        _ => Text(checkpoint, name) is { } text ? Parsed(text) : null,
    };

    private static long? Integer(Checkpoint checkpoint, string name) =>
        checkpoint.FindInteger(name) ?? (Text(checkpoint, name) is { } text && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value : null);

    private static double? Parsed(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : null;
}
