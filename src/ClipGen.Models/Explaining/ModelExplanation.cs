using ClipGen.Kernels;
using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.Lpips;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.Explaining;

/// <summary>What a model consists of, and what one run of it takes.</summary>
/// <param name="Modules">The model, then every module, each before those inside it, in the order of the forward pass.</param>
/// <param name="Seconds">One run, code compiled and memory at hand.</param>
/// <param name="PeakBytes">Device memory in use at most meanwhile, weights included.</param>
public sealed record ModelExplanation(IReadOnlyList<ModuleLine> Modules, double Seconds, long PeakBytes)
{
    /// <summary>Runs a model three times: for the shapes, to warm up, and with every op timed.</summary>
    /// <param name="backend">Where to run; stays the caller's.</param>
    /// <param name="weights">The model.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="heads">Heads of the GPT or of CLIP's text tower; null for the usual number.</param>
    /// <param name="batch">Pictures, texts or sequences of one run.</param>
    /// <param name="size">Side of the pictures of a VQ-GAN or of LPIPS.</param>
    /// <exception cref="WeightException">The weights are no such model.</exception>
    public static ModelExplanation Make(IBackend backend, IWeightSource weights, ModelKind kind, int? heads, int batch, int size)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(weights);
        var device = new Device(new ProfilingBackend(backend));
        var (model, run) = Load(device, weights, kind, heads, batch, size);
        using (model)
        {
            Dictionary<string, Shape> inputs, outputs;
            using (var trace = new Trace(shapesOnly: true))
            {
                run();
                (inputs, outputs) = (trace.Inputs, trace.Outputs);
            }
            run();
            backend.ResetPeak();
            var profiler = new Profiler(mostEvents: 0);
            using (profiler.Start()) run();
            var spent = Spent(profiler);
            var all = profiler.Tracks.SelectMany(track => track.Root.All).SelectMany(node => node.Ops).ToList();
            var places = inputs.Keys.Select((path, index) => (path, index)).ToDictionary(pair => pair.path, pair => pair.index);
            var seconds = Profiler.Seconds(profiler.Ended - profiler.Started);
            List<ModuleLine> lines = [];
            Add(model, 0);
            lines[0] = lines[0] with { Seconds = seconds, Flops = all.Sum(op => op.Flops) };
            return new ModelExplanation(lines, seconds, backend.Memory.PeakBytes);

            void Add(Module module, int depth)
            {
                var (ticks, flops) = Total(module);
                var output = outputs.TryGetValue(module.Path, out var made) ? made : inputs.TryGetValue(module.Path, out var same) && module is LayerNorm or GroupNorm or BatchNorm2d ? inputs[module.Path] : (Shape?)null;
                lines.Add(new ModuleLine(module.Path, depth, module.GetType(), inputs.TryGetValue(module.Path, out var input) ? input : null, output, Parameters(weights, module), flops, Profiler.Seconds(ticks)));
                foreach (var part in module.Parts.OrderBy(First)) Add(part, depth + 1);
            }

            // A list of steps is entered by none of its own; it is what its parts are.
            (long Ticks, double Flops) Total(Module module)
            {
                if (spent.TryGetValue(module.Path, out var own)) return own;
                var parts = module.Parts.Select(Total).ToList();
                return (parts.Sum(part => part.Ticks), parts.Sum(part => part.Flops));
            }

            int First(Module module) => places.TryGetValue(module.Path, out var place) ? place : module.Parts.Select(First).DefaultIfEmpty(int.MaxValue).Min();
        }
    }

    private static (Module Model, Action Run) Load(Device device, IWeightSource weights, ModelKind kind, int? heads, int batch, int size)
    {
        switch (kind)
        {
            case ModelKind.Clip:
                var clip = ClipModel.Load(device, weights, heads);
                var tokens = Enumerable.Range(0, batch).Select(_ => Enumerable.Range(0, clip.Config.ContextLength).Select(t => t < 2 ? clip.Config.VocabularySize - 2 + t : 0).ToArray()).ToArray();
                return (clip, () =>
                {
                    using var scope = new TensorScope();
                    clip.EncodeImage(device.Zeros(new Shape(batch, clip.Config.ImageSize, clip.Config.ImageSize, 3)));
                    clip.EncodeText(tokens);
                }
                );
            case ModelKind.VqGan:
                var vqgan = VqGanModel.Load(device, weights);
                if (size % vqgan.Factor != 0) throw new WeightException($"--size {size}: this VQ-GAN takes sides that are multiples of {vqgan.Factor}");
                return (vqgan, () =>
                {
                    using var scope = new TensorScope();
                    var painted = vqgan.Reconstruct(device.Zeros(new Shape(batch, size, size, 3)));
                    if (vqgan.Discriminator is { } discriminator && size >= discriminator.SmallestSide) discriminator.Forward(painted);
                }
                );
            case ModelKind.Gpt:
                var gpt = GptModel.Load(device, weights, heads);
                return (gpt, () =>
                {
                    using var scope = new TensorScope();
                    gpt.Forward(device.From(new int[batch * (gpt.Config.BlockSize - 1)], new Shape(batch, gpt.Config.BlockSize - 1)), device.Zeros(new Shape(batch, gpt.Config.ConditionSize)));
                }
                );
            default:
                var lpips = LpipsModel.Load(device, weights);
                return (lpips, () =>
                {
                    using var scope = new TensorScope();
                    lpips.PerLayer(device.Zeros(new Shape(batch, size, size, 3)), device.Zeros(new Shape(batch, size, size, 3)));
                }
                );
        }
    }

    /// <summary>Numbers that are learned; masks and running statistics are not. A layer has those right below its path: what lies deeper is another's, as an attention's output matrix beside its input's.</summary>
    private static long Parameters(IWeightSource weights, Module module)
    {
        var (path, isLayer) = (module.Path, !module.Parts.Any());
        var sum = 0L;
        foreach (var name in weights.Names)
        {
            if (path.Length > 0 && !name.StartsWith($"{path}.", StringComparison.Ordinal)) continue;
            if (isLayer && name.IndexOf('.', path.Length + 1) >= 0) continue;
            if (name.EndsWith(".mask", StringComparison.Ordinal) || name.Contains(".running_", StringComparison.Ordinal) || name.EndsWith(".num_batches_tracked", StringComparison.Ordinal) || name.StartsWith("scaling_layer.", StringComparison.Ordinal)) continue;
            if (name is "input_resolution" or "context_length" or "vocab_size") continue;
            sum += (weights.ShapeOf(name) ?? []).Aggregate(1L, (product, axis) => product * axis);
        }
        return sum;
    }

    private static Dictionary<string, (long Ticks, double Flops)> Spent(Profiler profiler)
    {
        var spent = new Dictionary<string, (long Ticks, double Flops)>();
        foreach (var node in profiler.Tracks.SelectMany(track => track.Root.All))
        {
            var (ticks, flops) = spent.GetValueOrDefault(node.Name);
            spent[node.Name] = (ticks + node.Ticks, flops + node.All.SelectMany(inner => inner.Ops).Sum(op => op.Flops));
        }
        return spent;
    }
}

/// <summary>A module of a model.</summary>
/// <param name="Path">Its name in the checkpoint; empty for the model itself.</param>
/// <param name="Depth">How many modules it is inside of.</param>
/// <param name="Type">Its class.</param>
/// <param name="Input">Shape of what goes in, channels last; null where several things do.</param>
/// <param name="Output">Shape of what comes out.</param>
/// <param name="Parameters">Learned numbers, those of the modules inside it included.</param>
/// <param name="Flops">Operations of one run.</param>
/// <param name="Seconds">Time of one run.</param>
public sealed record ModuleLine(string Path, int Depth, Type Type, Shape? Input, Shape? Output, long Parameters, double Flops, double Seconds)
{
    /// <summary>Bytes of what comes out.</summary>
    public long ActivationBytes => Output is { } shape ? 4L * shape.Count : 0;
}
