using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace ClipGen.Kernels.Tests;

/// <summary>
/// The elementary functions keep the error they document, at every width. Widths that the processor lacks run in software:
/// the same formulas, so the same promise.
/// </summary>
public sealed unsafe class SimdMathTests
{
    public static TheoryData<SimdLevel> Levels() => [.. Enum.GetValues<SimdLevel>()];

    [Theory]
    [MemberData(nameof(Levels))]
    public void ExpIsWithinTwoUlp(SimdLevel level)
    {
        // A million evenly spaced arguments and the neighbourhood of zero, where spacing matters more than coverage.
        const int points = 1 << 20;
        var x = new float[points + 2000];
        for (var i = 0; i < points; i++) x[i] = (float)(-87.3 + (88.7 + 87.3) * i / (points - 1));
        for (var i = 0; i < 2000; i++) x[points + i] = (i % 2 == 0 ? 1 : -1) * MathF.ScaleB(1.37f, -i / 16);
        x[points - 1] = 88.7f;
        x[0] = -87.3f;
        var y = Apply(level, x, new MapExp());
        double worst = 0;
        for (var i = 0; i < x.Length; i++)
        {
            var exact = Math.Exp(x[i]);
            var ulp = Math.ScaleB(1, Math.ILogB(exact) - 23);
            var error = Math.Abs(y[i] - exact) / ulp;
            if (!(error <= 2)) Assert.Fail($"exp({x[i]:R}) = {y[i]:R}: {error:G3} ulp");
            worst = Math.Max(worst, error);
        }
        // A sweep that never errs would compare the function with itself.
        Assert.True(worst > 0.1);
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void ExpAtTheEdges(SimdLevel level)
    {
        float[] x = [0, -0f, float.NaN, float.PositiveInfinity, float.NegativeInfinity, 88.74f, 89, 1e30f, -87.35f, -88, -1e30f, float.Epsilon, -float.Epsilon];
        float[] expected = [1, 1, float.NaN, float.PositiveInfinity, 0, float.PositiveInfinity, float.PositiveInfinity, float.PositiveInfinity, 0, 0, 0, 1, 1];
        Assert.Equal(expected, Apply(level, x, new MapExp()));
        // What comes out is zero or a normal number, never one between.
        float[] around = [.. Enumerable.Range(0, 4000).Select(i => -87.4f + i * 2.5e-5f)];
        Assert.All(Apply(level, around, new MapExp()), value => Assert.True(value == 0 || float.IsNormal(value), $"{value:R}"));
        // Between the guaranteed range and the flush the result is still a sane one.
        foreach (var value in Apply(level, [-87.335f, -87.32f, -87.301f], new MapExp())) Assert.InRange(value, 1.17e-38f, 1.3e-38f);
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void ErfIsWithinItsBound(SimdLevel level)
    {
        // Multiples of 2⁻¹⁷ up to 6, all exact in float. The truth is the integral itself, summed by Gauss-Legendre over each step.
        const int points = 6 << 17;
        const double step = 1.0 / (1 << 17);
        var x = new float[points];
        for (var i = 0; i < points; i++) x[i] = (float)(i * step);
        var y = Apply(level, x, new MapErf());
        var mirrored = Apply(level, [.. x.Select(value => -value)], new MapErf());
        // Unfused, every step of the polynomial rounds twice.
        var bound = Fma.IsSupported || AdvSimd.IsSupported ? 1.5e-7 : 2e-7;
        double truth = 0, worst = 0;
        for (var i = 0; i < points; i++)
        {
            var error = Math.Abs(y[i] - truth);
            if (!(error <= bound)) Assert.Fail($"erf({x[i]:R}) = {y[i]:R}, expected {truth:R}, error {error:G3}");
            if (mirrored[i] != -y[i]) Assert.Fail($"erf(-{x[i]:R}) = {mirrored[i]:R}, but erf({x[i]:R}) = {y[i]:R}");
            worst = Math.Max(worst, error);
            // Three points: exact up to degree five, which leaves nothing over a step of 2⁻¹⁷.
            var middle = (i + 0.5) * step;
            var reach = 0.5 * step * Math.Sqrt(0.6);
            truth += step / Math.Sqrt(Math.PI) * (5 * Math.Exp(-(middle - reach) * (middle - reach)) + 8 * Math.Exp(-middle * middle) + 5 * Math.Exp(-(middle + reach) * (middle + reach))) / 9;
        }
        Assert.True(worst > 1e-9);
        // The integral's own check; hundreds of thousands of additions leave it this much.
        Assert.InRange(truth, 1 - 1e-12, 1 + 1e-12);
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void ErfAtTheEdges(SimdLevel level)
    {
        float[] x = [0, float.NaN, float.PositiveInfinity, float.NegativeInfinity, 1e20f, -1e20f, 10];
        Assert.Equal([0, float.NaN, 1, -1, 1, -1, 1], Apply(level, x, new MapErf()));
        // Near zero erf is 2x/√π, which an absolute bound of 1.5e-7 would not hold it to.
        float[] tiny = [1e-3f, -1e-6f, 3e-20f, 1e-37f];
        var y = Apply(level, tiny, new MapErf());
        for (var i = 0; i < tiny.Length; i++)
        {
            var exact = 2 / Math.Sqrt(Math.PI) * (tiny[i] - Math.Pow(tiny[i], 3) / 3);
            Assert.True(Math.Abs(y[i] / exact - 1) <= 3e-7, $"erf({tiny[i]}) = {y[i]}, expected {exact}");
        }
    }

    [Fact]
    public void PartialLoadsAndStoresTouchNothingElse()
    {
        Partial<Simd128, Vector128<float>>();
        Partial<Simd256, Vector256<float>>();
        Partial<Simd512, Vector512<float>>();
    }

    private static void Partial<S, V>() where S : struct, ISimd<V> where V : struct
    {
        using var source = new GuardedMemory();
        using var target = new GuardedMemory();
        var lanes = stackalloc float[S.Count];
        for (var count = -1; count <= S.Count; count++)
        {
            var from = source.Last(Math.Max(count, 0));
            for (var i = 0; i < count; i++) from[i] = i + 1;
            S.Store(S.LoadPartial(from, count), lanes);
            for (var i = 0; i < S.Count; i++) Assert.Equal(i < count ? i + 1 : 0, lanes[i]);
            S.Store(S.LoadPartial(from, count, S.Broadcast(float.NegativeInfinity)), lanes);
            for (var i = 0; i < S.Count; i++) Assert.Equal(i < count ? i + 1 : float.NegativeInfinity, lanes[i]);

            // In front of the target lies a guard value; behind it the unreadable page.
            var to = target.Last(Math.Max(count, 0));
            to[-1] = -7;
            S.StorePartial(S.Broadcast(3), to, count);
            Assert.Equal(-7, to[-1]);
            for (var i = 0; i < count; i++) Assert.Equal(3, to[i]);

            // And in the middle of a row nothing behind the count changes.
            var row = target.Last(2 * S.Count);
            for (var i = 0; i < 2 * S.Count; i++) row[i] = -9;
            S.StorePartial(S.Broadcast(4), row, count);
            for (var i = 0; i < 2 * S.Count; i++) Assert.Equal(i < count ? 4 : -9, row[i]);
        }
        // More than a vector holds is a whole one.
        var two = source.Last(2 * S.Count);
        for (var i = 0; i < 2 * S.Count; i++) two[i] = i + 1;
        S.Store(S.LoadPartial(two, S.Count + 3), lanes);
        for (var i = 0; i < S.Count; i++) Assert.Equal(i + 1, lanes[i]);
        S.StorePartial(S.Broadcast(4), two, S.Count + 3);
        for (var i = 0; i < 2 * S.Count; i++) Assert.Equal(i < S.Count ? 4 : i + 1, two[i]);
    }

    private static float[] Apply<M>(SimdLevel level, float[] x, M map) where M : struct, IMap
    {
        var y = new float[x.Length];
        fixed (float* from = x, to = y) ElementwiseKernel.Map(level, from, x.Length, map, to);
        return y;
    }

    private readonly struct MapExp : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct => SimdMath.Exp<S, V>(x);
    }

    private readonly struct MapErf : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct => SimdMath.Erf<S, V>(x);
    }
}
