namespace ClipGen.Data;

/// <summary>Several pictures as one.</summary>
public static class PictureGrid
{
    /// <summary>
    /// Lays out pictures row by row with black lines of <paramref name="padding"/> pixels between and around them, as torchvision's
    /// make_grid; a single picture is returned as it is.
    /// </summary>
    /// <exception cref="ArgumentException">There are no pictures, their sizes differ, or a number is out of range.</exception>
    public static Picture Make(IReadOnlyList<Picture> pictures, int perRow = 4, int padding = 2)
    {
        ArgumentNullException.ThrowIfNull(pictures);
        ArgumentOutOfRangeException.ThrowIfLessThan(perRow, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(padding);
        if (pictures.Count == 0) throw new ArgumentException("a grid needs at least one picture");
        var (width, height) = (pictures[0].Width, pictures[0].Height);
        foreach (var picture in pictures)
            if (picture.Width != width || picture.Height != height)
                throw new ArgumentException($"a grid needs pictures of one size, found {width} x {height} and {picture.Width} x {picture.Height}");
        if (pictures.Count == 1) return pictures[0];

        var columns = Math.Min(perRow, pictures.Count);
        var rows = (pictures.Count + columns - 1) / columns;
        var grid = new Picture(checked((width + padding) * columns + padding), checked((height + padding) * rows + padding));
        for (var i = 0; i < pictures.Count; i++)
        {
            var left = i % columns * (width + padding) + padding;
            var top = i / columns * (height + padding) + padding;
            for (var y = 0; y < height; y++)
                pictures[i].Rgb.AsSpan(y * width * 3, width * 3).CopyTo(grid.Rgb.AsSpan(((top + y) * grid.Width + left) * 3));
        }
        return grid;
    }
}
