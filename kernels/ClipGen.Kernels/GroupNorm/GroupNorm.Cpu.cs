using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IGroupNorm
{
    // Rows (pixels) of a block. Block sums are combined in block order, so the result does not depend on who computed which.
    private const int GroupNormRows = 256;

    /// <inheritdoc/>
    public void GroupNorm(View<float> input, View<float> gamma, View<float> beta, int batch, int spatial, int channels, int groups, float eps, Activation activation, View<float> output)
    {
        Arguments.Require(groups > 0 && channels > 0 && channels % groups == 0 && spatial > 0, $"{channels} channels in {groups} groups over {spatial} positions");
        var count = checked((long)batch * spatial * channels);
        Arguments.Length(input, count);
        Arguments.Length(output, count);
        Arguments.Length(gamma, channels);
        Arguments.Length(beta, channels);
        float* x = Pointer(input), g = Pointer(gamma), o = Pointer(beta), y = Pointer(output);
        var level = Simd;
        var blocks = (spatial + GroupNormRows - 1) / GroupNormRows;
        var size = channels / groups;

        // Per block and channel: sums of d and d² with d = x − (first value of the group in this picture). The shift takes a large mean out before squaring.
        using var memory = Allocate(8L * batch * blocks * channels * 2 + 4L * batch * channels * 4);
        var partial = (double*)Pointer(new View<double>(memory, 0, 2L * batch * blocks * channels));
        var shift = (float*)(partial + 2L * batch * blocks * channels);
        var mean = shift + (long)batch * channels;
        var factor = mean + (long)batch * channels;
        var offset = factor + (long)batch * channels;
        for (var b = 0; b < batch; b++)
            for (var c = 0; c < channels; c++)
                shift[b * channels + c] = x[(long)b * spatial * channels + c / size * size];
        Workers.For(checked(batch * blocks), part =>
        {
            int picture = part / blocks, block = part % blocks;
            var rows = Math.Min(GroupNormRows, spatial - block * GroupNormRows);
            var from = x + ((long)picture * spatial + (long)block * GroupNormRows) * channels;
            GroupNormKernel.Sums(level, from, shift + (long)picture * channels, rows, channels, partial + 2L * part * channels);
        });
        for (var b = 0; b < batch; b++)
            for (var group = 0; group < groups; group++)
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
                var elements = (double)spatial * size;
                var fromShift = sum / elements;
                var variance = Math.Max(0, squares / elements - fromShift * fromShift);
                for (var c = group * size; c < (group + 1) * size; c++)
                {
                    // The mean as a float costs a mean of 1000 up to 3e-5 in every difference. What the rounding took away goes into the
                    // offset, where it is small: (x − mean)·factor + beta = (x − rounded)·factor + (beta − (mean − rounded)·factor).
                    var i = (long)b * channels + c;
                    var exact = shift[i] + fromShift;
                    var scale = g[c] / Math.Sqrt(variance + eps);
                    mean[i] = (float)exact;
                    factor[i] = (float)scale;
                    offset[i] = (float)(o[c] - (exact - mean[i]) * scale);
                }
            }
        Workers.For(checked(batch * blocks), part =>
        {
            int picture = part / blocks, block = part % blocks;
            var rows = Math.Min(GroupNormRows, spatial - block * GroupNormRows);
            var first = ((long)picture * spatial + (long)block * GroupNormRows) * channels;
            var at = (long)picture * channels;
            NormalizeKernel.Rows(level, activation, x + first, mean + at, factor + at, offset + at, rows, channels, y + first);
        });
    }
}

/// <summary>Statistics of group normalisation.</summary>
internal static unsafe class GroupNormKernel
{
    /// <summary>Per channel: Σ d into <c>sums[0..C)</c>, Σ d² into <c>sums[C..2C)</c>, d = x − shift, over at most 256 rows.</summary>
    public static void Sums(SimdLevel level, float* x, float* shift, int rows, int channels, double* sums)
    {
        if (level == SimdLevel.Avx512) Sums<Simd512, Vector512<float>>(x, shift, rows, channels, sums);
        else if (level == SimdLevel.Avx2) Sums<Simd256, Vector256<float>>(x, shift, rows, channels, sums);
        else Sums<Simd128, Vector128<float>>(x, shift, rows, channels, sums);
    }

    private static void Sums<S, V>(float* x, float* shift, int rows, int channels, double* sums) where S : struct, ISimd<V> where V : struct
    {
        var lanes = stackalloc float[2 * S.Count];
        var c = 0;
        for (; c + S.Count <= channels; c += S.Count)
        {
            V s = S.Load(shift + c), sum = S.Zero, squares = S.Zero;
            var from = x + c;
            for (var r = 0; r < rows; r++, from += channels)
            {
                var d = S.Subtract(S.Load(from), s);
                sum = S.Add(sum, d);
                squares = S.MultiplyAdd(d, d, squares);
            }
            S.Store(sum, lanes);
            S.Store(squares, lanes + S.Count);
            for (var i = 0; i < S.Count; i++)
            {
                sums[c + i] = lanes[i];
                sums[channels + c + i] = lanes[S.Count + i];
            }
        }
        for (; c < channels; c++)
        {
            double sum = 0, squares = 0;
            for (var r = 0; r < rows; r++)
            {
                var d = (double)x[(long)r * channels + c] - shift[c];
                sum += d;
                squares += d * d;
            }
            sums[c] = sum;
            sums[channels + c] = squares;
        }
    }
}
