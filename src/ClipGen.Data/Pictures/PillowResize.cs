using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ClipGen.Data;

/// <summary>
/// Pillow's antialiased resize of 8-bit pictures, bit for bit: a separable filter whose support grows with the scale, first along rows,
/// then along columns, each rounded to 8 bits; a direction whose size stays is skipped. Source: Pillow, src/libImaging/Resample.c.
/// </summary>
public static unsafe class PillowResize
{
    private const int Half = 1 << (ResampleWeights.FractionBits - 1);

    /// <summary>Resizes with the triangle filter, f(x) = max(0, 1 - |x|).</summary>
    /// <exception cref="ArgumentException">A side is below 1, or the result is larger than an array can be.</exception>
    public static Picture Bilinear(Picture source, int width, int height) => Resize(source, width, height, 1, Triangle);

    /// <summary>Resizes with the cubic filter of parameter a = -0.5, which reaches two pixels to each side.</summary>
    /// <exception cref="ArgumentException">A side is below 1, or the result is larger than an array can be.</exception>
    public static Picture Bicubic(Picture source, int width, int height) => Resize(source, width, height, 2, Cubic);

    private static double Triangle(double x) => Math.Max(1 - Math.Abs(x), 0);

    private static double Cubic(double x)
    {
        const double a = -0.5;
        x = Math.Abs(x);
        if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
        return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    }

    private static Picture Resize(Picture source, int width, int height, double support, Func<double, double> filter)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        // Both results are checked before any weight is computed.
        if ((long)width * Math.Max(height, source.Height) > Array.MaxLength / 3)
            throw new ArgumentException($"a picture of {source.Width} x {source.Height} pixels cannot be resized to {width} x {height}: the result is too large");
        var result = source;
        if (width != result.Width)
            result = Rows(result, width, ResampleWeights.Make(result.Width, width, support, filter));
        if (height != result.Height)
            result = Columns(result, height, ResampleWeights.Make(result.Height, height, support, filter));
        return ReferenceEquals(result, source) ? new Picture(width, height, [.. source.Rgb]) : result;
    }

    private static Picture Rows(Picture source, int width, ResampleWeights weights)
    {
        var result = new Picture(width, source.Height);
        // One row as four ints per pixel: each pixel is widened once, though several outputs sum it.
        var row = (Vector128<int>*)NativeMemory.AlignedAlloc((nuint)source.Width * 16, 16);
        try
        {
            fixed (byte* input = source.Rgb, output = result.Rgb)
            fixed (int* weight = weights.Weights, first = weights.First, offset = weights.Offset)
                for (var y = 0; y < source.Height; y++)
                {
                    var from = input + (nint)y * source.Width * 3;
                    for (var x = 0; x < source.Width; x++, from += 3) row[x] = Vector128.Create(from[0], from[1], from[2], 0);
                    var to = output + (nint)y * width * 3;
                    for (var x = 0; x < width; x++, to += 3)
                    {
                        var sum = Vector128.Create(Half);
                        var pixel = row + first[x];
                        for (var k = offset[x]; k < offset[x + 1]; k++) sum += *pixel++ * weight[k];
                        sum = ToByteRange(sum);
                        to[0] = (byte)sum[0];
                        to[1] = (byte)sum[1];
                        to[2] = (byte)sum[2];
                    }
                }
        }
        finally
        {
            NativeMemory.AlignedFree(row);
        }
        return result;
    }

    private static Picture Columns(Picture source, int height, ResampleWeights weights)
    {
        var result = new Picture(source.Width, height);
        var stride = (nint)source.Width * 3;
        fixed (byte* input = source.Rgb, output = result.Rgb)
        fixed (int* weight = weights.Weights)
            for (var y = 0; y < height; y++)
            {
                var from = input + weights.First[y] * stride;
                var to = output + y * stride;
                var begin = weights.Offset[y];
                var end = weights.Offset[y + 1];
                nint x = 0;
                for (; x + 16 <= stride; x += 16) Column16(from + x, stride, weight + begin, end - begin, to + x);
                for (; x < stride; x++)
                {
                    var sum = Half;
                    for (var k = begin; k < end; k++) sum += from[x + (k - begin) * stride] * weight[k];
                    to[x] = (byte)Math.Clamp(sum >> ResampleWeights.FractionBits, 0, 255);
                }
            }
        return result;
    }

    // Sixteen bytes of one output row.
    private static void Column16(byte* from, nint stride, int* weight, int count, byte* to)
    {
        Vector128<int> a = Vector128.Create(Half), b = a, c = a, d = a;
        for (var k = 0; k < count; k++, from += stride)
        {
            var (low, high) = Vector128.Widen(Vector128.Load(from));
            var (a16, b16) = Vector128.Widen(low);
            var (c16, d16) = Vector128.Widen(high);
            var w = Vector128.Create(weight[k]);
            a += a16.AsInt32() * w;
            b += b16.AsInt32() * w;
            c += c16.AsInt32() * w;
            d += d16.AsInt32() * w;
        }
        var ab = Vector128.Narrow(ToByteRange(a), ToByteRange(b));
        var cd = Vector128.Narrow(ToByteRange(c), ToByteRange(d));
        Vector128.Narrow(ab, cd).AsByte().Store(to);
    }

    private static Vector128<int> ToByteRange(Vector128<int> sum) =>
        Vector128.Min(Vector128.Max(sum >> ResampleWeights.FractionBits, Vector128<int>.Zero), Vector128.Create(255));
}
