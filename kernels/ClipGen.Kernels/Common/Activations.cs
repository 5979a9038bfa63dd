using System.Runtime.CompilerServices;

namespace ClipGen.Kernels;

/// <summary>A pointwise function as a type, so that a kernel generic over it is compiled once per function with the formula inlined.</summary>
internal interface IActivation
{
    static abstract V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct;
}

internal readonly struct Identity : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct => x;
}

internal readonly struct Relu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct => S.Max(x, S.Zero);
}

internal readonly struct LeakyRelu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct => S.SelectGreater(x, S.Zero, x, S.Multiply(x, S.Broadcast(0.2f)));
}

internal readonly struct Silu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct =>
        S.Divide(x, S.Add(S.Broadcast(1), SimdMath.Exp<S, V>(S.Subtract(S.Zero, x))));
}

internal readonly struct QuickGelu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct =>
        S.Divide(x, S.Add(S.Broadcast(1), SimdMath.Exp<S, V>(S.Multiply(x, S.Broadcast(-1.702f)))));
}

internal readonly struct Gelu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct =>
        S.Multiply(S.Multiply(x, S.Broadcast(0.5f)), S.Add(S.Broadcast(1), SimdMath.Erf<S, V>(S.Multiply(x, S.Broadcast(0.707106781f)))));
}
