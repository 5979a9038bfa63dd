using System.Runtime.CompilerServices;

namespace ClipGen.Kernels;

/// <summary>A pointwise function and its derivative as a type, so that a kernel generic over it is compiled once per function with the formula inlined.</summary>
internal interface IActivation
{
    static abstract V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct;

    /// <summary>dy/dx at x. At a kink it is the value from the left, as PyTorch takes it.</summary>
    static abstract V Derivative<S, V>(V x) where S : struct, ISimd<V> where V : struct;
}

/// <summary>Work that is generic over an activation: a struct with the arguments and one method.</summary>
internal interface IActivationVisitor
{
    void Visit<A>() where A : struct, IActivation;
}

/// <summary>From the name of an activation to its type.</summary>
internal static class Activations
{
    /// <summary>Calls the visitor with the type: one decision outside the loops, and each loop has its formula inside.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such activation.</exception>
    public static void Dispatch<T>(Activation activation, ref T visitor) where T : struct, IActivationVisitor
    {
        switch (activation)
        {
            case Activation.None: visitor.Visit<Identity>(); break;
            case Activation.Relu: visitor.Visit<Relu>(); break;
            case Activation.LeakyRelu: visitor.Visit<LeakyRelu>(); break;
            case Activation.Silu: visitor.Visit<Silu>(); break;
            case Activation.Gelu: visitor.Visit<Gelu>(); break;
            case Activation.QuickGelu: visitor.Visit<QuickGelu>(); break;
            default: throw new ArgumentOutOfRangeException(nameof(activation), activation, "unknown activation");
        }
    }

    /// <exception cref="ArgumentOutOfRangeException">No such activation.</exception>
    public static void Require(Activation activation)
    {
        if (!Enum.IsDefined(activation)) throw new ArgumentOutOfRangeException(nameof(activation), activation, "unknown activation");
    }

    /// <summary>1 / (1 + exp(−x)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid<S, V>(V x) where S : struct, ISimd<V> where V : struct =>
        S.Divide(S.Broadcast(1), S.Add(S.Broadcast(1), SimdMath.Exp<S, V>(S.Subtract(S.Zero, x))));
}

internal readonly struct Identity : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct => x;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<S, V>(V x) where S : struct, ISimd<V> where V : struct => S.Broadcast(1);
}

internal readonly struct Relu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct => S.Max(x, S.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<S, V>(V x) where S : struct, ISimd<V> where V : struct => S.SelectGreater(x, S.Zero, S.Broadcast(1), S.Zero);
}

internal readonly struct LeakyRelu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct => S.SelectGreater(x, S.Zero, x, S.Multiply(x, S.Broadcast(0.2f)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<S, V>(V x) where S : struct, ISimd<V> where V : struct => S.SelectGreater(x, S.Zero, S.Broadcast(1), S.Broadcast(0.2f));
}

internal readonly struct Silu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct =>
        S.Divide(x, S.Add(S.Broadcast(1), SimdMath.Exp<S, V>(S.Subtract(S.Zero, x))));

    /// <summary>s (1 + x (1 − s)) with s = 1 / (1 + exp(−x)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<S, V>(V x) where S : struct, ISimd<V> where V : struct
    {
        var s = Activations.Sigmoid<S, V>(x);
        return S.Multiply(s, S.MultiplyAdd(x, S.Subtract(S.Broadcast(1), s), S.Broadcast(1)));
    }
}

internal readonly struct QuickGelu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct =>
        S.Divide(x, S.Add(S.Broadcast(1), SimdMath.Exp<S, V>(S.Multiply(x, S.Broadcast(-1.702f)))));

    /// <summary>s (1 + u (1 − s)) with u = 1.702 x and s = 1 / (1 + exp(−u)): SiLU's derivative at u.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<S, V>(V x) where S : struct, ISimd<V> where V : struct => Silu.Derivative<S, V>(S.Multiply(x, S.Broadcast(1.702f)));
}

internal readonly struct Gelu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<S, V>(V x) where S : struct, ISimd<V> where V : struct =>
        S.Multiply(S.Multiply(x, S.Broadcast(0.5f)), S.Add(S.Broadcast(1), SimdMath.Erf<S, V>(S.Multiply(x, S.Broadcast(0.707106781f)))));

    /// <summary>Φ(x) + x φ(x), the normal distribution and its density: (1 + erf(x / √2)) / 2 + x exp(−x² / 2) / √(2π).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<S, V>(V x) where S : struct, ISimd<V> where V : struct
    {
        var distribution = S.MultiplyAdd(SimdMath.Erf<S, V>(S.Multiply(x, S.Broadcast(0.707106781f))), S.Broadcast(0.5f), S.Broadcast(0.5f));
        var density = S.Multiply(SimdMath.Exp<S, V>(S.Multiply(S.Multiply(x, x), S.Broadcast(-0.5f))), S.Broadcast(0.398942280f));
        return S.MultiplyAdd(x, density, distribution);
    }
}
