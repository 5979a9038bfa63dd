using System.Runtime.CompilerServices;

namespace ClipGen.Kernels;

/// <summary>
/// Sizes of a normalisation over groups of channels, [B, spatial, C], and how its positions are cut into blocks. Batch normalisation is the same with one picture of all rows
/// and a group for each channel.
/// </summary>
internal readonly record struct GroupShape(int Batch, int Spatial, int Channels, int Groups)
{
    /// <summary>Positions of a block. Block sums are combined in block order, so the result does not depend on who computed which.</summary>
    public const int BlockRows = 256;

    /// <summary>Elements.</summary>
    public long Count => checked((long)Batch * Spatial * Channels);

    /// <summary>Channels of a group.</summary>
    public int GroupChannels => Channels / Groups;

    /// <summary>Means, and variances: one for each group of each picture.</summary>
    public int Statistics => checked(Batch * Groups);

    /// <summary>Blocks of a picture.</summary>
    public int PictureBlocks => (int)(((long)Spatial + BlockRows - 1) / BlockRows);

    /// <summary>Blocks of all pictures: the parts of a pass.</summary>
    public int Blocks => checked(Batch * PictureBlocks);

    /// <summary>Checked sizes.</summary>
    /// <exception cref="ArgumentException">The channels do not fall into groups of one size, or there is nothing to average over.</exception>
    public static GroupShape Of(int batch, int spatial, int channels, int groups, [CallerMemberName] string op = "")
    {
        Arguments.Require(batch >= 0 && groups > 0 && channels > 0 && channels % groups == 0 && spatial > 0, $"{batch} pictures of {channels} channels in {groups} groups over {spatial} positions", op);
        return new GroupShape(batch, spatial, channels, groups);
    }

    /// <summary>Sizes of a batch normalisation over rows.</summary>
    /// <exception cref="ArgumentException">There is nothing to average over.</exception>
    public static GroupShape OfRows(int rows, int channels, [CallerMemberName] string op = "")
    {
        Arguments.Require(rows > 0 && channels > 0, $"{rows} rows of {channels} channels have no mean", op);
        return new GroupShape(1, rows, channels, channels);
    }

    /// <summary>Where a block lies.</summary>
    /// <param name="block">Number of the block, pictures one after another.</param>
    /// <returns>Its picture, its first element and its number of rows.</returns>
    public (int Picture, long First, int Rows) Block(int block)
    {
        var (picture, inside) = Math.DivRem(block, PictureBlocks);
        var row = inside * BlockRows;
        return (picture, ((long)picture * Spatial + row) * Channels, Math.Min(BlockRows, Spatial - row));
    }
}
