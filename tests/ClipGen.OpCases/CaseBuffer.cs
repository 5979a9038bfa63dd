using ClipGen.Kernels;

namespace ClipGen.OpCases;

/// <summary>One argument of a case: a named array of floats or ints, read, written or both.</summary>
public sealed class CaseBuffer
{
    private CaseBuffer(string name, float[]? floats, int[]? ints, bool isInput, bool isOutput)
    {
        Name = name;
        Floats = floats;
        Ints = ints;
        IsInput = isInput;
        IsOutput = isOutput;
    }

    /// <summary>Name inside the case.</summary>
    public string Name { get; }

    /// <summary>Initial floats (zeros for a pure output), or null for an array of ints.</summary>
    public float[]? Floats { get; }

    /// <summary>Initial ints, or null for an array of floats.</summary>
    public int[]? Ints { get; }

    /// <summary>The op reads it.</summary>
    public bool IsInput { get; }

    /// <summary>The op writes it; compared with the reference afterwards.</summary>
    public bool IsOutput { get; }

    /// <summary>Number of elements.</summary>
    public int Length => Floats?.Length ?? Ints!.Length;

    /// <summary>Floats that the op reads; afterwards they must be unchanged.</summary>
    public static CaseBuffer Input(string name, float[] values) => new(name, values, null, true, false);

    /// <summary>Ints that the op reads.</summary>
    public static CaseBuffer Input(string name, int[] values) => new(name, null, values, true, false);

    /// <summary>Floats that the op writes, all of them: poisoned before the call.</summary>
    public static CaseBuffer Output(string name, int length) => new(name, new float[length], null, false, true);

    /// <summary>Ints that the op writes, all of them.</summary>
    public static CaseBuffer IntOutput(string name, int length) => new(name, null, new int[length], false, true);

    /// <summary>Floats that the op reads and writes (in place, or in part).</summary>
    public static CaseBuffer InOut(string name, float[] values) => new(name, values, null, true, true);
}

/// <summary>Reproducible input data.</summary>
public static class CaseData
{
    /// <summary>Normally distributed values (Box-Muller over a seeded generator).</summary>
    public static float[] Normal(int length, int seed, double mean = 0, double deviation = 1)
    {
        var random = new System.Random(seed);
        var values = new float[length];
        for (var i = 0; i < length; i++)
            values[i] = (float)(mean + deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        return values;
    }

    /// <summary>Uniform values in [low, high).</summary>
    public static float[] Uniform(int length, int seed, double low = 0, double high = 1)
    {
        var random = new System.Random(seed);
        var values = new float[length];
        for (var i = 0; i < length; i++) values[i] = (float)(low + (high - low) * random.NextDouble());
        return values;
    }

    /// <summary>Integers in [0, bound).</summary>
    public static int[] Integers(int length, int seed, int bound)
    {
        var random = new System.Random(seed);
        var values = new int[length];
        for (var i = 0; i < length; i++) values[i] = random.Next(bound);
        return values;
    }
}

/// <summary>The buffers of a case on a device, by name.</summary>
public sealed class CaseArguments
{
    private readonly Dictionary<string, View<float>> floats = [];
    private readonly Dictionary<string, View<int>> ints = [];

    internal void Add(string name, View<float> view) => floats.Add(name, view);

    internal void Add(string name, View<int> view) => ints.Add(name, view);

    /// <summary>A float argument; none when the case has no buffer of that name (an optional argument left out).</summary>
    public View<float> this[string name] => floats.TryGetValue(name, out var view) ? view : default;

    /// <summary>An int argument.</summary>
    public View<int> Ints(string name) => ints[name];

    /// <summary>Initial values of a buffer, for calls that take host data (packing weights).</summary>
    public required Func<string, float[]> Host { get; init; }
}
