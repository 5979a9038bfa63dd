using System.Globalization;
using ClipGen.Kernels;
using ClipGen.Models;
using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.Pipeline;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;

namespace ClipGen.Cli.Benchmarks;

/// <summary>
/// The cases of <c>clipgen bench</c>: ops at the models' shapes and whole models of full size on computed weights, so that no file is needed.
/// Flops and bytes of the model cases are counted by a <see cref="TimingBackend"/> during the first run.
/// </summary>
internal static class BenchCases
{
    /// <summary>The forms a case can have, for help and messages.</summary>
    public const string Forms = "gemm:MxNxK, conv:CIN-COUT-K@HxW, attention:B, gpt_decode:B, vqgan_decode:B, vqgan_encode:B, clip_image:B, clip_text:B, generate:N, train_gpt:B, train_gpt_nodropout:B, train_vqgan:B, train_shapes_gpt:B, train_shapes_vqgan:B, train_shapes_clip:B";

    /// <summary>Reads a case's name; what comes back makes it ready to run.</summary>
    /// <param name="name">The name.</param>
    /// <param name="type">How products' packed operands, and the GPT's, are held.</param>
    /// <exception cref="UsageException">The name is not one of <see cref="Forms"/>.</exception>
    public static Func<Device, BenchCase> Parse(string name, PackedType type)
    {
        var colon = name.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0) throw Unknown(name);
        var (kind, sizes) = (name[..colon], name[(colon + 1)..]);
        var (count, separator) = kind switch { "gemm" => (3, 'x'), "conv" => (5, '-'), _ => (1, 'x') };
        var numbers = Numbers(name, kind == "conv" ? sizes.Replace('@', '-').Replace('x', '-') : sizes, count, separator);
        Func<string, Device, int[], BenchCase> create = kind switch
        {
            "gemm" => (n, device, s) => Gemm(n, device, s, type),
            "conv" => Conv,
            "attention" => (n, device, s) => Attention(n, device, s[0]),
            "gpt_decode" => (n, device, s) => GptDecode(n, device, s[0], type),
            "vqgan_decode" => (n, device, s) => VqGanDecode(n, device, s[0]),
            "vqgan_encode" => (n, device, s) => VqGanEncode(n, device, s[0]),
            "clip_image" => (n, device, s) => ClipImage(n, device, s[0]),
            "clip_text" => (n, device, s) => ClipText(n, device, s[0]),
            "generate" => (n, device, s) => Generate(n, device, s[0], type),
            "train_gpt" => (n, device, s) => Training(n, device, s[0], TrainingCases.Gpt),
            "train_gpt_nodropout" => (n, device, s) => Training(n, device, s[0], TrainingCases.GptWithoutDropout),
            "train_vqgan" => (n, device, s) => Training(n, device, s[0], TrainingCases.VqGan),
            "train_shapes_gpt" => (n, device, s) => Training(n, device, s[0], TrainingCases.ShapesGpt),
            "train_shapes_vqgan" => (n, device, s) => Training(n, device, s[0], TrainingCases.ShapesVqGan),
            "train_shapes_clip" => (n, device, s) => Training(n, device, s[0], TrainingCases.ShapesClip),
            _ => throw Unknown(name),
        };
        return device => create(name, device, numbers);
    }

    private static BenchCase Gemm(string name, Device device, int[] s, PackedType type)
    {
        int m = s[0], n = s[1], k = s[2];
        var a = Normal(device, new Shape(m, k), 1);
        var weight = device.Backend.AllocatePacked(n, k, type);
        using (var rows = Normal(device, new Shape(n, k), 2)) device.Backend.PackRows(rows.ToFloats(), 0, n, weight);
        var y = device.Empty(new Shape(m, n));
        return new BenchCase(name, 2.0 * m * n * k, 4.0 * ((double)m * k + (double)m * n) + (double)type.ByteSize() * n * k,
            () => device.Backend.MatMul(a.Floats, m, weight, default, y.Floats), () => Free(a, weight, y));
    }

    private static BenchCase Conv(string name, Device device, int[] s)
    {
        int inputs = s[0], outputs = s[1], kernel = s[2];
        var shape = new Conv2dShape { Batch = 1, Height = s[3], Width = s[4], InChannels = inputs, OutChannels = outputs, Kernel = kernel, PadBefore = kernel / 2, PadAfter = kernel / 2 };
        var x = Normal(device, new Shape(1, s[3], s[4], inputs), 1);
        var filter = device.Backend.AllocatePacked(outputs, shape.K);
        using (var rows = Normal(device, new Shape(outputs, shape.K), 2)) device.Backend.PackRows(rows.ToFloats(), 0, outputs, filter);
        var bias = Normal(device, new Shape(outputs), 3);
        var y = device.Empty(new Shape(1, shape.OutHeight, shape.OutWidth, outputs));
        return new BenchCase(name, shape.Work.Flops, shape.Work.Bytes, () => device.Backend.Conv2d(x.Floats, shape, filter, new Epilogue { Bias = bias.Floats }, y.Floats), () => Free(x, filter, bias, y));
    }

    /// <summary>The GPT's attention: 16 heads of 64, 256 positions, causal.</summary>
    private static BenchCase Attention(string name, Device device, int batch)
    {
        const int heads = 16, size = 64, length = 256;
        var qkv = Normal(device, new Shape(batch, length, 3 * heads * size), 1);
        double width = (double)batch * heads * size, pairs = length * (length + 1) / 2.0;
        return new BenchCase(name, 4 * pairs * width, 16.0 * width * length, () => qkv.SelfAttention(heads, causal: true).Dispose(), () => Free(qkv));
    }

    private static BenchCase GptDecode(string name, Device device, int batch, PackedType type)
    {
        var (counting, model) = Counted(device, counted => GptModel.Load(counted, new ComputedWeights("gpt2_medium", ReleasedModels.GptMedium), type: type));
        var condition = Normal(counting, new Shape(1, model.Config.ConditionSize), 1);
        condition = condition.Into(row => row.L2Normalize());
        var settings = new GenerationSettings { Seed = 1 };
        return Measured(name, counting, () => CodeSampler.Sample(model, condition, 0, batch, settings), model, condition);
    }

    private static BenchCase VqGanDecode(string name, Device device, int batch)
    {
        var (counting, model) = Counted(device, LoadVqGan);
        var random = new Random(1);
        int[][] codes = [.. Enumerable.Range(0, batch).Select(_ => Enumerable.Range(0, 256).Select(_ => random.Next(model.Codes)).ToArray())];
        // As generate does: as many at a time as keep the processors busy.
        var together = PictureCodec.DecodedTogether(model, codes[0].Length, batch);
        return Measured(name, counting, () =>
        {
            foreach (var part in codes.Chunk(together)) PictureCodec.Paint(model, part).Dispose();
        }, model);
    }

    private static BenchCase VqGanEncode(string name, Device device, int batch)
    {
        var (counting, model) = Counted(device, LoadVqGan);
        var pictures = Normal(counting, new Shape(batch, 256, 256, 3), 1);
        return Measured(name, counting, () =>
        {
            using var scope = new TensorScope();
            model.Quantize(model.Encode(pictures));
        }, model, pictures);
    }

    private static BenchCase ClipImage(string name, Device device, int batch)
    {
        var (counting, model) = Counted(device, LoadClip);
        var pictures = Normal(counting, new Shape(batch, 224, 224, 3), 1);
        return Measured(name, counting, () => model.EncodeImage(pictures).Dispose(), model, pictures);
    }

    private static BenchCase ClipText(string name, Device device, int batch)
    {
        var (counting, model) = Counted(device, LoadClip);
        var tokens = Enumerable.Range(0, batch).Select(_ => Tokens(model.Config)).ToArray();
        return Measured(name, counting, () => model.EncodeText(tokens).Dispose(), model);
    }

    /// <summary>The whole job from the text's embedding to ranked pictures; models are loaded before the clock starts.</summary>
    private static BenchCase Generate(string name, Device device, int candidates, PackedType type)
    {
        var counting = new Device(new TimingBackend(device.Backend));
        ClipModel clip = LoadClip(counting);
        GptModel gpt = GptModel.Load(counting, new ComputedWeights("gpt2_medium", ReleasedModels.GptMedium), type: type);
        VqGanModel vqgan = LoadVqGan(counting);
        var settings = new GenerationSettings { Candidates = candidates, Keep = Math.Min(8, candidates), Batch = GenerationSettings.UsualBatch(device), Seed = 1 };
        var tokens = Tokens(clip.Config);
        return Measured(name, counting, () =>
        {
            using var scope = new TensorScope();
            var condition = clip.EncodeText([tokens]).L2Normalize();
            for (var first = 0; first < candidates; first += settings.Batch)
                foreach (var codes in CodeSampler.Sample(gpt, condition, first, Math.Min(settings.Batch, candidates - first), settings))
                {
                    using var inner = new TensorScope();
                    var picture = vqgan.DecodeCodes(counting.From(codes, new Shape(1, 16, 16)));
                    Reranker.Score(clip, picture, condition, parity: false);
                }
        }, clip, gpt, vqgan);
    }

    private static BenchCase Training(string name, Device device, int batch, Func<Device, int, (Action Run, IDisposable[] Owned)> create)
    {
        var counting = new Device(new TimingBackend(device.Backend));
        var (run, owned) = create(counting, batch);
        return Measured(name, counting, run, owned);
    }

    private static VqGanModel LoadVqGan(Device device) => VqGanModel.Load(device, new ComputedWeights("vqgan", ReleasedModels.VqGanCoco));

    private static ClipModel LoadClip(Device device) => ClipModel.Load(device, new ComputedWeights("clip", ReleasedModels.ClipVitB32));

    private static int[] Tokens(ClipConfig config)
    {
        var ids = new int[config.ContextLength];
        for (var t = 0; t < 12; t++) ids[t] = t == 0 ? config.VocabularySize - 2 : 1000 + 37 * t;
        ids[12] = config.VocabularySize - 1;
        return ids;
    }

    private static (Device Counting, T Model) Counted<T>(Device device, Func<Device, T> load)
    {
        var counting = new Device(new TimingBackend(device.Backend));
        return (counting, load(counting));
    }

    /// <summary>A case whose work is counted during one run, which also warms caches and compiled code.</summary>
    private static BenchCase Measured(string name, Device counting, Action run, params IDisposable[] owned)
    {
        var timing = (TimingBackend)counting.Backend;
        timing.Reset();
        run();
        return new BenchCase(name, timing.Times.Sum(op => op.Flops), timing.Times.Sum(op => op.Bytes), run, () => Free(owned)) { Ops = timing };
    }

    private static void Free(params IDisposable[] parts)
    {
        foreach (var part in parts) part.Dispose();
    }

    /// <summary>Normally distributed values; zeros or equal numbers would be faster than real data on some processors.</summary>
    internal static Tensor Normal(Device device, Shape shape, int seed)
    {
        var random = new Random(seed);
        var values = new float[shape.Count];
        for (var i = 0; i < values.Length; i++) values[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        return device.From(values, shape);
    }

    private static int[] Numbers(string name, string sizes, int count, char separator)
    {
        var parts = sizes.Split(separator);
        var numbers = new int[count];
        if (parts.Length != count) throw Unknown(name);
        for (var i = 0; i < count; i++)
            if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i]) || numbers[i] < 1 || numbers[i] > 1 << 20) throw Unknown(name);
        return numbers;
    }

    private static UsageException Unknown(string name) => new($"case '{name}': expected one of {Forms}");
}
