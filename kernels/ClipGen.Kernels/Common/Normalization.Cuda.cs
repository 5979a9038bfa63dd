using ILGPU;

namespace ClipGen.Kernels;

/// <summary>Rows of channels with a mean and factor for each stretch of <paramref name="Spatial"/> rows and each group of channels: all three norms in one description.</summary>
/// <param name="Rows">Rows.</param>
/// <param name="Spatial">Rows that share statistics: 1 for a layer norm, a picture's pixels for a group norm, all for a batch norm.</param>
/// <param name="Channels">Channels.</param>
/// <param name="Groups">Groups of channels.</param>
internal readonly record struct NormShape(long Rows, long Spatial, int Channels, int Groups)
{
    /// <summary>Elements.</summary>
    public long Count => Rows * Channels;

    /// <summary>Means, and factors.</summary>
    public long Statistics => Spatial == 0 ? 0 : Rows / Spatial * Groups;

    /// <summary>Elements that share a statistic.</summary>
    public long StatisticElements => Spatial * GroupChannels;

    /// <summary>Channels of a group.</summary>
    public int GroupChannels => Channels / Groups;

    /// <summary>Number of the statistics of an element.</summary>
    public long StatisticOf(long row, int channel) => row / Spatial * Groups + channel / GroupChannels;
}

public sealed partial class CudaBackend
{
    // Rows that one thread adds up for a channel's gradients before the blocks' sums are added.
    private const int NormBlockRows = 64;

    /// <summary>Means, variances and 1/√(variance + eps) of every group. A mean is the sum of a float and what that leaves of it: with a large mean and small differences the first alone would cost digits.</summary>
    private void NormStatistics(in NormShape shape, View<float> input, float eps, View<float> means, View<float> rests, View<float> variances, View<float> factors) =>
        Launch(NormalizationCuda.NormStatistics, shape.Statistics, ThreadsOf(shape.StatisticElements), new NormStatisticsArguments { Shape = shape, Input = View(input), Means = View(means), Rests = View(rests), Variances = View(variances), Factors = View(factors), Epsilon = eps });

    /// <summary>activation((x − mean) · factor · gamma + beta).</summary>
    private void Normalize(in NormShape shape, View<float> input, View<float> gamma, View<float> beta, View<float> means, View<float> rests, View<float> factors, Activation activation, View<float> output) =>
        LaunchOver(NormalizationCuda.Normalize, shape.Count, new NormalizeArguments
        {
            Shape = shape,
            Input = View(input),
            Gamma = View(gamma),
            Beta = View(beta),
            Means = View(means),
            Rests = View(rests),
            Factors = View(factors),
            Output = View(output),
            Activation = (int)activation,
        });

    /// <summary>1/√(variance + eps).</summary>
    private void NormFactors(View<float> variances, float eps, View<float> factors) => LaunchOver(NormalizationCuda.NormFactors, factors.Length, new NormFactorsArguments { Variances = View(variances), Factors = View(factors), Epsilon = eps });

    /// <summary>dgamma and dbeta: per channel over blocks of rows, then the blocks in their order.</summary>
    private void NormParameterGradients(in NormShape shape, View<float> input, View<float> gamma, View<float> beta, View<float> means, View<float> rests, View<float> factors, View<float> outputGradient, Activation activation, View<float> gammaGradient, View<float> betaGradient)
    {
        var blocks = checked((int)Math.Max(1, (shape.Rows + NormBlockRows - 1) / NormBlockRows));
        var count = (long)blocks * shape.Channels;
        using var memory = Allocate(8 * count);
        View<float> products = new(memory, 0, count), sums = new(memory, count, count);
        LaunchOver(NormalizationCuda.NormParameterGradients, count, new NormGradientArguments
        {
            Shape = shape,
            Input = View(input),
            Gamma = View(gamma),
            Beta = View(beta),
            Means = View(means),
            Rests = View(rests),
            Factors = View(factors),
            OutputGradient = View(outputGradient),
            Products = View(products),
            Sums = View(sums),
            Activation = (int)activation,
            BlockRows = NormBlockRows,
        });
        AddBlocks(products, blocks, shape.Channels, gammaGradient);
        AddBlocks(sums, blocks, shape.Channels, betaGradient);
    }

    /// <summary>All gradients of a norm over groups, from its statistics; dx may be dy.</summary>
    private void NormBackward(in NormShape shape, View<float> input, View<float> gamma, View<float> beta, View<float> means, View<float> rests, View<float> factors, View<float> outputGradient, Activation activation, View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient)
    {
        NormParameterGradients(shape, input, gamma, beta, means, rests, factors, outputGradient, activation, gammaGradient, betaGradient);
        using var memory = Allocate(8 * shape.Statistics);
        View<float> products = new(memory, 0, shape.Statistics), sums = new(memory, shape.Statistics, shape.Statistics);
        var arguments = new NormGradientArguments
        {
            Shape = shape,
            Input = View(input),
            Gamma = View(gamma),
            Beta = View(beta),
            Means = View(means),
            Rests = View(rests),
            Factors = View(factors),
            OutputGradient = View(outputGradient),
            InputGradient = View(inputGradient),
            Products = View(products),
            Sums = View(sums),
            Activation = (int)activation,
        };
        Launch(NormalizationCuda.NormGradientStatistics, shape.Statistics, ThreadsOf(shape.StatisticElements), arguments);
        LaunchOver(NormalizationCuda.NormInputGradient, shape.Count, arguments);
    }
}

internal struct NormStatisticsArguments
{
    public NormShape Shape;
    public ArrayView<float> Input, Means, Rests, Variances, Factors;
    public float Epsilon;
}

internal struct NormalizeArguments
{
    public NormShape Shape;
    public ArrayView<float> Input, Gamma, Beta, Means, Rests, Factors, Output;
    public int Activation;
}

internal struct NormFactorsArguments
{
    public ArrayView<float> Variances, Factors;
    public float Epsilon;
}

internal struct NormGradientArguments
{
    public NormShape Shape;
    public ArrayView<float> Input, Gamma, Beta, Means, Rests, Factors, OutputGradient, InputGradient, Products, Sums;
    public int Activation, BlockRows;
}

/// <summary>Norms over groups of channels and stretches of rows: group and batch normalisation, and what layer normalisation has in common with them.</summary>
internal static class NormalizationCuda
{
    /// <summary>A group of threads per statistic: mean, then variance around it, in double.</summary>
    [CudaKernel]
    public static void NormStatistics(NormStatisticsArguments a)
    {
        int channels = a.Shape.GroupChannels, group = Grid.IdxX % a.Shape.Groups;
        var first = Grid.IdxX / a.Shape.Groups * a.Shape.Spatial * a.Shape.Channels + group * channels;
        var count = a.Shape.Spatial * channels;
        var sum = 0.0;
        for (long i = Group.IdxX; i < count; i += Group.DimX) sum += a.Input[first + i / channels * a.Shape.Channels + i % channels];
        var mean = GroupReduce.Sum(sum) / count;
        var squares = 0.0;
        for (long i = Group.IdxX; i < count; i += Group.DimX)
        {
            var d = a.Input[first + i / channels * a.Shape.Channels + i % channels] - mean;
            squares += d * d;
        }
        var variance = GroupReduce.Sum(squares) / count;
        if (Group.IdxX != 0) return;
        var rounded = (float)mean;
        a.Means[Grid.IdxX] = rounded;
        if (a.Rests.Length > 0) a.Rests[Grid.IdxX] = (float)(mean - rounded);
        if (a.Variances.Length > 0) a.Variances[Grid.IdxX] = (float)variance;
        a.Factors[Grid.IdxX] = (float)(1 / Math.Sqrt(variance + a.Epsilon));
    }

    /// <summary>A thread per element.</summary>
    [CudaKernel]
    public static void Normalize(NormalizeArguments a)
    {
        for (var i = GridStride.First; i < a.Shape.Count; i += GridStride.Step)
        {
            var row = i / a.Shape.Channels;
            var c = (int)(i - row * a.Shape.Channels);
            var at = a.Shape.StatisticOf(row, c);
            a.Output[i] = DeviceActivation.Apply(a.Activation, (a.Input[i] - a.Means[at] - (a.Rests.Length > 0 ? a.Rests[at] : 0)) * (a.Factors[at] * a.Gamma[c]) + a.Beta[c]);
        }
    }

    /// <summary>Factors of stored variances.</summary>
    [CudaKernel]
    public static void NormFactors(NormFactorsArguments a)
    {
        for (var i = GridStride.First; i < a.Factors.Length; i += GridStride.Step) a.Factors[i] = (float)(1 / Math.Sqrt((double)a.Variances[i] + a.Epsilon));
    }

    /// <summary>A thread per channel and block of rows: Σ dz · x̂ and Σ dz, dz being the gradient in front of the activation.</summary>
    [CudaKernel]
    public static void NormParameterGradients(NormGradientArguments a)
    {
        for (var i = GridStride.First; i < a.Products.Length; i += GridStride.Step)
        {
            var block = i / a.Shape.Channels;
            var c = (int)(i - block * a.Shape.Channels);
            var first = block * a.BlockRows;
            var end = first + a.BlockRows < a.Shape.Rows ? first + a.BlockRows : a.Shape.Rows;
            float product = 0, sum = 0;
            for (var row = first; row < end; row++)
            {
                var normal = Normal(a, row, c);
                var gradient = InFront(a, row, c, normal);
                product += gradient * normal;
                sum += gradient;
            }
            a.Products[i] = product;
            a.Sums[i] = sum;
        }
    }

    /// <summary>A group of threads per statistic: the means of g · x̂ and of g, with g = dz · gamma.</summary>
    [CudaKernel]
    public static void NormGradientStatistics(NormGradientArguments a)
    {
        int channels = a.Shape.GroupChannels, firstChannel = Grid.IdxX % a.Shape.Groups * channels;
        var firstRow = Grid.IdxX / a.Shape.Groups * a.Shape.Spatial;
        var count = a.Shape.Spatial * channels;
        double product = 0, sum = 0;
        for (long i = Group.IdxX; i < count; i += Group.DimX)
        {
            var row = firstRow + i / channels;
            var c = firstChannel + (int)(i % channels);
            var normal = Normal(a, row, c);
            var g = InFront(a, row, c, normal) * a.Gamma[c];
            product += g * normal;
            sum += g;
        }
        product = GroupReduce.Sum(product);
        sum = GroupReduce.Sum(sum);
        if (Group.IdxX != 0) return;
        a.Products[Grid.IdxX] = (float)(product / count);
        a.Sums[Grid.IdxX] = (float)(sum / count);
    }

    /// <summary>A thread per element: <c>dx = (g − mean(g) − x̂ · mean(g · x̂)) · factor</c>.</summary>
    [CudaKernel]
    public static void NormInputGradient(NormGradientArguments a)
    {
        for (var i = GridStride.First; i < a.Shape.Count; i += GridStride.Step)
        {
            var row = i / a.Shape.Channels;
            var c = (int)(i - row * a.Shape.Channels);
            var at = a.Shape.StatisticOf(row, c);
            var normal = Normal(a, row, c);
            a.InputGradient[i] = (InFront(a, row, c, normal) * a.Gamma[c] - a.Sums[at] - normal * a.Products[at]) * a.Factors[at];
        }
    }

    private static float Normal(in NormGradientArguments a, long row, int c)
    {
        var at = a.Shape.StatisticOf(row, c);
        return (a.Input[row * a.Shape.Channels + c] - a.Means[at] - (a.Rests.Length > 0 ? a.Rests[at] : 0)) * a.Factors[at];
    }

    /// <summary>dy · activation'(x̂ · gamma + beta).</summary>
    private static float InFront(in NormGradientArguments a, long row, int c, float normal)
    {
        var gradient = a.OutputGradient[row * a.Shape.Channels + c];
        return a.Activation == (int)Activation.None ? gradient : gradient * DeviceActivation.Derivative(a.Activation, normal * a.Gamma[c] + a.Beta[c]);
    }
}
