using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IResample
{
    /// <inheritdoc/>
    public void UpsampleNearest2x(View<float> input, int batch, int height, int width, int channels, View<float> output)
    {
        var count = 4L * batch * height * width * channels;
        Arguments.Length(input, count / 4);
        Arguments.Length(output, count);
        LaunchOver(ResampleCuda.UpsampleNearest2x, count, Resampling(input, output, count, height, width, channels, 2 * height, 2 * width, false));
    }

    /// <inheritdoc/>
    public void ResizeBilinear(View<float> input, int batch, int height, int width, int channels, int outHeight, int outWidth, bool antialias, View<float> output)
    {
        Arguments.Require(height > 0 && width > 0 && outHeight > 0 && outWidth > 0, $"{height}x{width} to {outHeight}x{outWidth}");
        var count = (long)batch * outHeight * outWidth * channels;
        Arguments.Length(input, (long)batch * height * width * channels);
        Arguments.Length(output, count);
        LaunchOver(ResampleCuda.ResizeBilinear, count, Resampling(input, output, count, height, width, channels, outHeight, outWidth, antialias));
    }

    /// <inheritdoc/>
    public void UpsampleNearest2xBackward(View<float> outputGradient, int batch, int height, int width, int channels, View<float> inputGradient)
    {
        Arguments.Require(batch >= 0 && height >= 0 && width >= 0 && channels >= 0, $"{batch} pictures of {height}x{width}x{channels}");
        var count = (long)batch * height * width * channels;
        Arguments.Length(outputGradient, 4 * count);
        Arguments.Length(inputGradient, count);
        LaunchOver(ResampleCuda.UpsampleNearest2xBackward, count, Resampling(outputGradient, inputGradient, count, height, width, channels, 2 * height, 2 * width, false));
    }

    /// <inheritdoc/>
    public void ResizeBilinearBackward(View<float> outputGradient, int batch, int height, int width, int channels, int outHeight, int outWidth, bool antialias, View<float> inputGradient)
    {
        Arguments.Require(batch >= 0 && channels >= 0 && height > 0 && width > 0 && outHeight > 0 && outWidth > 0, $"{batch} pictures of {channels} channels, {height}x{width} to {outHeight}x{outWidth}");
        var count = (long)batch * height * width * channels;
        Arguments.Length(outputGradient, (long)batch * outHeight * outWidth * channels);
        Arguments.Length(inputGradient, count);
        LaunchOver(ResampleCuda.ResizeBilinearBackward, count, Resampling(outputGradient, inputGradient, count, height, width, channels, outHeight, outWidth, antialias));
    }

    private static ResampleArguments Resampling(View<float> from, View<float> to, long count, int height, int width, int channels, int outHeight, int outWidth, bool antialias) => new()
    {
        From = View(from),
        To = View(to),
        Count = count,
        Height = height,
        Width = width,
        Channels = channels,
        OutHeight = outHeight,
        OutWidth = outWidth,
        Antialias = antialias ? 1 : 0,
    };
}

internal struct ResampleArguments
{
    public ArrayView<float> From, To;
    public long Count;
    public int Height, Width, Channels, OutHeight, OutWidth, Antialias;
}

/// <summary>The inputs of one output along one axis: <see cref="ResampleTaps"/> without its lists.</summary>
internal struct DeviceTaps
{
    /// <summary>First input, and the one behind the last.</summary>
    public int First, End;

    private double centre, support, total;
    private float share;
    private int antialias;

    /// <summary>Taps of output <paramref name="index"/>.</summary>
    public static DeviceTaps Of(int index, int inputs, int outputs, int antialias)
    {
        var taps = new DeviceTaps { antialias = antialias };
        if (antialias == 0)
        {
            var position = (float)inputs / outputs * (index + 0.5f) - 0.5f;
            if (position < 0) position = 0;
            taps.First = (int)position < inputs - 1 ? (int)position : inputs - 1;
            taps.share = position - taps.First;
            taps.End = taps.First + 1 < inputs ? taps.First + 2 : inputs;
            return taps;
        }
        var scale = (double)inputs / outputs;
        taps.centre = (index + 0.5) * scale;
        taps.support = scale > 1 ? scale : 1;
        taps.First = (int)(taps.centre - taps.support + 0.5);
        if (taps.centre - taps.support + 0.5 < 0) taps.First = 0;
        taps.End = (int)(taps.centre + taps.support + 0.5);
        if (taps.End > inputs) taps.End = inputs;
        for (var i = taps.First; i < taps.End; i++) taps.total += taps.Triangle(i);
        return taps;
    }

    /// <summary>Weight of an input between <see cref="First"/> and <see cref="End"/>.</summary>
    public readonly double Weight(int position)
    {
        if (antialias != 0) return Triangle(position) / total;
        // At the border the one tap has both shares.
        if (End - First == 1) return 1;
        return position == First ? 1 - share : share;
    }

    private readonly double Triangle(int position)
    {
        var distance = (position - centre + 0.5) / support;
        var weight = 1 - (distance < 0 ? -distance : distance);
        return weight > 0 ? weight : 0;
    }
}

/// <summary>A thread per element of the result.</summary>
internal static class ResampleCuda
{
    /// <summary>Every pixel four times.</summary>
    [CudaKernel]
    public static void UpsampleNearest2x(ResampleArguments a)
    {
        for (var i = GridStride.First; i < a.Count; i += GridStride.Step)
        {
            var pixel = i / a.Channels;
            long column = pixel % a.OutWidth, row = pixel / a.OutWidth;
            a.To[i] = a.From[((row / a.OutHeight * a.Height + row % a.OutHeight / 2) * a.Width + column / 2) * a.Channels + i % a.Channels];
        }
    }

    /// <summary>The sum of a pixel's four copies.</summary>
    [CudaKernel]
    public static void UpsampleNearest2xBackward(ResampleArguments a)
    {
        for (var i = GridStride.First; i < a.Count; i += GridStride.Step)
        {
            var pixel = i / a.Channels;
            var corner = (pixel / a.Width * 2 * a.OutWidth + pixel % a.Width * 2) * a.Channels + i % a.Channels;
            var below = corner + (long)a.OutWidth * a.Channels;
            a.To[i] = a.From[corner] + a.From[corner + a.Channels] + a.From[below] + a.From[below + a.Channels];
        }
    }

    /// <summary>The weighted sum of an output's taps.</summary>
    [CudaKernel]
    public static void ResizeBilinear(ResampleArguments a)
    {
        for (var i = GridStride.First; i < a.Count; i += GridStride.Step)
        {
            var pixel = i / a.Channels;
            var picture = pixel / a.OutWidth / a.OutHeight * a.Height;
            var rows = DeviceTaps.Of((int)(pixel / a.OutWidth % a.OutHeight), a.Height, a.OutHeight, a.Antialias);
            var columns = DeviceTaps.Of((int)(pixel % a.OutWidth), a.Width, a.OutWidth, a.Antialias);
            var sum = 0.0;
            for (var row = rows.First; row < rows.End; row++)
                for (var column = columns.First; column < columns.End; column++)
                    sum += rows.Weight(row) * columns.Weight(column) * a.From[((picture + row) * a.Width + column) * a.Channels + i % a.Channels];
            a.To[i] = (float)sum;
        }
    }

    /// <summary>The transposed map: what looks at an input lies within the filter's reach of it.</summary>
    [CudaKernel]
    public static void ResizeBilinearBackward(ResampleArguments a)
    {
        for (var i = GridStride.First; i < a.Count; i += GridStride.Step)
        {
            var pixel = i / a.Channels;
            var picture = pixel / a.Width / a.Height * a.OutHeight;
            int row = (int)(pixel / a.Width % a.Height), column = (int)(pixel % a.Width);
            int firstRow = First(row, a.Height, a.OutHeight), endRow = End(row, a.Height, a.OutHeight), firstColumn = First(column, a.Width, a.OutWidth), endColumn = End(column, a.Width, a.OutWidth);
            var sum = 0.0;
            for (var y = firstRow; y < endRow; y++)
            {
                var rows = DeviceTaps.Of(y, a.Height, a.OutHeight, a.Antialias);
                if (row < rows.First || row >= rows.End) continue;
                for (var x = firstColumn; x < endColumn; x++)
                {
                    var columns = DeviceTaps.Of(x, a.Width, a.OutWidth, a.Antialias);
                    if (column < columns.First || column >= columns.End) continue;
                    sum += rows.Weight(row) * columns.Weight(column) * a.From[((picture + y) * a.OutWidth + x) * a.Channels + i % a.Channels];
                }
            }
            a.To[i] = (float)sum;
        }
    }

    // Output y looks at inputs within max(in/out, 1) + 1 of (y + ½)·in/out: turned round, with room for the rounding.
    private static int First(int position, int inputs, int outputs)
    {
        var scale = (double)inputs / outputs;
        var reach = (scale > 1 ? scale : 1) + 2;
        var first = (position - reach) / scale - 1;
        return first > 0 ? (int)first : 0;
    }

    private static int End(int position, int inputs, int outputs)
    {
        var scale = (double)inputs / outputs;
        var reach = (scale > 1 ? scale : 1) + 2;
        var end = (position + reach) / scale + 2;
        return end < outputs ? (int)end : outputs;
    }
}
