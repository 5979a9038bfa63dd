using ClipGen.Data.Shapes;

namespace ClipGen.Data.Datasets;

/// <summary>The first <paramref name="count"/> scenes of a stream of the synthetic world, painted when they are asked for.</summary>
/// <param name="seed">The stream.</param>
/// <param name="split">Which scenes it holds.</param>
/// <param name="count">How many scenes one epoch has.</param>
/// <param name="family">Scenes of a family of hard negatives (<see cref="ShapesWorld.Relative"/>), which come together; 1 for scenes that have nothing to do with each other.</param>
/// <exception cref="ArgumentOutOfRangeException">The count is below 1, or the family out of range.</exception>
public sealed class ShapesDataset(ulong seed, ShapesSplit split, long count, int family = 1) : ICaptionedDataset
{
    /// <inheritdoc/>
    public string Name => PictureDatasets.Shapes;

    /// <inheritdoc/>
    public long Count { get; } = count >= 1 ? count : throw new ArgumentOutOfRangeException(nameof(count), count, "a dataset of scenes needs at least one");

    /// <inheritdoc/>
    public int Together { get; } = family is >= 1 and <= ShapesWorld.LargestFamily ? family : throw new ArgumentOutOfRangeException(nameof(family), family, $"a family has 1 to {ShapesWorld.LargestFamily} scenes");

    /// <summary>The stream's seed.</summary>
    public ulong Seed => seed;

    /// <summary>Which scenes it holds.</summary>
    public ShapesSplit Split => split;

    /// <summary>What picture <paramref name="index"/> shows.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The index is not below the count.</exception>
    public ShapeScene Scene(long index)
    {
        DatasetIndex.Checked(this, index);
        return Together == 1 ? ShapesWorld.Scene(seed, split, index) : ShapesWorld.Relative(seed, split, index / Together, (int)(index % Together));
    }

    /// <inheritdoc/>
    public Picture Load(long index) => ShapesWorld.Picture(Scene(index), seed, split, index);

    /// <inheritdoc/>
    public string NameOf(long index) => $"{Name} ({split}, seed {seed}), scene {DatasetIndex.Checked(this, index)}";

    /// <inheritdoc/>
    public string Caption(long index, ulong variant) =>
        ShapeCaptions.Caption(Scene(index), new CounterRandom(seed, DataRandomPurpose.Caption, (long)split, index, (long)variant));
}
