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
        NormParameterGradients(new NormShape(rows, 1, channels, 1), input, default, default, means, rests, factors, outputGradient, Activation.None, gammaGradient, betaGradient);
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
