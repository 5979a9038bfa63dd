namespace ClipGen.Kernels;

/// <summary>
/// Real numbers in memory as the reference sees them: read as doubles whatever they are stored as, rounded when they are stored as floats.
/// So one plain body of a kernel serves as the oracle of float32 backends and, over memory of doubles, for gradient checks by finite differences.
/// </summary>
/// <param name="pointer">First element; null for an argument that was left out.</param>
/// <param name="wide">The elements are doubles.</param>
internal readonly unsafe struct Reals(void* pointer, bool wide)
{
    private readonly void* pointer = pointer;
    private readonly bool wide = wide;

    /// <summary>An argument that was left out.</summary>
    public bool IsNone => pointer == null;

    public double this[long index]
    {
        get => wide ? ((double*)pointer)[index] : ((float*)pointer)[index];
        set
        {
            if (wide) ((double*)pointer)[index] = value;
            else ((float*)pointer)[index] = (float)value;
        }
    }

    /// <summary>The elements from <paramref name="count"/> on.</summary>
    public static Reals operator +(Reals start, long count) => new((byte*)start.pointer + count * (start.wide ? sizeof(double) : sizeof(float)), start.wide);
}
