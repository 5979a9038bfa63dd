using ClipGen.Kernels;

namespace ClipGen.OpCases;

/// <summary>
/// One call of one op: shapes, inputs, how to call it, how exact it must be and why, and the work it does.
/// From the same object come the tests of every backend against the double-precision reference, guard and poison checks,
/// benchmarks and profile lines.
/// </summary>
public sealed class OpCase
{
    private readonly Action<IDeviceAllocator, CaseArguments> run;

    private OpCase(Type contract, string name, IReadOnlyList<CaseBuffer> buffers, Tolerance tolerance, OpWork work, Action<IDeviceAllocator, CaseArguments> run, bool large)
    {
        Contract = contract;
        Name = name;
        Buffers = buffers;
        Tolerance = tolerance;
        Work = work;
        Large = large;
        this.run = run;
    }

    /// <summary>The op's interface, such as <see cref="ILayerNorm"/>.</summary>
    public Type Contract { get; }

    /// <summary>Op method and sizes; unique, and the filter that re-runs it.</summary>
    public string Name { get; }

    /// <summary>Arguments, in the order of the call.</summary>
    public IReadOnlyList<CaseBuffer> Buffers { get; }

    /// <summary>How far a result may be from the reference.</summary>
    public Tolerance Tolerance { get; }

    /// <summary>Flops and least bytes.</summary>
    public OpWork Work { get; }

    /// <summary>A shape of the full-size models: run by benchmarks, too slow for the reference in tests.</summary>
    public bool Large { get; }

    /// <summary>A case of the op with interface <typeparamref name="TOp"/>.</summary>
    public static OpCase Create<TOp>(string name, IReadOnlyList<CaseBuffer> buffers, Tolerance tolerance, OpWork work, Action<TOp, CaseArguments> run, bool large = false)
        where TOp : class =>
        new(typeof(TOp), name, buffers, tolerance, work, (backend, arguments) => run((TOp)backend, arguments), large);

    /// <summary>The same case with another tolerance.</summary>
    public OpCase With(Tolerance tolerance) => new(Contract, Name, Buffers, tolerance, Work, run, Large);

    /// <summary>Calls the op once.</summary>
    public void Run(IDeviceAllocator backend, CaseArguments arguments) => run(backend, arguments);

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>A group of cases; every class that implements it is found by <see cref="CaseRegistry"/>.</summary>
public interface IOpCases
{
    /// <summary>The cases, always the same ones in the same order.</summary>
    IEnumerable<OpCase> Cases();
}

/// <summary>All cases of the project.</summary>
public static class CaseRegistry
{
    /// <summary>Every case of every <see cref="IOpCases"/> in this assembly.</summary>
    public static IReadOnlyList<OpCase> All { get; } =
    [
        .. typeof(CaseRegistry).Assembly.GetTypes()
            .Where(type => typeof(IOpCases).IsAssignableFrom(type) && type is { IsAbstract: false, IsInterface: false })
            .OrderBy(type => type.Name, StringComparer.Ordinal)
            // Making their inputs takes seconds: the large ones have millions.
            .AsParallel().AsOrdered().Select(type => ((IOpCases)Activator.CreateInstance(type)!).Cases().ToArray()).AsSequential()
            .SelectMany(cases => cases),
    ];
}

/// <summary>Accepted difference: <c>|found − expected| &lt;= Absolute + Relative·|expected|</c>, so that NaN never passes by itself; NaN must meet NaN and infinities must be equal.</summary>
/// <param name="Relative">Share of the expected value.</param>
/// <param name="Absolute">Fixed part.</param>
/// <param name="Reason">Where the two numbers come from.</param>
public sealed record Tolerance(double Relative, double Absolute, string Reason)
{
    /// <summary>For ops that only move or compare values.</summary>
    public static Tolerance Exact { get; } = new(0, 0, "no arithmetic: the same bits");

    /// <summary>Whether a pair of values is close enough.</summary>
    public bool Accepts(double expected, double found)
    {
        if (double.IsNaN(expected)) return double.IsNaN(found);
        if (double.IsInfinity(expected)) return expected.Equals(found);
        return Math.Abs(found - expected) <= Absolute + Relative * Math.Abs(expected);
    }
}
