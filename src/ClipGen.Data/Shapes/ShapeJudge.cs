namespace ClipGen.Data.Shapes;

/// <summary>How a picture answers what was asked for.</summary>
/// <param name="Asked">How many objects were asked for.</param>
/// <param name="Found">How many objects the picture shows.</param>
/// <param name="KindsRight">How many of the asked objects have the right shape.</param>
/// <param name="ColorsRight">How many have the right colour.</param>
/// <param name="SizesRight">How many have the right size.</param>
/// <param name="ObjectsRight">How many have all three.</param>
/// <param name="RelationRight">Whether both objects are there and the relation holds; true where none was asked for and an object is there.</param>
/// <param name="BackgroundRight">Whether the background has the right colour. It does not count for <see cref="AllRight"/>.</param>
public readonly record struct ShapeVerdict(
    int Asked, int Found, int KindsRight, int ColorsRight, int SizesRight, int ObjectsRight, bool RelationRight, bool BackgroundRight)
{
    /// <summary>Every object right in shape, colour and size, the relation right, and nothing else in the picture.</summary>
    public bool AllRight => Found == Asked && ObjectsRight == Asked && RelationRight;
}

/// <summary>Compares what was asked for with what the detector found.</summary>
public static class ShapeJudge
{
    /// <summary>A fitted shape of a worse match is no shape at all: it is counted as the wrong one.</summary>
    public const double LeastMatch = 0.6;

    /// <summary>
    /// The verdict under the assignment of found to asked objects that serves the picture best: most objects wholly right, then the relation, then the
    /// most single properties right.
    /// </summary>
    public static ShapeVerdict Judge(ShapeScene asked, DetectedScene found)
    {
        ArgumentNullException.ThrowIfNull(asked);
        ArgumentNullException.ThrowIfNull(found);
        var best = Judge(asked, found, -1, -1);
        for (var i = 0; i < found.Objects.Count; i++)
            if (asked.Objects.Count == 1) Consider(i, -1);
            else
                for (var j = -1; j < found.Objects.Count; j++)
                    if (i != j)
                    {
                        Consider(i, j);
                        if (j < 0) Consider(j, i);
                    }
        return best;

        void Consider(int first, int second)
        {
            var verdict = Judge(asked, found, first, second);
            if (Rank(verdict).CompareTo(Rank(best)) > 0) best = verdict;
        }
    }

    private static (int, bool, int) Rank(ShapeVerdict v) => (v.ObjectsRight, v.RelationRight, v.KindsRight + v.ColorsRight + v.SizesRight);

    // The verdict when found object `first` answers the first asked one and `second` the second; -1 is none.
    private static ShapeVerdict Judge(ShapeScene asked, DetectedScene found, int first, int second)
    {
        int kinds = 0, colors = 0, sizes = 0, whole = 0;
        ReadOnlySpan<int> answers = [first, second];
        for (var k = 0; k < asked.Objects.Count; k++)
        {
            if (answers[k] < 0) continue;
            var (want, have) = (asked.Objects[k], found.Objects[answers[k]]);
            var (kind, color, size) = (have.Kind == want.Kind && have.Match >= LeastMatch, have.Color == want.Color, have.Size == want.Size);
            kinds += kind ? 1 : 0;
            colors += color ? 1 : 0;
            sizes += size ? 1 : 0;
            whole += kind && color && size ? 1 : 0;
        }
        var relation = asked.Relation is { } wanted
            ? first >= 0 && second >= 0 && DetectedScene.RelationOf(found.Objects[first], found.Objects[second]) == wanted
            : first >= 0;
        return new ShapeVerdict(
            asked.Objects.Count, found.Objects.Count, kinds, colors, sizes, whole, relation, found.Background == asked.Background.Color);
    }
}
