using ClipGen.Data;
using ClipGen.Data.Shapes;

namespace ClipGen.Models.Evaluation;

/// <summary>What an evaluation on the synthetic world found.</summary>
/// <param name="Detector">Freshly rendered scenes that the detector read right: how far its verdicts can be trusted.</param>
/// <param name="Groups">Seen pairs of shape and colour with one object, with two, held-out pairs with one, with two.</param>
/// <param name="Gap">Texts and pictures under CLIP.</param>
/// <param name="HardNegatives">What CLIP tells apart: the GPT can't write what its embedding does not say.</param>
/// <param name="Reconstruction">The VQ-GAN alone.</param>
/// <param name="Kept">Reconstructions in which the detector still reads every object and the relation: what the VQ-GAN loses no GPT brings back.</param>
public sealed record ShapesReport(Proportion Detector, IReadOnlyList<ShapesGroup> Groups, EmbeddingGap Gap, HardNegativeScores HardNegatives, ReconstructionReport Reconstruction, Proportion Kept);

/// <summary>Pictures whose own caption is nearer to them than those of <see cref="ShapesWorld.LargestFamily"/> − 1 others that differ in one thing; chance is one in eight.</summary>
/// <param name="OneObject">Pictures of one object.</param>
/// <param name="TwoObjects">Pictures of two.</param>
/// <param name="Arrangements">Pictures of two among the sentences of the same two objects in other arrangements: relations, and whose colour or size is whose.</param>
public readonly record struct HardNegativeScores(Proportion OneObject, Proportion TwoObjects, Proportion Arrangements);

/// <summary>Prompts of one kind.</summary>
/// <param name="HeldOut">Whether they ask for a pair of shape and colour that training never shows.</param>
/// <param name="Objects">Objects that each asks for.</param>
/// <param name="Best">The candidate that CLIP ranks first.</param>
/// <param name="First">The first candidate, which is as good as a random one: what CLIP had to choose from.</param>
/// <param name="Any">Prompts of which some candidate is entirely right: what a perfect ranking would reach.</param>
/// <param name="FromPicture">The first candidate of the embedding that CLIP gives a picture of the scene instead of the sentence: what <paramref name="First"/> would be if sentences lay where their pictures do.</param>
/// <param name="Samples">Best pictures of the first prompts.</param>
public sealed record ShapesGroup(bool HeldOut, int Objects, ShapesScores Best, ShapesScores First, Proportion Any, ShapesScores FromPicture, IReadOnlyList<ShapesSample> Samples)
{
    /// <summary>For reports: "seen, one object".</summary>
    public string Name => $"{(HeldOut ? "held out" : "seen")}, {(Objects == 1 ? "one object" : "two objects")}";
}

/// <summary>A prompt and the picture that answers it.</summary>
/// <param name="Prompt">What was asked for.</param>
/// <param name="Picture">The candidate that CLIP ranks first.</param>
/// <param name="Score">Its cosine with the text.</param>
/// <param name="Verdict">What the detector found of what was asked for.</param>
public sealed record ShapesSample(ShapePrompt Prompt, Picture Picture, float Score, ShapeVerdict Verdict);

/// <summary>Prompts that were answered rightly; each counts once, and only if all its objects are right.</summary>
/// <param name="All">In everything: shape, colour and size of each object, the relation, and nothing else in the picture.</param>
/// <param name="Shape">In the shape.</param>
/// <param name="Color">In the colour.</param>
/// <param name="Size">In the size.</param>
/// <param name="Relation">In where the objects are to each other; no trials with one object.</param>
/// <param name="Background">In the background's colour, which does not count for <paramref name="All"/>.</param>
public readonly record struct ShapesScores(Proportion All, Proportion Shape, Proportion Color, Proportion Size, Proportion Relation, Proportion Background)
{
    /// <summary>One more prompt.</summary>
    public ShapesScores With(ShapeVerdict v) => new(
        All.With(v.AllRight), Shape.With(v.KindsRight == v.Asked), Color.With(v.ColorsRight == v.Asked), Size.With(v.SizesRight == v.Asked),
        v.Asked > 1 ? Relation.With(v.RelationRight) : Relation, Background.With(v.BackgroundRight));
}
