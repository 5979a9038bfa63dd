using ClipGen.Data.Datasets;

namespace ClipGen.Data.Tests.Datasets;

/// <summary>Pictures that show their number, after a delay that makes threads overtake each other.</summary>
internal sealed class NumberedDataset(long count, int width = 4, int height = 4) : IPictureDataset
{
    private int loads;

    /// <summary>These fail as damaged files do.</summary>
    public HashSet<long> Damaged { get; init; } = [];

    /// <summary>This one fails as no file does.</summary>
    public long? Broken { get; init; }

    /// <summary>Milliseconds that every third picture takes.</summary>
    public int Delay { get; init; }

    public int Loads => loads;

    public string Name => "numbers";

    public long Count => count;

    public static long Number(Picture picture) => picture.Rgb[0] | picture.Rgb[1] << 8 | picture.Rgb[2] << 16;

    public string NameOf(long index) => index.ToString();

    public Picture Load(long index)
    {
        if (index < 0 || index >= count) throw new ArgumentOutOfRangeException(nameof(index));
        Interlocked.Increment(ref loads);
        if (Delay > 0 && index % 3 == 0) Thread.Sleep(Delay);
        if (index == Broken) throw new InvalidOperationException("out of order");
        if (Damaged.Contains(index)) throw new DataException($"{index}: damaged");
        var picture = new Picture(width, height);
        for (var i = 0; i < picture.Rgb.Length; i += 3)
            (picture.Rgb[i], picture.Rgb[i + 1], picture.Rgb[i + 2]) = ((byte)index, (byte)(index >> 8), (byte)(i == 0 ? index >> 16 : i));
        return picture;
    }
}
