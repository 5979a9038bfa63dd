using ClipGen.Data.Shapes;

namespace ClipGen.Data.Datasets;

/// <summary>The first <paramref name="count"/> scenes of a stream of the synthetic world, painted when they are asked for.</summary>
/// <param name="seed">The stream.</param>
/// <param name="split">Which scenes it holds.</param>
/// <param name="count">How many scenes one epoch has.</param>
/// <param name="lesson">Which of them come together, and how sentences tell of them.</param>
/// <exception cref="ArgumentOutOfRangeException">The count is below 1, or the lesson is out of range.</exception>
public sealed class ShapesDataset(ulong seed, ShapesSplit split, long count, ShapesLesson lesson) : ICaptionedDataset
{
    /// <summary>Scenes that have nothing to do with each other.</summary>
    public ShapesDataset(ulong seed, ShapesSplit split, long count) : this(seed, split, count, ShapesLesson.None)
    {
    }

    /// <inheritdoc/>
    public string Name => PictureDatasets.Shapes;

    /// <inheritdoc/>
    public long Count { get; } = count >= 1 ? count : throw new ArgumentOutOfRangeException(nameof(count), count, "a dataset of scenes needs at least one");

    /// <inheritdoc/>
    public int Together { get; } = lesson is { Family: >= 1 and <= ShapesWorld.LargestFamily, Arranged: >= 0 and <= 1, Partial: >= 0 and <= 1 }
        ? lesson.Family
        : throw new ArgumentOutOfRangeException(nameof(lesson), lesson, $"a family has 1 to {ShapesWorld.LargestFamily} scenes, and a share is from 0 to 1");

    /// <summary>Which scenes come together, and how sentences tell of them.</summary>
    public ShapesLesson Lesson => lesson;

    /// <summary>The stream's seed.</summary>
    public ulong Seed => seed;

    /// <summary>Which scenes it holds.</summary>
    public ShapesSplit Split => split;

    /// <summary>What picture <paramref name="index"/> shows.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The index is not below the count.</exception>
    public ShapeScene Scene(long index)
    {
        DatasetIndex.Checked(this, index);
        return Together == 1 ? ShapesWorld.Scene(seed, split, index) : ShapesWorld.Relative(seed, split, index / Together, (int)(index % Together), lesson.Arranged);
    }

    /// <inheritdoc/>
    public Picture Load(long index) => ShapesWorld.Picture(Scene(index), seed, split, index);

    /// <inheritdoc/>
    public string NameOf(long index) => $"{Name} ({split}, seed {seed}), scene {DatasetIndex.Checked(this, index)}";

    /// <inheritdoc/>
    public string Caption(long index, ulong variant)
    {
        var random = new CounterRandom(seed, DataRandomPurpose.Caption, (long)split, index, (long)variant);
        var scene = Scene(index);
        return scene.Relation is not null && lesson.Partial > 0 && random.NextChance(lesson.Partial) ? ShapeCaptions.Partial(scene, random) : ShapeCaptions.Caption(scene, random, lesson.OneTelling);
    }
}
