using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>Loops over one or two arrays; the functions are types, so that each loop is compiled with its formula inside.</summary>
internal static unsafe class ElementwiseKernel
{
    public static void Map<S, V, M>(float* x, int count, M map, float* y) where S : struct, ISimd<V> where V : struct where M : struct, IMap
    {
        var i = 0;
        for (; i + S.Count <= count; i += S.Count) S.Store(map.Apply<S, V>(S.Load(x + i)), y + i);
        if (i < count) S.StorePartial(map.Apply<S, V>(S.LoadPartial(x + i, count - i)), y + i, count - i);
    }

    /// <summary><c>y = C(a, b)</c> with the vectors of a level.</summary>
    public static void Combine<C>(SimdLevel level, float* a, float* b, int count, float* y) where C : struct, ICombine
    {
        if (level == SimdLevel.Avx512) Combine<Simd512, Vector512<float>, C>(a, b, count, y);
        else if (level == SimdLevel.Avx2) Combine<Simd256, Vector256<float>, C>(a, b, count, y);
        else Combine<Simd128, Vector128<float>, C>(a, b, count, y);
    }

    private static void Combine<S, V, C>(float* a, float* b, int count, float* y) where S : struct, ISimd<V> where V : struct where C : struct, ICombine
    {
        var i = 0;
        for (; i + S.Count <= count; i += S.Count) S.Store(C.Apply<S, V>(S.Load(a + i), S.Load(b + i)), y + i);
        if (i < count) S.StorePartial(C.Apply<S, V>(S.LoadPartial(a + i, count - i), S.LoadPartial(b + i, count - i)), y + i, count - i);
    }
}

/// <summary>A function of one value, with parameters.</summary>
internal interface IMap
{
    V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct;
}

/// <summary>A function of two values.</summary>
internal interface ICombine
{
    static abstract V Apply<S, V>(V a, V b) where S : struct, ISimd<V> where V : struct;
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

internal readonly struct AddPair : ICombine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V a, V b) where S : struct, ISimd<V> where V : struct => S.Add(a, b);
}

internal readonly struct SubtractPair : ICombine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V a, V b) where S : struct, ISimd<V> where V : struct => S.Subtract(a, b);
}

internal readonly struct MultiplyPair : ICombine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V a, V b) where S : struct, ISimd<V> where V : struct => S.Multiply(a, b);
}
