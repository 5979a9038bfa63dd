using System.Numerics;
using System.Runtime.CompilerServices;

namespace ClipGen.Kernels;

/// <summary>
/// Sizes of a convolution, and where its elements lie. A place is the sum of what a pixel decides and of what a tap decides, so that either can be worked out once for many elements: dividing is what takes long.
/// Places count neighbouring channels together, one or eight at a time, in 32 bits.
/// </summary>
/// <param name="shape">Sizes; channels in whole units.</param>
/// <param name="unit">Channels that a place counts as one: 1 or 8.</param>
internal readonly struct ConvolutionPlaces(in Conv2dShape shape, int unit)
{
    // Far enough outside every picture that no tap leads back into it.
    private const int Outside = int.MinValue / 2;

    private readonly QuickDivision inChannels = new(shape.InChannels), outChannels = new(shape.OutChannels), kernel = new(shape.Kernel), taps = new(shape.Kernel * shape.Kernel);
    private readonly QuickDivision stride = new(shape.Stride), outWidth = new(Math.Max(1, shape.OutWidth)), outHeight = new(Math.Max(1, shape.OutHeight));
    private readonly QuickDivision width = new(Math.Max(1, shape.Width)), height = new(Math.Max(1, shape.Height));
    // Pictures are as they are or twice as large: a shift by 0 or 1.
    private readonly int enlarged = shape.Upsample - 1;
    private readonly int units = BitOperations.Log2((uint)unit), pad = shape.PadBefore, inWidth = shape.Width, fullHeight = shape.Height * shape.Upsample, fullWidth = shape.Width * shape.Upsample, outputWidth = shape.OutWidth, outputHeight = shape.OutHeight;

    /// <summary>Input channels.</summary>
    public int InChannels => inChannels.Divisor;

    /// <summary>An output pixel, as it looks at the picture.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ChunkPart OutputPixel(int pixel, bool exists)
    {
        int rest = outWidth.Of(pixel), column = pixel - rest * outputWidth, picture = outHeight.Of(rest), line = rest - picture * outputHeight;
        return new ChunkPart { Place = picture * height.Divisor, Line = exists ? line * stride.Divisor - pad : Outside, Column = column * stride.Divisor - pad };
    }

    /// <summary>A tap and channel, k = (i, j, c).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ChunkPart Tap(int k, bool exists)
    {
        int tap = inChannels.Of(k), line = kernel.Of(tap);
        return new ChunkPart { Place = k - tap * inChannels.Divisor >> units, Line = exists ? line : Outside, Column = tap - line * kernel.Divisor };
    }

    /// <summary>The place in the picture under a tap of an output pixel; −1 outside the picture.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Under(ChunkPart pixel, ChunkPart tap)
    {
        int line = pixel.Line + tap.Line, column = pixel.Column + tap.Column;
        // Chosen, not branched: products go on meanwhile.
        var place = ((pixel.Place + (line >> enlarged)) * inWidth + (column >> enlarged)) * (inChannels.Divisor >> units) + tap.Place;
        return (uint)line < (uint)fullHeight & (uint)column < (uint)fullWidth ? place : -1;
    }

    /// <summary>An input pixel, as outputs look at it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ChunkPart InputPixel(int pixel, bool exists)
    {
        int rest = width.Of(pixel), column = pixel - rest * inWidth, picture = height.Of(rest), line = rest - picture * height.Divisor;
        return new ChunkPart { Place = picture * outputHeight, Line = exists ? (line << enlarged) + pad : Outside, Column = (column << enlarged) + pad };
    }

    /// <summary>Where k = (copy, i, j, o) leads from an input pixel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ChunkPart Way(int k, bool exists)
    {
        int view = outChannels.Of(k), copy = taps.Of(view), tap = view - copy * taps.Divisor, line = kernel.Of(tap), copyLine = copy >> enlarged;
        return new ChunkPart { Place = k - view * outChannels.Divisor >> units, Line = exists ? copyLine - line : Outside, Column = copy - (copyLine << enlarged) - (tap - line * kernel.Divisor) };
    }

    /// <summary>The place in the output that looked at an input pixel that way; −1 where none did.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Over(ChunkPart pixel, ChunkPart way)
    {
        int line = pixel.Line + way.Line, column = pixel.Column + way.Column;
        int outLine = stride.Of(line), outColumn = stride.Of(column);
        var place = ((pixel.Place + outLine) * outputWidth + outColumn) * (outChannels.Divisor >> units) + way.Place;
        return line >= 0 & column >= 0 & outLine * stride.Divisor == line & outColumn * stride.Divisor == column & outLine < outputHeight & outColumn < outputWidth ? place : -1;
    }

    /// <summary>Place of the filter's row that k = (copy, i, j, o) means; −1 where there is no such filter.</summary>
    /// <param name="k">k.</param>
    /// <param name="filters">Filters, not filled up.</param>
    /// <param name="isTurned">1 where the taps are counted from the last one.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int FilterRow(int k, int filters, int isTurned)
    {
        int view = outChannels.Of(k), filter = k - view * outChannels.Divisor, tap = view - taps.Of(view) * taps.Divisor;
        tap = isTurned != 0 ? taps.Divisor - 1 - tap : tap;
        var first = (filter * taps.Divisor + tap) * (inChannels.Divisor >> units);
        return filter < filters ? first : -1;
    }
}
