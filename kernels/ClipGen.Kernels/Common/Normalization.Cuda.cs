using System.Runtime.CompilerServices;
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

    /// <summary>Stretches of rows.</summary>
    public long Stretches => Spatial == 0 ? 0 : Rows / Spatial;

    /// <summary>Means, and factors.</summary>
    public long Statistics => Stretches * Groups;

    /// <summary>Elements that share a statistic.</summary>
    public long StatisticElements => Spatial * GroupChannels;

    /// <summary>Channels of a group.</summary>
    public int GroupChannels => Channels / Groups;
}

public sealed partial class CudaBackend
{
    /// <summary>Means, variances and 1/√(variance + eps) of every group. A mean is the sum of a float and what that leaves of it: with a large mean and small differences the first alone would cost digits.</summary>
    private void NormStatistics(in NormShape shape, View<float> input, float eps, View<float> means, View<float> rests, View<float> variances, View<float> factors)
    {
        if (shape.Statistics == 0) return;
        var stripes = StripeShape.Of(shape.Spatial, shape.Channels, shape.GroupChannels);
        var shares = SharesOf(shape, stripes);
        var count = shape.Statistics * shares;
        using var memory = Allocate(16 * count);
        View<double> sums = new(memory, 0, count), squares = new(memory, count, count);
        Launch(NormalizationCuda.NormSums, stripes.Groups(shape.Stretches), StripeShape.Threads, new NormSumsArguments { Shape = shape, Stripes = stripes, Input = View(input), Sums = View(sums), Squares = View(squares), Shares = shares });
        Launch(NormalizationCuda.NormStatistics, shape.Statistics, ThreadsOf(shares), new NormStatisticsArguments
        {
            Shape = shape,
            Input = View(input),
            Sums = View(sums),
            Squares = View(squares),
            Means = View(means),
            Rests = View(rests),
            Variances = View(variances),
            Factors = View(factors),
            Shares = shares,
            Epsilon = eps,
        });
    }

    /// <summary>activation((x − mean) · factor · gamma + beta).</summary>
    private void Normalize(in NormShape shape, View<float> input, View<float> gamma, View<float> beta, View<float> means, View<float> rests, View<float> factors, Activation activation, View<float> output)
    {
        var stripes = StripeShape.Of(shape.Spatial, shape.Channels);
        Launch(NormalizationCuda.Normalize, stripes.Groups(shape.Stretches), StripeShape.Threads, new NormalizeArguments
        {
            Shape = shape,
            Stripes = stripes,
            Input = View(input),
            Gamma = View(gamma),
            Beta = View(beta),
            Means = View(means),
            Rests = View(rests),
            Factors = View(factors),
            Output = View(output),
            Activation = (int)activation,
        });
    }

    /// <summary>1/√(variance + eps).</summary>
    private void NormFactors(View<float> variances, float eps, View<float> factors) => LaunchOver(NormalizationCuda.NormFactors, factors.Length, new NormFactorsArguments { Variances = View(variances), Factors = View(factors), Epsilon = eps });

    /// <summary>All gradients of a norm over groups, from its statistics; dx may be dy. What is summed per channel over blocks of rows serves the parameters' gradients and, weighted with gamma, the input's.</summary>
    private void NormBackward(in NormShape shape, View<float> input, View<float> gamma, View<float> beta, View<float> means, View<float> rests, View<float> factors, View<float> outputGradient, Activation activation, View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient)
    {
        var stripes = StripeShape.Of(shape.Spatial, shape.Channels);
        var blocks = checked((int)(shape.Stretches * stripes.Blocks));
        var count = 2L * blocks * shape.Channels;
        using DeviceMemory memory = Allocate(8 * shape.Statistics), blockMemory = Allocate(8 * count);
        View<float> products = new(memory, 0, shape.Statistics), sums = new(memory, shape.Statistics, shape.Statistics);
        View<double> blockSums = new(blockMemory, 0, count);
        var arguments = new NormGradientArguments
        {
            Shape = shape,
            Stripes = stripes,
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
            BlockSums = View(blockSums),
            Activation = (int)activation,
        };
        Launch(NormalizationCuda.NormGradientSums, stripes.Groups(shape.Stretches), StripeShape.Threads, arguments);
        AddBlocks(blockSums, blocks, shape.Channels, gammaGradient, betaGradient, shape.Channels);
        Launch(NormalizationCuda.NormGradientStatistics, shape.Statistics, ThreadsOf((long)stripes.Blocks * shape.GroupChannels), arguments);
        Launch(NormalizationCuda.NormInputGradient, stripes.Groups(shape.Stretches), StripeShape.Threads, arguments);
    }

    /// <summary>Sums that a statistic is put together from: one for each block of rows, or several where its channels do not fit into one stripe.</summary>
    private static int SharesOf(in NormShape shape, in StripeShape stripes) => checked(stripes.Blocks * (stripes.Span == shape.GroupChannels ? stripes.SpanStripes : 1));
}

internal struct NormSumsArguments
{
    public NormShape Shape;
    public StripeShape Stripes;
    public ArrayView<float> Input;
    public ArrayView<double> Sums, Squares;
    public int Shares;
}

internal struct NormStatisticsArguments
{
    public NormShape Shape;
    public ArrayView<float> Input, Means, Rests, Variances, Factors;
    public ArrayView<double> Sums, Squares;
    public int Shares;
    public float Epsilon;
}

internal struct NormalizeArguments
{
    public NormShape Shape;
    public StripeShape Stripes;
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
    public StripeShape Stripes;
    public ArrayView<float> Input, Gamma, Beta, Means, Rests, Factors, OutputGradient, InputGradient, Products, Sums;
    public ArrayView<double> BlockSums;
    public int Activation;
}

/// <summary>Norms over groups of channels and stretches of rows: group and batch normalisation, and what layer normalisation has in common with them.</summary>
internal static class NormalizationCuda
{
    /// <summary>A group per stripe of channels and block of rows: <c>Σ d</c> and <c>Σ d²</c> of each statistic there, d being the difference from its first element. In double, so that neither that element's distance from the mean nor the number of differences costs digits.</summary>
    [CudaKernel]
    public static void NormSums(NormSumsArguments a)
    {
        var place = a.Stripes.Place();
        int channels = a.Shape.Channels, groupChannels = a.Shape.GroupChannels, lanes = a.Stripes.Lanes, shift = a.Stripes.Shift;
        double origin = a.Input[place.Stretch * a.Shape.Spatial * channels + place.Column / groupChannels * groupChannels];
        double sum = 0, squares = 0;
        var row = place.Row;
        long at = row * channels + place.Column, step = (long)lanes * channels;
        for (; row + 3 * lanes < place.End; row += 4 * lanes)
        {
            float x0 = a.Input[at], x1 = a.Input[at + step], x2 = a.Input[at + 2 * step], x3 = a.Input[at + 3 * step];
            double d0 = x0 - origin, d1 = x1 - origin, d2 = x2 - origin, d3 = x3 - origin;
            sum += d0 + d1 + (d2 + d3);
            squares += d0 * d0 + d1 * d1 + (d2 * d2 + d3 * d3);
            at += 4 * step;
        }
        for (; row < place.End; row += lanes)
        {
            var d = a.Input[at] - origin;
            sum += d;
            squares += d * d;
            at += step;
        }
        var sums = SharedMemory.Allocate<double>(StripeShape.Threads);
        var allSquares = SharedMemory.Allocate<double>(StripeShape.Threads);
        sums[Group.IdxX] = sum;
        allSquares[Group.IdxX] = squares;
        Group.Barrier();
        // A thread for each statistic of the stripe: its channels of every lane, in their order.
        var together = Math.Min(groupChannels, place.Width);
        var first = Group.IdxX * together;
        if (first >= place.Width) return;
        sum = 0;
        squares = 0;
        for (var lane = 0; lane < lanes; lane++)
            for (var i = first; i < first + together; i++)
            {
                sum += sums[(lane << shift) + i];
                squares += allSquares[(lane << shift) + i];
            }
        var parts = a.Shares / a.Stripes.Blocks;
        var statistic = (long)place.Stretch * a.Shape.Groups + (place.First + first) / groupChannels;
        var to = statistic * a.Shares + place.Block * parts + place.Stripe % parts;
        a.Sums[to] = sum;
        a.Squares[to] = squares;
    }

    /// <summary>A group of threads per statistic: mean and variance from the blocks' sums.</summary>
    [CudaKernel]
    public static void NormStatistics(NormStatisticsArguments a)
    {
        int stretch = Grid.IdxX / a.Shape.Groups, group = Grid.IdxX - stretch * a.Shape.Groups;
        var first = (long)Grid.IdxX * a.Shares;
        double sum = 0, squares = 0;
        for (var i = Group.IdxX; i < a.Shares; i += Group.DimX)
        {
            sum += a.Sums[first + i];
            squares += a.Squares[first + i];
        }
        sum = GroupReduce.Sum(sum);
        squares = GroupReduce.Sum(squares);
        if (Group.IdxX != 0) return;
        double count = a.Shape.StatisticElements, difference = sum / count;
        var variance = squares / count - difference * difference;
        if (variance < 0) variance = 0;
        var mean = a.Input[stretch * a.Shape.Spatial * a.Shape.Channels + group * a.Shape.GroupChannels] + difference;
        var rounded = (float)mean;
        a.Means[Grid.IdxX] = rounded;
        if (a.Rests.Length > 0) a.Rests[Grid.IdxX] = (float)(mean - rounded);
        if (a.Variances.Length > 0) a.Variances[Grid.IdxX] = (float)variance;
        a.Factors[Grid.IdxX] = (float)(1 / Math.Sqrt(variance + a.Epsilon));
    }

    /// <summary>A thread per channel and some rows.</summary>
    [CudaKernel]
    public static void Normalize(NormalizeArguments a)
    {
        var place = a.Stripes.Place();
        int channels = a.Shape.Channels, c = place.Column, lanes = a.Stripes.Lanes;
        var statistic = (long)place.Stretch * a.Shape.Groups + c / a.Shape.GroupChannels;
        float mean = a.Means[statistic], rest = a.Rests.Length > 0 ? a.Rests[statistic] : 0, factor = a.Factors[statistic] * a.Gamma[c], beta = a.Beta[c];
        var row = place.Row;
        long at = row * channels + c, step = (long)lanes * channels;
        for (; row + 3 * lanes < place.End; row += 4 * lanes)
        {
            float x0 = a.Input[at], x1 = a.Input[at + step], x2 = a.Input[at + 2 * step], x3 = a.Input[at + 3 * step];
            a.Output[at] = DeviceActivation.Apply(a.Activation, (x0 - mean - rest) * factor + beta);
            a.Output[at + step] = DeviceActivation.Apply(a.Activation, (x1 - mean - rest) * factor + beta);
            a.Output[at + 2 * step] = DeviceActivation.Apply(a.Activation, (x2 - mean - rest) * factor + beta);
            a.Output[at + 3 * step] = DeviceActivation.Apply(a.Activation, (x3 - mean - rest) * factor + beta);
            at += 4 * step;
        }
        for (; row < place.End; row += lanes)
        {
            a.Output[at] = DeviceActivation.Apply(a.Activation, (a.Input[at] - mean - rest) * factor + beta);
            at += step;
        }
    }

    /// <summary>Factors of stored variances.</summary>
    [CudaKernel]
    public static void NormFactors(NormFactorsArguments a)
    {
        for (var i = GridStride.First; i < a.Factors.Length; i += GridStride.Step) a.Factors[i] = (float)(1 / Math.Sqrt((double)a.Variances[i] + a.Epsilon));
    }

    /// <summary>A group per stripe of channels and block of rows: Σ dz · x̂ and Σ dz of every channel, dz being the gradient in front of the activation. [block, 2, channel]</summary>
    [CudaKernel]
    public static void NormGradientSums(NormGradientArguments a)
    {
        var place = a.Stripes.Place();
        int channels = a.Shape.Channels, c = place.Column, lanes = a.Stripes.Lanes;
        var norm = ChannelNorm.Of(a, place);
        double product = 0, sum = 0;
        var row = place.Row;
        long at = row * channels + c, step = (long)lanes * channels;
        for (; row + lanes < place.End; row += 2 * lanes)
        {
            float x0 = a.Input[at], x1 = a.Input[at + step], y0 = a.OutputGradient[at], y1 = a.OutputGradient[at + step];
            float normal0 = norm.Normal(x0), normal1 = norm.Normal(x1), gradient0 = norm.InFront(a.Activation, normal0, y0), gradient1 = norm.InFront(a.Activation, normal1, y1);
            product += (double)(gradient0 * normal0) + gradient1 * normal1;
            sum += (double)gradient0 + gradient1;
            at += 2 * step;
        }
        if (row < place.End)
        {
            var normal = norm.Normal(a.Input[at]);
            var gradient = norm.InFront(a.Activation, normal, a.OutputGradient[at]);
            product += gradient * normal;
            sum += gradient;
        }
        product = StripeReduce.Sum(product, a.Stripes.Shift);
        sum = StripeReduce.Sum(sum, a.Stripes.Shift);
        if (!place.Inside || place.Lane != 0) return;
        var to = ((long)place.Stretch * a.Stripes.Blocks + place.Block) * 2 * channels + c;
        a.BlockSums[to] = product;
        a.BlockSums[to + channels] = sum;
    }

    /// <summary>A group of threads per statistic: the means of g · x̂ and of g, with g = dz · gamma, from the channels' sums.</summary>
    [CudaKernel]
    public static void NormGradientStatistics(NormGradientArguments a)
    {
        int stretch = Grid.IdxX / a.Shape.Groups, groupChannels = a.Shape.GroupChannels, firstChannel = (Grid.IdxX - stretch * a.Shape.Groups) * groupChannels;
        var first = (long)stretch * a.Stripes.Blocks * 2 * a.Shape.Channels;
        double product = 0, sum = 0;
        for (var i = Group.IdxX; i < a.Stripes.Blocks * groupChannels; i += Group.DimX)
        {
            var block = i / groupChannels;
            var c = firstChannel + i - block * groupChannels;
            var at = first + (long)block * 2 * a.Shape.Channels + c;
            double gamma = a.Gamma[c];
            product += a.BlockSums[at] * gamma;
            sum += a.BlockSums[at + a.Shape.Channels] * gamma;
        }
        product = GroupReduce.Sum(product);
        sum = GroupReduce.Sum(sum);
        if (Group.IdxX != 0) return;
        double count = a.Shape.StatisticElements;
        a.Products[Grid.IdxX] = (float)(product / count);
        a.Sums[Grid.IdxX] = (float)(sum / count);
    }

    /// <summary>A thread per channel and some rows: <c>dx = (g − mean(g) − x̂ · mean(g · x̂)) · factor</c>.</summary>
    [CudaKernel]
    public static void NormInputGradient(NormGradientArguments a)
    {
        var place = a.Stripes.Place();
        int channels = a.Shape.Channels, c = place.Column, lanes = a.Stripes.Lanes;
        var norm = ChannelNorm.Of(a, place);
        var statistic = (long)place.Stretch * a.Shape.Groups + c / a.Shape.GroupChannels;
        float product = a.Products[statistic], sum = a.Sums[statistic];
        var row = place.Row;
        long at = row * channels + c, step = (long)lanes * channels;
        for (; row + lanes < place.End; row += 2 * lanes)
        {
            float x0 = a.Input[at], x1 = a.Input[at + step], y0 = a.OutputGradient[at], y1 = a.OutputGradient[at + step];
            float normal0 = norm.Normal(x0), normal1 = norm.Normal(x1);
            a.InputGradient[at] = (norm.InFront(a.Activation, normal0, y0) * norm.Gamma - sum - normal0 * product) * norm.Factor;
            a.InputGradient[at + step] = (norm.InFront(a.Activation, normal1, y1) * norm.Gamma - sum - normal1 * product) * norm.Factor;
            at += 2 * step;
        }
        if (row < place.End)
        {
            var normal = norm.Normal(a.Input[at]);
            a.InputGradient[at] = (norm.InFront(a.Activation, normal, a.OutputGradient[at]) * norm.Gamma - sum - normal * product) * norm.Factor;
        }
    }

    /// <summary>What a channel's elements have in common.</summary>
    private struct ChannelNorm
    {
        public float Mean, Rest, Factor, Gamma, Beta;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ChannelNorm Of(in NormGradientArguments a, in StripePlace place)
        {
            var statistic = (long)place.Stretch * a.Shape.Groups + place.Column / a.Shape.GroupChannels;
            return new ChannelNorm { Mean = a.Means[statistic], Rest = a.Rests.Length > 0 ? a.Rests[statistic] : 0, Factor = a.Factors[statistic], Gamma = a.Gamma[place.Column], Beta = a.Beta[place.Column] };
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly float Normal(float x) => (x - Mean - Rest) * Factor;

        /// <summary>dy · activation'(x̂ · gamma + beta).</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly float InFront(int activation, float normal, float gradient) =>
            activation == (int)Activation.None ? gradient : gradient * DeviceActivation.Derivative(activation, normal * Gamma + Beta);
    }
}
