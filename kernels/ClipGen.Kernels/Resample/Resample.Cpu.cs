namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IResample
{
    /// <inheritdoc/>
    public void UpsampleNearest2x(View<float> input, int batch, int height, int width, int channels, View<float> output)
    {
        Arguments.Length(input, (long)batch * height * width * channels);
        Arguments.Length(output, 4L * batch * height * width * channels);
        UpsampleNearest2x(Pointer(input), checked(batch * height), width, channels, Pointer(output));
    }

    /// <summary>Doubles rows and columns of pixels; rows of several pictures follow each other as in one tall picture.</summary>
    private void UpsampleNearest2x(float* x, int rows, int width, int channels, float* y) => Workers.For(rows, row =>
    {
        var from = x + (long)row * width * channels;
        var to = y + 4L * row * width * channels;
        for (var w = 0; w < width; w++)
            for (var twice = 0; twice < 2; twice++)
                new Span<float>(from + (long)w * channels, channels).CopyTo(new Span<float>(to + (2L * w + twice) * channels, channels));
        Buffer.MemoryCopy(to, to + 2L * width * channels, 8L * width * channels, 8L * width * channels);
    });

    /// <inheritdoc/>
    public void ResizeBilinear(View<float> input, int batch, int height, int width, int channels, int outHeight, int outWidth, bool antialias, View<float> output)
    {
        Arguments.Require(height > 0 && width > 0 && outHeight > 0 && outWidth > 0, $"{height}x{width} to {outHeight}x{outWidth}");
        Arguments.Length(input, (long)batch * height * width * channels);
        Arguments.Length(output, (long)batch * outHeight * outWidth * channels);
        float* x = Pointer(input), y = Pointer(output);
        var columns = new (int Position, double Weight)[outWidth][];
        for (var w = 0; w < outWidth; w++) columns[w] = ResampleTaps.At(w, width, outWidth, antialias);
        Workers.For(checked(batch * outHeight), part =>
        {
            // Rows first into one row of sums, then its columns: a separable filter.
            var picture = x + (long)(part / outHeight) * height * width * channels;
            var sums = sumScratch.Floats((long)width * channels);
            new Span<float>(sums, width * channels).Clear();
            foreach (var (row, weight) in ResampleTaps.At(part % outHeight, height, outHeight, antialias))
            {
                var from = picture + (long)row * width * channels;
                var share = (float)weight;
                for (var i = 0; i < width * channels; i++) sums[i] += share * from[i];
            }
            var to = y + (long)part * outWidth * channels;
            for (var w = 0; w < outWidth; w++)
                for (var c = 0; c < channels; c++)
                {
                    var sum = 0f;
                    foreach (var (column, weight) in columns[w]) sum += (float)weight * sums[column * channels + c];
                    to[w * channels + c] = sum;
                }
        });
    }

    /// <inheritdoc/>
    public void UpsampleNearest2xBackward(View<float> outputGradient, int batch, int height, int width, int channels, View<float> inputGradient)
    {
        Arguments.Require(batch >= 0 && height >= 0 && width >= 0 && channels >= 0, $"{batch} pictures of {height}x{width}x{channels}");
        Arguments.Length(outputGradient, 4L * batch * height * width * channels);
        Arguments.Length(inputGradient, (long)batch * height * width * channels);
        float* dy = Pointer(outputGradient), dx = Pointer(inputGradient);
        var level = Simd;
        Workers.For(checked(batch * height), row => ResampleKernel.SumQuads(level, dy + 4L * row * width * channels, width, channels, dx + (long)row * width * channels));
    }

    /// <inheritdoc/>
    public void ResizeBilinearBackward(View<float> outputGradient, int batch, int height, int width, int channels, int outHeight, int outWidth, bool antialias, View<float> inputGradient)
    {
        Arguments.Require(batch >= 0 && channels >= 0 && height > 0 && width > 0 && outHeight > 0 && outWidth > 0, $"{batch} pictures of {channels} channels, {height}x{width} to {outHeight}x{outWidth}");
        Arguments.Length(outputGradient, (long)batch * outHeight * outWidth * channels);
        Arguments.Length(inputGradient, (long)batch * height * width * channels);
        float* dy = Pointer(outputGradient), dx = Pointer(inputGradient);
        var level = Simd;
        var rows = ResampleTaps.Transposed(height, outHeight, antialias);
        var columns = ResampleTaps.Transposed(width, outWidth, antialias);
        var outLength = checked(outWidth * channels);
        Workers.For(checked(batch * height), part =>
        {
            // As forwards: rows into one row of sums, then its columns. A part gathers what belongs to one input row, so nobody else writes there.
            var picture = dy + (long)(part / height) * outHeight * outLength;
            var sums = sumScratch.Floats(outLength);
            new Span<float>(sums, outLength).Clear();
            foreach (var (row, weight) in rows[part % height])
                ElementwiseKernel.Combine(level, picture + (long)row * outLength, sums, outLength, new AddScaledPair(weight), sums);
            var to = dx + (long)part * width * channels;
            for (var w = 0; w < width; w++)
                for (var c = 0; c < channels; c++)
                {
                    var sum = 0f;
                    foreach (var (column, weight) in columns[w]) sum += weight * sums[column * channels + c];
                    to[(long)w * channels + c] = sum;
                }
        });
    }
}
