using ClipGen.Kernels;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.Lpips;

/// <summary>
/// Learned perceptual distance of two pictures (Zhang et al. 2018): VGG16 features at five depths, each scaled to unit length over
/// channels; squared differences weighted per channel, averaged over positions, summed over depths.
/// </summary>
public sealed class LpipsModel : Module
{
    // VGG16's convolutions by their place in torchvision's layer list; a slice after the first begins with a 2x2 max-pool.
    private static readonly int[][] Slices = [[0, 2], [5, 7], [10, 12, 14], [17, 19, 21], [24, 26, 28]];
    private readonly Conv2d[][] slices;
    private readonly Tensor[] channelWeights;
    private readonly Tensor shift, inverseScale;

    private LpipsModel(WeightLoader weights) : base("")
    {
        Device = weights.Device;
        slices = new Conv2d[Slices.Length][];
        channelWeights = new Tensor[Slices.Length];
        for (var i = 0; i < Slices.Length; i++)
        {
            var slice = weights.In("net").In($"slice{i + 1}");
            slices[i] = [.. Slices[i].Select(layer => Own(new Conv2d(slice.In($"{layer}"), 3, padBefore: 1)))];
            channelWeights[i] = Own(weights.Tensor($"lin{i}.model.1.weight", 1, slices[i][^1].OutChannels, 1, 1));
        }
        shift = Own(weights.Tensor("scaling_layer.shift", 1, 3, 1, 1));
        using var scale = weights.Tensor("scaling_layer.scale", 1, 3, 1, 1);
        var inverse = scale.ToFloats();
        for (var c = 0; c < inverse.Length; c++) inverse[c] = 1 / inverse[c];
        inverseScale = Own(TensorScope.Detach(Device.From(inverse, new Shape(inverse.Length))));
    }

    /// <summary>Pixels that a picture needs along each side: four halvings leave at least one.</summary>
    public const int SmallestSide = 16;

    /// <summary>Where it computes.</summary>
    public Device Device { get; }

    /// <summary>Loads the model.</summary>
    /// <exception cref="WeightException">The weights are not those of VGG16 LPIPS.</exception>
    public static LpipsModel Load(Device device, IWeightSource source, WeightForm form = WeightForm.Packed) => WeightLoader.Load(device, source, "VGG16 LPIPS", weights => new LpipsModel(weights), form: form);

    /// <summary>Distance of each pair of pictures [N, H, W, 3] in [−1, 1].</summary>
    /// <returns>Per depth, one value per pair; their sum over depths is the distance.</returns>
    /// <exception cref="ShapeException">The pictures differ in shape, or are smaller than 16 x 16.</exception>
    public float[][] PerLayer(Tensor a, Tensor b)
    {
        using var scope = new TensorScope();
        return [.. Depths(a, b).Select(depth => depth.ToFloats())];
    }

    /// <summary>The distance: the sum over depths.</summary>
    public float[] Distance(Tensor a, Tensor b)
    {
        var layers = PerLayer(a, b);
        return [.. Enumerable.Range(0, a.Shape[0]).Select(n => (float)layers.Sum(layer => (double)layer[n]))];
    }

    /// <summary>The mean distance of the pairs as one number through which gradients flow (to a and b; the model itself stays as it is).</summary>
    public Tensor Loss(Tensor a, Tensor b)
    {
        using var scope = new TensorScope();
        Tensor? sum = null;
        foreach (var depth in Depths(a, b)) sum = sum is null ? depth : sum.Add(depth);
        return scope.Keep(sum!.Mean());
    }

    /// <summary>One tensor [N] per depth.</summary>
    private IEnumerable<Tensor> Depths(Tensor a, Tensor b)
    {
        if (a.Shape != b.Shape || a.Shape.Rank != 4 || a.Shape[3] != 3 || a.Shape[1] < SmallestSide || a.Shape[2] < SmallestSide)
            throw new ShapeException("Lpips", $"pictures {a.Shape} and {b.Shape}, expected two equal [N, H, W, 3] of at least 16 x 16");
        using var span = Profiler.Enter("lpips");
        Tensor x = Scaled(a), y = Scaled(b);
        for (var i = 0; i < slices.Length; i++)
        {
            (x, y) = (Slice(i, x), Slice(i, y));
            yield return Depth(i, x, y);
        }
    }

    private Tensor Depth(int index, Tensor x, Tensor y)
    {
        using var scope = new TensorScope();
        var difference = x.L2Normalize(1e-12f).Subtract(y.L2Normalize(1e-12f));
        var channels = x.Shape[3];
        var weighted = difference.Multiply(difference).Multiply(channelWeights[index].Reshape(channels));
        // The mean over positions of the sum over channels is the mean over both, times the channels.
        return scope.Keep(weighted.Reshape(x.Shape[0], x.Shape[1] * x.Shape[2] * channels).MeanRows().Affine(channels, 0));
    }

    private Tensor Scaled(Tensor pictures) => pictures.Subtract(shift.Reshape(3)).Multiply(inverseScale);

    private Tensor Slice(int index, Tensor x)
    {
        using var scope = new TensorScope();
        if (index > 0) x = x.MaxPool2x2();
        foreach (var conv in slices[index]) x = conv.Forward(x, Activation.Relu);
        return scope.Keep(x);
    }
}
