using System.Runtime.ExceptionServices;
using ClipGen.Kernels;

namespace ClipGen.Tensors.Nn;

/// <summary>
/// Puts weights where they are used: reads each tensor in pieces, rearranges it (OIHW filters become OHWI, matrices are packed) and
/// writes it once, into its final device memory. Nothing is held twice. Modules ask for their weights by dotted prefix and shape.
/// </summary>
public sealed class WeightLoader
{
    private const int PieceFloats = 1 << 20;
    private readonly IWeightSource source;
    private readonly string prefix;
    private readonly WeightSurvey? survey;
    private readonly List<IDisposable> loaded;
    private readonly WeightForm form;
    private readonly PackedType type;

    /// <summary>A loader for a whole model.</summary>
    public WeightLoader(Device device, IWeightSource source, string prefix = "")
        : this(device, source, prefix, null, [], [], WeightForm.Packed, PackedType.Float32)
    {
    }

    private WeightLoader(Device device, IWeightSource source, string prefix, WeightSurvey? survey, List<IDisposable> loaded, List<Parameter> parameters, WeightForm form, PackedType type)
    {
        Device = device;
        this.source = source;
        this.prefix = prefix;
        this.survey = survey;
        this.loaded = loaded;
        this.form = form;
        this.type = type;
        Parameters = parameters;
    }

    /// <summary>
    /// Builds a model twice: first over placeholders, to learn every name and shape it asks for and to report all that is missing,
    /// unexpected or mis-shaped together before a byte is read; then for good.
    /// </summary>
    /// <param name="device">Where the weights go.</param>
    /// <param name="source">The weights.</param>
    /// <param name="what">What is being loaded, for messages: "a GPT".</param>
    /// <param name="build">Constructs the model.</param>
    /// <param name="ignore">Names that may stand in the source without being used.</param>
    /// <param name="form">How the weights are to be held.</param>
    /// <param name="type">How the numbers of linear layers' packed matrices are held.</param>
    /// <exception cref="WeightException">The weights do not fit the model.</exception>
    public static T Load<T>(Device device, IWeightSource source, string what, Func<WeightLoader, T> build, Func<string, bool>? ignore = null, WeightForm form = WeightForm.Packed, PackedType type = PackedType.Float32) where T : IDisposable
    {
        using var span = Profiler.Enter($"load {what}");
        Check(device, source, what, build, _ => 0, ignore);
        List<IDisposable> loaded = [];
        try
        {
            return build(new WeightLoader(device, source, "", null, loaded, [], form, type));
        }
        catch
        {
            // A constructor that throws leaves nobody who could free what it had loaded.
            foreach (var part in loaded) part.Dispose();
            throw;
        }
    }

    /// <summary>The first half of <see cref="Load"/>: builds the model over placeholders and reports all that does not fit; reads no weight.</summary>
    /// <param name="device">Where the weights would go.</param>
    /// <param name="source">The weights.</param>
    /// <param name="what">What would be loaded, for messages.</param>
    /// <param name="build">Constructs the model.</param>
    /// <param name="read">Takes what is wanted from the model of placeholders: its sizes.</param>
    /// <param name="ignore">Names that may stand in the source without being used.</param>
    /// <exception cref="WeightException">The weights do not fit the model.</exception>
    public static TResult Check<T, TResult>(Device device, IWeightSource source, string what, Func<WeightLoader, T> build, Func<T, TResult> read, Func<string, bool>? ignore = null) where T : IDisposable
    {
        var survey = new WeightSurvey(source, what);
        using var model = build(new WeightLoader(device, source, "", survey, [], [], WeightForm.Packed, PackedType.Float32));
        survey.ThrowIfUnfit(ignore ?? (_ => false));
        return read(model);
    }

    /// <summary>Where the weights go.</summary>
    public Device Device { get; }

    /// <summary>Whether the weights become parameters.</summary>
    public bool Trains => form == WeightForm.Trainable;

    /// <summary>What was loaded so far as parameters and buffers, in order; filled only when the model is to be trained.</summary>
    public List<Parameter> Parameters { get; }

    /// <summary>Dotted path of the module that is being loaded; empty at the top.</summary>
    public string Path => prefix.TrimEnd('.');

    /// <summary>A loader for a child module.</summary>
    public WeightLoader In(string child) => new(Device, source, $"{prefix}{child}.", survey, loaded, Parameters, form, type);

    /// <summary>A size that no tensor's shape tells, where the source states it.</summary>
    public int? Option(string name) => source.Option(name);

    /// <summary>Full name of a weight of this module.</summary>
    public string NameOf(string name) => prefix + name;

    /// <summary>Whether there is a weight of that name.</summary>
    public bool Has(string name) => source.ShapeOf(prefix + name) is not null;

    /// <summary>Number of children <c>name.0</c>, <c>name.1</c>, … that have at least one weight.</summary>
    public int CountOf(string name)
    {
        HashSet<int> found = [];
        var start = $"{prefix}{name}.";
        foreach (var candidate in source.Names)
        {
            if (!candidate.StartsWith(start, StringComparison.Ordinal)) continue;
            var end = candidate.IndexOf('.', start.Length);
            if (end > 0 && int.TryParse(candidate.AsSpan(start.Length, end - start.Length), System.Globalization.NumberStyles.None, null, out var index)) found.Add(index);
        }
        // A gap (5 without 4) makes the children behind it unexpected tensors, which the survey names.
        var count = 0;
        while (found.Contains(count)) count++;
        return count;
    }

    /// <summary>Shape of a weight, in PyTorch's layout.</summary>
    /// <exception cref="WeightException">There is none of that name, or it has another number of axes.</exception>
    public int[] ShapeOf(string name, int rank)
    {
        var found = source.ShapeOf(prefix + name);
        if (found is not null && found.Length == rank) return [.. found.Select(axis => checked((int)axis))];
        var expected = Enumerable.Repeat(AnySize, rank).ToArray();
        if (survey is null) throw WrongShape(name, found, expected);
        survey.Ask(prefix + name, expected);
        return expected;
    }

    /// <summary>A weight as it is.</summary>
    public Tensor Tensor(string name, params ReadOnlySpan<int> shape) => Registered(name, shape, ReadTensor(name, shape), ParameterLayout.AsStored, isBuffer: false);

    /// <summary>A tensor that training changes but no optimiser: running statistics.</summary>
    public Tensor Buffer(string name, params ReadOnlySpan<int> shape) => Registered(name, shape, ReadTensor(name, shape), ParameterLayout.AsStored, isBuffer: true);

    private Tensor ReadTensor(string name, ReadOnlySpan<int> shape)
    {
        if (Surveyed(name, shape)) return TensorScope.Detach(Device.Empty(new Shape(0)));
        var tensor = Loaded(TensorScope.Detach(Device.Empty(new Shape(shape))));
        var view = tensor.Floats;
        ForPieces(tensor, tensor.Count, PieceFloats, 1, (first, count, piece, _) =>
        {
            source.ReadFloats(prefix + name, first, piece[..count]);
            Device.Backend.Upload(piece[..count], view.Slice(first, count));
        });
        return tensor;
    }

    /// <summary>A linear layer's weight [N, K].</summary>
    public Weight Matrix(string name, int n, int k)
    {
        if (Surveyed(name, [n, k])) return new Weight(Device.Backend.AllocatePacked(0, 0));
        if (form != WeightForm.Packed) return new Weight(Registered(name, [n, k], ReadTensor(name, [n, k]), ParameterLayout.AsStored, isBuffer: false), n, k);
        var packed = Loaded(Device.Backend.AllocatePacked(n, k, type));
        var rows = Math.Max(1, PieceFloats / Math.Max(1, k) / 32 * 32);
        ForPieces(packed, n, rows, k, (first, count, piece, _) =>
        {
            source.ReadFloats(prefix + name, first * k, piece[..(count * k)]);
            Device.Backend.PackRows(piece[..(count * k)], (int)first, count, packed);
        });
        return new Weight(packed);
    }

    /// <summary>A weight that multiplies from the right, [K, N] (CLIP's projections), held as its transpose.</summary>
    public Weight TransposedMatrix(string name, int k, int n)
    {
        if (Surveyed(name, [k, n])) return new Weight(Device.Backend.AllocatePacked(0, 0));
        var whole = new float[k * n];
        source.ReadFloats(prefix + name, 0, whole);
        var rows = new float[n * k];
        for (var i = 0; i < k; i++)
            for (var j = 0; j < n; j++)
                rows[j * k + i] = whole[i * n + j];
        if (form != WeightForm.Packed) return new Weight(Registered(name, [k, n], Loaded(TensorScope.Detach(Device.From(rows, new Shape(n, k)))), ParameterLayout.Transposed, isBuffer: false), n, k);
        var packed = Loaded(Device.Backend.AllocatePacked(n, k));
        Device.Backend.PackRows(rows, 0, n, packed);
        return new Weight(packed);
    }

    /// <summary>A convolution's filters [O, I, kernel, kernel], held as [O, kernel·kernel·I].</summary>
    public Weight Filter(string name, int outChannels, int inChannels, int kernel)
    {
        if (Surveyed(name, [outChannels, inChannels, kernel, kernel])) return new Weight(Device.Backend.AllocatePacked(0, 0));
        var taps = kernel * kernel;
        var k = taps * inChannels;
        var packed = form == WeightForm.Packed ? Loaded(Device.Backend.AllocatePacked(outChannels, k)) : null;
        var plain = packed is null ? Loaded(TensorScope.Detach(Device.Empty(new Shape(outChannels, k)))) : null;
        ForPieces((IDisposable?)packed ?? plain!, outChannels, Math.Max(1, PieceFloats / k), k, (first, count, piece, rows) =>
        {
            source.ReadFloats(prefix + name, first * k, piece[..(count * k)]);
            for (var o = 0; o < count; o++)
                for (var c = 0; c < inChannels; c++)
                    for (var t = 0; t < taps; t++)
                        rows[o * k + t * inChannels + c] = piece[o * k + c * taps + t];
            if (packed is not null) Device.Backend.PackRows(rows[..(count * k)], (int)first, count, packed);
            else Device.Backend.Upload(rows[..(count * k)], plain!.Floats.Slice(first * k, (long)count * k));
        });
        return packed is not null ? new Weight(packed) : new Weight(Registered(name, [outChannels, inChannels, kernel, kernel], plain!, ParameterLayout.Filter, isBuffer: false), outChannels, k);
    }

    /// <summary>Reads and places some of a tensor's rows, with two buffers of the piece's size to work in.</summary>
    private delegate void PieceBody(long first, int count, Span<float> piece, Span<float> second);

    // Pieces are independent, so several threads read and pack at once: loading is bound by memory, not by one core.
    // The buffers are kept from tensor to tensor; a fresh one for each piece would cost a page fault for each of its pages.
    private static void ForPieces(IDisposable destination, long total, int pieceLength, int rowFloats, PieceBody body)
    {
        try
        {
            Parallel.For(0, (total + pieceLength - 1) / pieceLength, piece =>
            {
                var first = piece * pieceLength;
                var count = (int)Math.Min(pieceLength, total - first);
                body(first, count, PieceBuffers.First(count * rowFloats), PieceBuffers.Second(count * rowFloats));
            });
        }
        catch (AggregateException failures)
        {
            // A half-filled weight is of no use to anyone, and the reader's own message says more than that something failed.
            destination.Dispose();
            ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]);
        }
    }

    /// <summary>Two buffers per thread.</summary>
    private static class PieceBuffers
    {
        [ThreadStatic]
        private static float[]? first, second;

        public static Span<float> First(int length) => Grown(ref first, length);

        public static Span<float> Second(int length) => Grown(ref second, length);

        private static Span<float> Grown(ref float[]? buffer, int length)
        {
            if (buffer is null || buffer.Length < length) buffer = GC.AllocateUninitializedArray<float>(length);
            return buffer;
        }
    }

    private Tensor Registered(string name, ReadOnlySpan<int> shape, Tensor value, ParameterLayout layout, bool isBuffer)
    {
        if (!Trains || survey is not null) return value;
        value.RequiresGrad = !isBuffer;
        Parameters.Add(new Parameter(prefix + name, shape.ToArray(), value, layout, isBuffer));
        return value;
    }

    private T Loaded<T>(T part) where T : IDisposable
    {
        loaded.Add(part);
        return part;
    }

    /// <summary>In a survey: notes the request and answers true, so that the caller returns a placeholder. Otherwise checks the shape.</summary>
    private bool Surveyed(string name, ReadOnlySpan<int> shape)
    {
        if (survey is not null)
        {
            survey.Ask(prefix + name, shape);
            return true;
        }
        var found = source.ShapeOf(prefix + name);
        if (found is null || !WeightSurvey.Fits(found, shape)) throw WrongShape(name, found, shape);
        return false;
    }

    private WeightException WrongShape(string name, long[]? found, ReadOnlySpan<int> expected) =>
        new(found is null
            ? $"{source.Name}: tensor '{prefix}{name}' is missing"
            : $"{source.Name}: tensor '{prefix}{name}' has shape {WeightSurvey.Print(found)}, expected {WeightSurvey.Print(expected)}");

    /// <summary>An axis whose size is not known because the tensor that would tell it is missing: any size will do.</summary>
    internal const int AnySize = -1;
}

/// <summary>Weights are missing, unexpected or have the wrong shape.</summary>
public sealed class WeightException(string message) : Exception(message);
