using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>Loops over one or two arrays; the functions are types, so that each loop is compiled with its formula inside.</summary>
internal static unsafe class ElementwiseKernel
{
    /// <summary><c>y = map(x)</c> with the vectors of a level.</summary>
    public static void Map<M>(SimdLevel level, float* x, int count, M map, float* y) where M : struct, IMap
    {
        if (level == SimdLevel.Avx512) Map<Simd512, Vector512<float>, M>(x, count, map, y);
        else if (level == SimdLevel.Avx2) Map<Simd256, Vector256<float>, M>(x, count, map, y);
        else Map<Simd128, Vector128<float>, M>(x, count, map, y);
    }

    /// <summary><c>y = combine(a, b)</c> with the vectors of a level.</summary>
    public static void Combine<C>(SimdLevel level, float* a, float* b, int count, C combine, float* y) where C : struct, ICombine
    {
        if (level == SimdLevel.Avx512) Combine<Simd512, Vector512<float>, C>(a, b, count, combine, y);
        else if (level == SimdLevel.Avx2) Combine<Simd256, Vector256<float>, C>(a, b, count, combine, y);
        else Combine<Simd128, Vector128<float>, C>(a, b, count, combine, y);
    }

    /// <summary>The same with a function that has no parameters.</summary>
    public static void Combine<C>(SimdLevel level, float* a, float* b, int count, float* y) where C : struct, ICombine => Combine(level, a, b, count, default(C), y);

    private static void Map<S, V, M>(float* x, int count, M map, float* y) where S : struct, ISimd<V> where V : struct where M : struct, IMap
    {
        var i = 0;
        for (; i + S.Count <= count; i += S.Count) S.Store(map.Apply<S, V>(S.Load(x + i)), y + i);
        if (i < count) S.StorePartial(map.Apply<S, V>(S.LoadPartial(x + i, count - i)), y + i, count - i);
    }

    private static void Combine<S, V, C>(float* a, float* b, int count, C combine, float* y) where S : struct, ISimd<V> where V : struct where C : struct, ICombine
    {
        var i = 0;
        for (; i + S.Count <= count; i += S.Count) S.Store(combine.Apply<S, V>(S.Load(a + i), S.Load(b + i)), y + i);
        if (i < count) S.StorePartial(combine.Apply<S, V>(S.LoadPartial(a + i, count - i), S.LoadPartial(b + i, count - i)), y + i, count - i);
    }
}

/// <summary>A function of one value, with parameters.</summary>
internal interface IMap
{
    V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct;
}

/// <summary>A function of two values, with parameters.</summary>
internal interface ICombine
{
    V Apply<S, V>(V a, V b) where S : struct, ISimd<V> where V : struct;
}

internal readonly struct MapActivation<A> : IMap where A : struct, IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct => A.Apply<S, V>(x);
}

internal readonly struct MapAffine(float scale, float shift) : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct => S.MultiplyAdd(x, S.Broadcast(scale), S.Broadcast(shift));
}

internal readonly struct MapClamp(float low, float high) : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct => S.Min(S.Max(x, S.Broadcast(low)), S.Broadcast(high));
}

internal readonly struct MapScale(float scale) : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct => S.Multiply(x, S.Broadcast(scale));
}

internal readonly struct MapAbsolute : IMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct => S.Abs(x);
}

internal readonly struct AddPair : ICombine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<S, V>(V a, V b) where S : struct, ISimd<V> where V : struct => S.Add(a, b);
}

internal readonly struct SubtractPair : ICombine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<S, V>(V a, V b) where S : struct, ISimd<V> where V : struct => S.Subtract(a, b);
}

internal readonly struct MultiplyPair : ICombine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<S, V>(V a, V b) where S : struct, ISimd<V> where V : struct => S.Multiply(a, b);
}

/// <summary>x · scale + y.</summary>
internal readonly struct AddScaledPair(float scale) : ICombine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<S, V>(V x, V y) where S : struct, ISimd<V> where V : struct => S.MultiplyAdd(x, S.Broadcast(scale), y);
}

/// <summary>dy · activation'(x).</summary>
internal readonly struct ActivationGradient<A> : ICombine where A : struct, IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<S, V>(V x, V dy) where S : struct, ISimd<V> where V : struct => S.Multiply(dy, A.Derivative<S, V>(x));
}

/// <summary>dy · sign(x).</summary>
internal readonly struct AbsoluteGradient : ICombine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<S, V>(V x, V dy) where S : struct, ISimd<V> where V : struct =>
        S.SelectGreater(x, S.Zero, dy, S.SelectGreater(S.Zero, x, S.Subtract(S.Zero, dy), S.Zero));
}

/// <summary>dy where low ≤ x ≤ high, else 0; nothing passes a NaN.</summary>
internal readonly struct ClampGradient(float low, float high) : ICombine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<S, V>(V x, V dy) where S : struct, ISimd<V> where V : struct
    {
        var below = S.SelectGreater(x, S.Broadcast(high), S.Zero, dy);
        var inside = S.SelectGreater(S.Broadcast(low), x, S.Zero, below);
        // Comparisons with NaN are false, so it would have come through both: |x| > −1 holds for every number and for nothing else.
        return S.SelectGreater(S.Abs(x), S.Broadcast(-1), inside, S.Zero);
    }
}
