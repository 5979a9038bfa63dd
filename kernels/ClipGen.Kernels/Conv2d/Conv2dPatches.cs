namespace ClipGen.Kernels;

/// <summary>Gathers the patches under the filter (im2col) straight into the panels of the register tile; the patch matrix never exists in memory.</summary>
internal static unsafe class Conv2dPatches
{
    // Stands for the pixels outside the picture: as long as the widest channel block that is read at once.
    private const int ZeroFloats = 8192;
    private static readonly float* Zeros = AllocateZeros();

    /// <summary>
    /// Packs the patches of output pixels <paramref name="firstPixel"/>… of one picture: tile after tile, each [K][tileRows] with K in (row, column, channel) order.
    /// </summary>
    public static void Pack(float* picture, in Conv2dShape shape, int firstPixel, int pixelCount, int tileRows, float* panels)
    {
        int channels = shape.InChannels, kernel = shape.Kernel, outWidth = shape.OutWidth, upsample = shape.Upsample;
        int height = shape.Height * upsample, width = shape.Width * upsample;
        var rows = stackalloc float*[GemmTile.MaxRows];
        var top = stackalloc int[GemmTile.MaxRows];
        var left = stackalloc int[GemmTile.MaxRows];
        for (var first = 0; first < pixelCount; first += tileRows)
        {
            var count = Math.Min(tileRows, pixelCount - first);
            for (var r = 0; r < count; r++)
            {
                var pixel = firstPixel + first + r;
                top[r] = pixel / outWidth * shape.Stride - shape.PadBefore;
                left[r] = pixel % outWidth * shape.Stride - shape.PadBefore;
            }
            var panel = panels + (long)first * shape.K;
            for (var i = 0; i < kernel; i++)
                for (var j = 0; j < kernel; j++)
                    for (var c = 0; c < channels; c += ZeroFloats)
                    {
                        var depth = Math.Min(ZeroFloats, channels - c);
                        for (var r = 0; r < count; r++)
                        {
                            int h = top[r] + i, w = left[r] + j;
                            var inside = (uint)h < (uint)height && (uint)w < (uint)width;
                            rows[r] = inside ? picture + ((long)(h / upsample) * shape.Width + w / upsample) * channels + c : Zeros;
                        }
                        TilePacking.PackA(rows, count, depth, tileRows, panel);
                        panel += (long)depth * tileRows;
                    }
        }
    }

    private static float* AllocateZeros() => (float*)System.Runtime.InteropServices.NativeMemory.AllocZeroed(ZeroFloats, sizeof(float));
}
