namespace ClipGen.Kernels;

/// <summary>The patches under the filter, as rows of a matrix that never exists in memory: read in place inside the picture, gathered into a panel at its borders.</summary>
internal static unsafe class Conv2dPatches
{
    // Stands for the pixels outside the picture: as long as the widest channel block that is read at once.
    private const int ZeroFloats = 8192;
    private static readonly float* Zeros = AllocateZeros();

    /// <summary>Whether the patches of <paramref name="count"/> outputs from <paramref name="firstPixel"/> on lie wholly inside the picture, in one row of it, and fill a tile.</summary>
    public static bool IsInside(in ConvolutionGeometry s, int firstPixel, int count, int tileRows)
    {
        if (count != tileRows) return false;
        int row = firstPixel / s.OutWidth, column = firstPixel % s.OutWidth;
        int top = row * s.Stride - s.PadTop, left = column * s.Stride - s.PadLeft;
        return column + count <= s.OutWidth && top >= 0 && top + s.KernelHeight <= s.Height && left >= 0 && left + (count - 1) * s.Stride + s.KernelWidth <= s.Width;
    }

    /// <summary>First pixel under the filter at an output that <see cref="IsInside"/>.</summary>
    public static float* FirstPixel(float* picture, in ConvolutionGeometry s, int pixel) =>
        picture + ((long)(pixel / s.OutWidth * s.Stride - s.PadTop) * s.Width + pixel % s.OutWidth * s.Stride - s.PadLeft) * s.Channels;

    /// <summary>Packs the patches of up to <paramref name="tileRows"/> outputs of one picture into a panel [K][tileRows], K in (row, column, channel) order.</summary>
    public static void Pack(float* picture, in ConvolutionGeometry shape, int firstPixel, int count, int tileRows, float* panel)
    {
        int channels = shape.Channels, kernel = shape.KernelWidth, outWidth = shape.OutWidth, height = shape.Height, width = shape.Width;
        var rows = stackalloc float*[GemmTile.MaxRows];
        var top = stackalloc int[GemmTile.MaxRows];
        var left = stackalloc int[GemmTile.MaxRows];
        var wide = true;
        for (var r = 0; r < count; r++)
        {
            var pixel = firstPixel + r;
            top[r] = pixel / outWidth * shape.Stride - shape.PadTop;
            left[r] = pixel % outWidth * shape.Stride - shape.PadLeft;
            wide &= left[r] >= 0 && left[r] + kernel <= width;
        }
        for (var i = 0; i < shape.KernelHeight; i++)
        {
            if (wide && kernel * channels <= ZeroFloats)
            {
                // No patch crosses the left or right border: a row of each is one run of memory.
                for (var r = 0; r < count; r++)
                    rows[r] = (uint)(top[r] + i) < (uint)height ? picture + ((long)(top[r] + i) * width + left[r]) * channels : Zeros;
                TilePacking.PackA(rows, count, kernel * channels, tileRows, panel);
                panel += (long)kernel * channels * tileRows;
                continue;
            }
            for (var j = 0; j < kernel; j++)
                for (var c = 0; c < channels; c += ZeroFloats)
                {
                    var depth = Math.Min(ZeroFloats, channels - c);
                    for (var r = 0; r < count; r++)
                    {
                        int h = top[r] + i, w = left[r] + j;
                        var inside = (uint)h < (uint)height && (uint)w < (uint)width;
                        rows[r] = inside ? picture + ((long)h * width + w) * channels + c : Zeros;
                    }
                    TilePacking.PackA(rows, count, depth, tileRows, panel);
                    panel += (long)depth * tileRows;
                }
        }
    }

    private static float* AllocateZeros() => (float*)System.Runtime.InteropServices.NativeMemory.AllocZeroed(ZeroFloats, sizeof(float));
}

/// <summary>Sizes of one pass of the filter over a picture: a whole convolution, one of the four that make up an enlarging one, or one of those that make up the gradient of one that skips pixels.</summary>
internal readonly record struct ConvolutionGeometry
{
    public required int Height { get; init; }

    public required int Width { get; init; }

    public required int Channels { get; init; }

    public required int KernelHeight { get; init; }

    public required int KernelWidth { get; init; }

    public required int Stride { get; init; }

    /// <summary>Zero rows above; negative where rows of the picture are left out.</summary>
    public required int PadTop { get; init; }

    /// <summary>Zero columns to the left; negative where columns are left out.</summary>
    public required int PadLeft { get; init; }

    public required int OutHeight { get; init; }

    public required int OutWidth { get; init; }

    /// <summary>First pixel that is written.</summary>
    public required int OutFirst { get; init; }

    /// <summary>Distance in pixels between two neighbours of the output.</summary>
    public required int OutStep { get; init; }

    /// <summary>Distance in pixels between two rows of the output.</summary>
    public required int OutRow { get; init; }

    /// <summary>Pixels of a whole output picture.</summary>
    public required int OutPixels { get; init; }

    /// <summary>Length of one filter.</summary>
    public int K => KernelHeight * KernelWidth * Channels;
}
