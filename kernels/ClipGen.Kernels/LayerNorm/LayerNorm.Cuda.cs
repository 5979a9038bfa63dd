using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : ILayerNorm
{
    /// <inheritdoc/>
    public void LayerNorm(View<float> input, View<float> gamma, View<float> beta, int rows, int channels, float eps, View<float> output)
    {
        Arguments.Require(rows >= 0 && channels > 0, $"{rows} rows of {channels} channels");
        Arguments.Length(input, (long)rows * channels);
        Arguments.Length(output, (long)rows * channels);
        Arguments.Length(gamma, channels);
        Arguments.Length(beta, channels);
        Launch(LayerNormCuda.LayerNorm, rows, ThreadsOf(channels), new LayerNormArguments { Input = View(input), Gamma = View(gamma), Beta = View(beta), Output = View(output), Channels = channels, Epsilon = eps });
    }

    /// <inheritdoc/>
    public void LayerNormBackward(View<float> input, View<float> gamma, View<float> outputGradient, int rows, int channels, float eps, View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient)
    {
        Arguments.Require(rows >= 0 && channels > 0, $"{rows} rows of {channels} channels");
        Arguments.Length(input, (long)rows * channels);
        Arguments.Length(outputGradient, (long)rows * channels);
        Arguments.Length(inputGradient, (long)rows * channels);
        Arguments.Length(gamma, channels);
        Arguments.Length(gammaGradient, channels);
        Arguments.Length(betaGradient, channels);
        using var memory = Allocate(12L * rows);
        View<float> means = new(memory, 0, rows), rests = new(memory, rows, rows), factors = new(memory, 2L * rows, rows);
        // The parameters' gradients first: dx may take the place of dy.
        Launch(LayerNormCuda.LayerNormStatistics, rows, ThreadsOf(channels), new LayerNormStatisticsArguments { Input = View(input), Means = View(means), Rests = View(rests), Factors = View(factors), Channels = channels, Epsilon = eps });
        var stripes = StripeShape.Of(rows, channels);
        var count = 2L * stripes.Blocks * channels;
        using var blockMemory = Allocate(8 * count);
        var blockSums = new View<double>(blockMemory, 0, count);
        Launch(LayerNormCuda.LayerNormParameterGradients, stripes.Groups(1), StripeShape.Threads, new LayerNormParameterArguments
        {
            Stripes = stripes,
            Input = View(input),
            OutputGradient = View(outputGradient),
            Means = View(means),
            Rests = View(rests),
            Factors = View(factors),
            BlockSums = View(blockSums),
        });
        AddBlocks(blockSums, stripes.Blocks, channels, gammaGradient, betaGradient, channels);
        Launch(LayerNormCuda.LayerNormBackward, rows, ThreadsOf(channels), new LayerNormBackwardArguments
        {
            Input = View(input),
            Gamma = View(gamma),
            OutputGradient = View(outputGradient),
            InputGradient = View(inputGradient),
            Means = View(means),
            Rests = View(rests),
            Factors = View(factors),
            Channels = channels,
        });
    }
}

internal struct LayerNormArguments
{
    public ArrayView<float> Input, Gamma, Beta, Output;
    public int Channels;
    public float Epsilon;
}

internal struct LayerNormStatisticsArguments
{
    public ArrayView<float> Input, Means, Rests, Factors;
    public int Channels;
    public float Epsilon;
}

internal struct LayerNormParameterArguments
{
    public StripeShape Stripes;
    public ArrayView<float> Input, OutputGradient, Means, Rests, Factors;
    public ArrayView<double> BlockSums;
}

internal struct LayerNormBackwardArguments
{
    public ArrayView<float> Input, Gamma, OutputGradient, InputGradient, Means, Rests, Factors;
    public int Channels;
}

/// <summary>A group of threads per row.</summary>
internal static class LayerNormCuda
{
    /// <summary>Mean, then variance, then the row: three passes, the second and third from the cache.</summary>
    [CudaKernel]
    public static void LayerNorm(LayerNormArguments a)
    {
        var row = (long)Grid.IdxX * a.Channels;
        var origin = a.Input[row];
        var shift = Shift(a.Input, row, a.Channels, origin);
        var factor = Factor(a.Input, row, a.Channels, origin, shift, a.Epsilon);
        for (var c = Group.IdxX; c < a.Channels; c += Group.DimX) a.Output[row + c] = (a.Input[row + c] - origin - shift) * factor * a.Gamma[c] + a.Beta[c];
    }

    /// <summary>Mean, in two parts, and 1/√(variance + eps) of each row.</summary>
    [CudaKernel]
    public static void LayerNormStatistics(LayerNormStatisticsArguments a)
    {
        var row = (long)Grid.IdxX * a.Channels;
        var origin = a.Input[row];
        var shift = Shift(a.Input, row, a.Channels, origin);
        var factor = Factor(a.Input, row, a.Channels, origin, shift, a.Epsilon);
        if (Group.IdxX != 0) return;
        a.Means[Grid.IdxX] = origin;
        a.Rests[Grid.IdxX] = shift;
        a.Factors[Grid.IdxX] = factor;
    }

    /// <summary>A group per stripe of channels and block of rows: Σ dy · x̂ and Σ dy of every channel. [block, 2, channel]</summary>
    [CudaKernel]
    public static void LayerNormParameterGradients(LayerNormParameterArguments a)
    {
        var place = a.Stripes.Place();
        int channels = a.Stripes.Columns, lanes = a.Stripes.Lanes;
        double product = 0, sum = 0;
        var row = place.Row;
        long at = row * channels + place.Column, step = (long)lanes * channels;
        for (; row + lanes < place.End; row += 2 * lanes)
        {
            float x0 = a.Input[at], x1 = a.Input[at + step], y0 = a.OutputGradient[at], y1 = a.OutputGradient[at + step];
            float normal0 = (x0 - a.Means[row] - a.Rests[row]) * a.Factors[row], normal1 = (x1 - a.Means[row + lanes] - a.Rests[row + lanes]) * a.Factors[row + lanes];
            product += (double)(y0 * normal0) + y1 * normal1;
            sum += (double)y0 + y1;
            at += 2 * step;
        }
        if (row < place.End)
        {
            var gradient = a.OutputGradient[at];
            product += gradient * ((a.Input[at] - a.Means[row] - a.Rests[row]) * a.Factors[row]);
            sum += gradient;
        }
        product = StripeReduce.Sum(product, a.Stripes.Shift);
        sum = StripeReduce.Sum(sum, a.Stripes.Shift);
        if (!place.Inside || place.Lane != 0) return;
        var to = (long)place.Block * 2 * channels + place.Column;
        a.BlockSums[to] = product;
        a.BlockSums[to + channels] = sum;
    }

    /// <summary><c>dx = (g − mean(g) − x̂ · mean(g · x̂)) · factor</c> with g = dy · gamma.</summary>
    [CudaKernel]
    public static void LayerNormBackward(LayerNormBackwardArguments a)
    {
        var row = (long)Grid.IdxX * a.Channels;
        float mean = a.Means[Grid.IdxX], rest = a.Rests[Grid.IdxX], factor = a.Factors[Grid.IdxX];
        float sum = 0, product = 0;
        for (var c = Group.IdxX; c < a.Channels; c += Group.DimX)
        {
            var g = a.OutputGradient[row + c] * a.Gamma[c];
            sum += g;
            product += g * ((a.Input[row + c] - mean - rest) * factor);
        }
        sum = GroupReduce.Sum(sum) / a.Channels;
        product = GroupReduce.Sum(product) / a.Channels;
        for (var c = Group.IdxX; c < a.Channels; c += Group.DimX)
        {
            var normal = (a.Input[row + c] - mean - rest) * factor;
            a.InputGradient[row + c] = (a.OutputGradient[row + c] * a.Gamma[c] - sum - normal * product) * factor;
        }
    }

    /// <summary>Mean of x − origin. The row's first element is taken out before anything is summed, so a large common value costs no digits: neither in the sum nor in the differences.</summary>
    private static float Shift(ArrayView<float> input, long row, int channels, float origin)
    {
        var sum = 0f;
        for (var c = Group.IdxX; c < channels; c += Group.DimX) sum += input[row + c] - origin;
        return GroupReduce.Sum(sum) / channels;
    }

    private static float Factor(ArrayView<float> input, long row, int channels, float origin, float shift, float epsilon)
    {
        var sum = 0f;
        for (var c = Group.IdxX; c < channels; c += Group.DimX)
        {
            var d = input[row + c] - origin - shift;
            sum += d * d;
        }
        return 1 / DeviceMath.Sqrt(GroupReduce.Sum(sum) / channels + epsilon);
    }
}
