namespace ClipGen.Models.Tests;

/// <summary>Comparisons with the reference's outputs; the tolerances are those of <c>tests/golden/README.md</c>, ten times the reference's own float32 error or more.</summary>
internal static class GoldenAssert
{
    /// <summary>Forward results: ‖found − expected‖ / ‖expected‖ below 1e-5.</summary>
    public const double Forward = 1e-5;

    /// <summary>Relative error of a whole tensor; written so that NaN fails.</summary>
    public static void Close(ReadOnlySpan<float> expected, ReadOnlySpan<float> found, string what, double tolerance = Forward)
    {
        Assert.True(expected.Length == found.Length, $"{what}: {found.Length} values, expected {expected.Length}");
        double difference = 0, norm = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            difference += ((double)found[i] - expected[i]) * ((double)found[i] - expected[i]);
            norm += (double)expected[i] * expected[i];
        }
        Assert.True(norm > 0, $"{what}: the expected values are all zero");
        var relative = Math.Sqrt(difference / norm);
        Assert.True(relative < tolerance, $"{what}: relative error {relative:G3}, accepted {tolerance:G3}");
    }

    /// <summary>[N, C, H, W] values as [N, H, W, C].</summary>
    public static float[] ToChannelsLast(float[] values, int n, int c, int h, int w)
    {
        var result = new float[values.Length];
        for (var b = 0; b < n; b++)
            for (var k = 0; k < c; k++)
                for (var p = 0; p < h * w; p++)
                    result[((long)b * h * w + p) * c + k] = values[((long)b * c + k) * h * w + p];
        return result;
    }

    /// <summary>[N, H, W, C] values as [N, C, H, W].</summary>
    public static float[] ToChannelsFirst(float[] values, int n, int h, int w, int c) => ToChannelsLast(values, n, h * w, c, 1);
}
