namespace ClipGen.Data.Shapes;

/// <summary>Where the first of two objects is, seen from the second.</summary>
public enum Relation
{
    /// <summary>Higher in the picture.</summary>
    Above,

    /// <summary>Lower in the picture.</summary>
    Below,

    /// <summary>Nearer to the left edge.</summary>
    LeftOf,

    /// <summary>Nearer to the right edge.</summary>
    RightOf,
}

/// <summary>What follows from a relation.</summary>
public static class Relations
{
    /// <summary>The relation of the second object to the first.</summary>
    public static Relation Reverse(this Relation relation) => relation switch
    {
        Relation.Above => Relation.Below,
        Relation.Below => Relation.Above,
        Relation.LeftOf => Relation.RightOf,
        _ => Relation.LeftOf,
    };

    /// <summary>The relation of an object at a distance (<paramref name="dx"/>, <paramref name="dy"/>) from another, y downwards: the longer axis decides, the vertical one on a tie.</summary>
    public static Relation FromOffset(double dx, double dy) => Math.Abs(dx) > Math.Abs(dy)
        ? dx < 0 ? Relation.LeftOf : Relation.RightOf
        : dy < 0 ? Relation.Above : Relation.Below;
}
