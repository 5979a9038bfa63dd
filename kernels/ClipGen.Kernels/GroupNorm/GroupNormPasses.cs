namespace ClipGen.Kernels;

/// <summary>The passes that group and batch normalisation share, forwards and backwards.</summary>
public sealed unsafe partial class CpuBackend
{
    /// <summary>Mean and biased variance of every group of every picture, in double.</summary>
    private void GroupStatistics(GroupShape shape, float* x, double* means, double* variances)
    {
        var (batch, channels, size, blocks) = (shape.Batch, shape.Channels, shape.GroupChannels, shape.PictureBlocks);
        // Per block and channel: sums of d and d² with d = x − (first value of the group in this picture). The shift takes a large mean out before squaring.
        using var memory = Allocate(8L * shape.Blocks * 2 * channels + 4L * batch * channels);
        var partial = Pointer(new View<double>(memory, 0, 2L * shape.Blocks * channels));
        var shift = (float*)(partial + 2L * shape.Blocks * channels);
        for (var b = 0; b < batch; b++)
            for (var c = 0; c < channels; c++)
                shift[(long)b * channels + c] = x[(long)b * shape.Spatial * channels + c / size * size];
        var level = Simd;
        Workers.For(shape.Blocks, part =>
        {
            var (picture, first, rows) = shape.Block(part);
            GroupNormKernel.Sums(level, x + first, shift + (long)picture * channels, rows, channels, partial + 2L * part * channels);
        });
        for (var b = 0; b < batch; b++)
            for (var group = 0; group < shape.Groups; group++)
            {
                double sum = 0, squares = 0;
                for (var block = 0; block < blocks; block++)
                {
                    var sums = partial + 2L * (b * blocks + block) * channels;
                    for (var c = group * size; c < (group + 1) * size; c++)
                    {
                        sum += sums[c];
                        squares += sums[channels + c];
                    }
                }
                var elements = (double)shape.Spatial * size;
                var fromShift = sum / elements;
                var statistic = b * shape.Groups + group;
                means[statistic] = shift[(long)b * channels + group * size] + fromShift;
                variances[statistic] = Math.Max(0, squares / elements - fromShift * fromShift);
            }
    }

    /// <summary><c>y = activation((x − mean) / sqrt(variance + eps) · gamma + beta)</c>.</summary>
    private void NormalizeGroups(GroupShape shape, float* x, float* gamma, float* beta, double* means, double* variances, float eps, Activation activation, float* y)
    {
        using var memory = Allocate(12L * shape.Batch * shape.Channels);
        var mean = Pointer(new View<float>(memory, 0, 3L * shape.Batch * shape.Channels));
        var factor = mean + (long)shape.Batch * shape.Channels;
        var offset = factor + (long)shape.Batch * shape.Channels;
        ChannelCoefficients(shape, gamma, beta, means, variances, eps, mean, factor, offset);
        var level = Simd;
        Workers.For(shape.Blocks, part =>
        {
            var (picture, first, rows) = shape.Block(part);
            var at = (long)picture * shape.Channels;
            NormalizeKernel.Rows(level, activation, x + first, mean + at, factor + at, offset + at, rows, shape.Channels, y + first);
        });
    }

    /// <summary>
    /// Gradients of <see cref="NormalizeGroups"/>, the statistics' dependence on x included. dx may be dy; until its own values are known it holds dz, the gradient in front of the activation.
    /// </summary>
    private void NormalizeGroupsBackward(GroupShape shape, float* x, float* gamma, float* beta, double* means, double* variances, float eps, Activation activation, float* dy, float* dx, float* dgamma, float* dbeta)
    {
        var (batch, channels, size, blocks) = (shape.Batch, shape.Channels, shape.GroupChannels, shape.PictureBlocks);
        var perPicture = (long)batch * channels;
        using var memory = Allocate(8L * 4 * channels + 4L * (2L * shape.Blocks * channels + 5 * perPicture));
        var gammaSums = Pointer(new View<double>(memory, 0, 4L * channels));
        var betaSums = gammaSums + channels;
        var pictureSums = betaSums + channels;
        var partial = (float*)(pictureSums + 2L * channels);
        var mean = partial + 2L * shape.Blocks * channels;
        float* factor = mean + perPicture, offset = factor + perPicture, slope = offset + perPicture, inverses = slope + perPicture;
        ChannelCoefficients(shape, gamma, beta, means, variances, eps, mean, factor, offset);
        var dz = activation == Activation.None ? dy : dx;
        var level = Simd;
        Workers.For(shape.Blocks, part =>
        {
            var (picture, first, rows) = shape.Block(part);
            var at = (long)picture * channels;
            NormalizeGradientKernel.Sums(level, activation, x + first, mean + at, factor + at, offset + at, dy + first, rows, channels, dz + first, partial + 2L * part * channels);
        });

        new Span<double>(gammaSums, 2 * channels).Clear();
        for (var b = 0; b < batch; b++)
        {
            // Per channel Σ dz and Σ dz·d, blocks in order.
            new Span<double>(pictureSums, 2 * channels).Clear();
            for (var block = 0; block < blocks; block++)
            {
                var sums = partial + 2L * (b * blocks + block) * channels;
                for (var i = 0; i < 2 * channels; i++) pictureSums[i] += sums[i];
            }
            for (var group = 0; group < shape.Groups; group++)
            {
                var statistic = b * shape.Groups + group;
                var inverse = 1 / Math.Sqrt(variances[statistic] + eps);
                // d was taken from the rounded mean: Σ dz·x̂ = (Σ dz·d − (mean − rounded)·Σ dz) / σ.
                var lost = means[statistic] - mean[(long)b * channels + group * size];
                double meanG = 0, meanGx = 0;
                for (var c = group * size; c < (group + 1) * size; c++)
                {
                    var products = (pictureSums[channels + c] - lost * pictureSums[c]) * inverse;
                    gammaSums[c] += products;
                    betaSums[c] += pictureSums[c];
                    meanG += gamma[c] * pictureSums[c];
                    meanGx += gamma[c] * products;
                }
                var elements = (double)shape.Spatial * size;
                meanG /= elements;
                meanGx /= elements;
                // dx = (dz·gamma − meanG − x̂·meanGx) / σ as (dz·gamma + offset + d·slope)·inverse; the forward offset has done its work.
                var slopeOfGroup = -meanGx * inverse;
                for (var c = group * size; c < (group + 1) * size; c++)
                {
                    var i = (long)b * channels + c;
                    slope[i] = (float)slopeOfGroup;
                    offset[i] = (float)(-meanG - lost * slopeOfGroup);
                    inverses[i] = (float)inverse;
                }
            }
        }
        for (var c = 0; c < channels; c++)
        {
            dgamma[c] = (float)gammaSums[c];
            dbeta[c] = (float)betaSums[c];
        }

        Workers.For(shape.Blocks, part =>
        {
            var (picture, first, rows) = shape.Block(part);
            var at = (long)picture * channels;
            NormalizeGradientKernel.Rows(level, x + first, mean + at, dz + first, gamma, offset + at, slope + at, inverses + at, rows, channels, dx + first);
        });
    }

    /// <summary>
    /// <c>(x − mean[c])·factor[c] + offset[c]</c> is what stands in front of the activation. The mean as a float costs a mean of 1000 up to 3e-5 in every difference. What the rounding took away
    /// goes into the offset, where it is small: (x − mean)·factor + beta = (x − rounded)·factor + (beta − (mean − rounded)·factor).
    /// </summary>
    private static void ChannelCoefficients(GroupShape shape, float* gamma, float* beta, double* means, double* variances, float eps, float* mean, float* factor, float* offset)
    {
        var i = 0L;
        for (var b = 0; b < shape.Batch; b++)
            for (var c = 0; c < shape.Channels; c++, i++)
            {
                var statistic = b * shape.Groups + c / shape.GroupChannels;
                var scale = gamma[c] / Math.Sqrt(variances[statistic] + eps);
                mean[i] = (float)means[statistic];
                factor[i] = (float)scale;
                offset[i] = (float)(beta[c] - (means[statistic] - mean[i]) * scale);
            }
    }
}
