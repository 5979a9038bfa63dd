namespace ClipGen.Kernels;

/// <summary>Consecutive output pixels of a batch, cut where a row of the output ends.</summary>
/// <param name="geometry">Sizes of the output.</param>
/// <param name="first">First pixel, counted through all pictures.</param>
/// <param name="count">Number of pixels.</param>
internal struct PixelRuns(in ConvolutionGeometry geometry, long first, int count)
{
    private readonly int width = geometry.OutWidth;
    private readonly int pixels = geometry.OutHeight * geometry.OutWidth;
    private int done;

    /// <summary>The run at hand.</summary>
    public PixelRun Current { get; private set; }

    public readonly PixelRuns GetEnumerator() => this;

    public bool MoveNext()
    {
        if (done == count) return false;
        var inPicture = (int)((first + done) % pixels);
        var column = inPicture % width;
        var length = Math.Min(width - column, count - done);
        Current = new PixelRun((first + done) / pixels, inPicture / width, column, done, length);
        done += length;
        return true;
    }
}

/// <summary>Neighbouring output pixels in one row.</summary>
/// <param name="Picture">Number of the picture.</param>
/// <param name="Row">Row of the output.</param>
/// <param name="Column">First column.</param>
/// <param name="Begin">Number of the first one among all that are walked through.</param>
/// <param name="Count">How many.</param>
internal readonly record struct PixelRun(long Picture, int Row, int Column, int Begin, int Count);
