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

    /// <summary>A loader for a whole model.</summary>
    public WeightLoader(Device device, IWeightSource source, string prefix = "")
    {
        Device = device;
        this.source = source;
        this.prefix = prefix;
    }

    /// <summary>Where the weights go.</summary>
    public Device Device { get; }

    /// <summary>Dotted path of the module that is being loaded; empty at the top.</summary>
    public string Path => prefix.TrimEnd('.');

    /// <summary>A loader for a child module.</summary>
    public WeightLoader In(string child) => new(Device, source, $"{prefix}{child}.");

    /// <summary>Full name of a weight of this module.</summary>
    public string NameOf(string name) => prefix + name;

    /// <summary>Whether there is a weight of that name.</summary>
    public bool Has(string name) => source.ShapeOf(prefix + name) is not null;

    /// <summary>Shape of a weight, in PyTorch's layout.</summary>
    /// <exception cref="WeightException">There is none of that name.</exception>
    public int[] ShapeOf(string name) =>
        [.. (source.ShapeOf(prefix + name) ?? throw new WeightException($"{source.Name}: tensor '{prefix}{name}' is missing")).Select(axis => checked((int)axis))];

    /// <summary>A weight as it is.</summary>
    public Tensor Tensor(string name, params ReadOnlySpan<int> shape)
    {
        Require(name, shape);
        var tensor = TensorScope.Detach(Device.Empty(new Shape(shape)));
        var view = tensor.Floats;
        ForPieces(tensor.Count, PieceFloats, (first, count) =>
        {
            var piece = new float[count];
            source.ReadFloats(prefix + name, first, piece);
            Device.Backend.Upload<float>(piece, view.Slice(first, count));
        });
        return tensor;
    }

    /// <summary>A linear layer's weight [N, K], packed.</summary>
    public PackedMatrix Matrix(string name, int n, int k)
    {
        Require(name, [n, k]);
        var packed = Device.Backend.AllocatePacked(n, k);
        var rows = Math.Max(1, PieceFloats / Math.Max(1, k));
        ForPieces(n, rows, (first, count) =>
        {
            var piece = new float[count * k];
            source.ReadFloats(prefix + name, first * k, piece);
            Device.Backend.PackRows(piece, (int)first, count, packed);
        });
        return packed;
    }

    /// <summary>A weight that multiplies from the right, [K, N] (CLIP's projections), packed as its transpose.</summary>
    public PackedMatrix TransposedMatrix(string name, int k, int n)
    {
        Require(name, [k, n]);
        var whole = new float[k * n];
        source.ReadFloats(prefix + name, 0, whole);
        var rows = new float[n * k];
        for (var i = 0; i < k; i++)
            for (var j = 0; j < n; j++)
                rows[j * k + i] = whole[i * n + j];
        var packed = Device.Backend.AllocatePacked(n, k);
        Device.Backend.PackRows(rows, 0, n, packed);
        return packed;
    }

    /// <summary>A convolution's filters [O, I, kernel, kernel], packed as [O, kernel·kernel·I].</summary>
    public PackedMatrix Filter(string name, int outChannels, int inChannels, int kernel)
    {
        Require(name, [outChannels, inChannels, kernel, kernel]);
        var taps = kernel * kernel;
        var k = taps * inChannels;
        var packed = Device.Backend.AllocatePacked(outChannels, k);
        ForPieces(outChannels, Math.Max(1, PieceFloats / k), (first, count) =>
        {
            var piece = new float[count * k];
            var rows = new float[count * k];
            source.ReadFloats(prefix + name, first * k, piece);
            for (var o = 0; o < count; o++)
                for (var c = 0; c < inChannels; c++)
                    for (var t = 0; t < taps; t++)
                        rows[o * k + t * inChannels + c] = piece[o * k + c * taps + t];
            Device.Backend.PackRows(rows, (int)first, count, packed);
        });
        return packed;
    }

    // Pieces are independent, so several threads read and pack at once: loading is bound by memory, not by one core.
    private static void ForPieces(long total, int pieceLength, Action<long, int> body) =>
        Parallel.For(0, (total + pieceLength - 1) / pieceLength, piece =>
        {
            var first = piece * pieceLength;
            body(first, (int)Math.Min(pieceLength, total - first));
        });

    private void Require(string name, ReadOnlySpan<int> shape)
    {
        var found = ShapeOf(name);
        if (!shape.SequenceEqual(found))
            throw new WeightException($"{source.Name}: tensor '{prefix}{name}' has shape {new Shape(found)}, expected {new Shape(shape)}");
    }
}

/// <summary>A weight is missing or has the wrong shape.</summary>
public sealed class WeightException(string message) : Exception(message);
