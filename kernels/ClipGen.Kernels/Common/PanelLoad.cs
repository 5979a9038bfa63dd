using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ClipGen.Kernels;

/// <summary>How a tile reads a step of a panel of B, 16 numbers of some type, as floats: the tile is compiled once for each.</summary>
/// <typeparam name="V">A vector of floats.</typeparam>
internal unsafe interface IPanelLoad<V> where V : struct
{
    /// <summary>Bytes of a step.</summary>
    static abstract int Step { get; }

    /// <summary>The vector at an address.</summary>
    static abstract V First(byte* at);

    /// <summary>The one behind it.</summary>
    static abstract V Second(byte* at);
}

/// <summary>Floats.</summary>
internal readonly unsafe struct FloatPanel : IPanelLoad<Vector128<float>>, IPanelLoad<Vector256<float>>, IPanelLoad<Vector512<float>>
{
    public static int Step => GemmTile.PanelColumns * sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> IPanelLoad<Vector128<float>>.First(byte* at) => Vector128.Load((float*)at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> IPanelLoad<Vector128<float>>.Second(byte* at) => Vector128.Load((float*)at + 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<float> IPanelLoad<Vector256<float>>.First(byte* at) => Vector256.Load((float*)at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<float> IPanelLoad<Vector256<float>>.Second(byte* at) => Vector256.Load((float*)at + 8);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> IPanelLoad<Vector512<float>>.First(byte* at) => Vector512.Load((float*)at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> IPanelLoad<Vector512<float>>.Second(byte* at) => Vector512.Load((float*)at + 16);
}

/// <summary>bfloat16: the upper halves of floats.</summary>
internal readonly unsafe struct BFloat16Panel : IPanelLoad<Vector128<float>>, IPanelLoad<Vector256<float>>, IPanelLoad<Vector512<float>>
{
    public static int Step => GemmTile.PanelColumns * sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> IPanelLoad<Vector128<float>>.First(byte* at) => (Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(ulong*)at).AsUInt16()) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> IPanelLoad<Vector128<float>>.Second(byte* at) => (Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(ulong*)(at + 8)).AsUInt16()) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<float> IPanelLoad<Vector256<float>>.First(byte* at) => Eight(at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<float> IPanelLoad<Vector256<float>>.Second(byte* at) => Eight(at + 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> IPanelLoad<Vector512<float>>.First(byte* at) => Sixteen(at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> IPanelLoad<Vector512<float>>.Second(byte* at) => Sixteen(at + 32);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Eight(byte* at)
    {
        if (Avx2.IsSupported) return Avx2.ShiftLeftLogical(Avx2.ConvertToVector256Int32((ushort*)at), 16).AsSingle();
        var values = Vector128.Load((ushort*)at);
        return Vector256.Create(Vector128.WidenLower(values) << 16, Vector128.WidenUpper(values) << 16).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Sixteen(byte* at)
    {
        if (Avx512F.IsSupported) return Avx512F.ShiftLeftLogical(Avx512F.ConvertToVector512UInt32(Vector256.Load((ushort*)at)), 16).AsSingle();
        return Vector512.Create(Eight(at), Eight(at + 16));
    }
}

/// <summary>Whole numbers of 8 bits, without their factor.</summary>
internal readonly unsafe struct Int8Panel : IPanelLoad<Vector128<float>>, IPanelLoad<Vector256<float>>, IPanelLoad<Vector512<float>>
{
    public static int Step => GemmTile.PanelColumns;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> IPanelLoad<Vector128<float>>.First(byte* at) => Four(at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> IPanelLoad<Vector128<float>>.Second(byte* at) => Four(at + 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<float> IPanelLoad<Vector256<float>>.First(byte* at) => Eight(at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<float> IPanelLoad<Vector256<float>>.Second(byte* at) => Eight(at + 8);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> IPanelLoad<Vector512<float>>.First(byte* at) => Sixteen(at);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> IPanelLoad<Vector512<float>>.Second(byte* at) => Sixteen(at + 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Four(byte* at) => Vector128.ConvertToSingle(Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(uint*)at).AsSByte())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Eight(byte* at)
    {
        if (Avx2.IsSupported) return Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32((sbyte*)at));
        return Vector256.Create(Four(at), Four(at + 4));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Sixteen(byte* at)
    {
        if (Avx512F.IsSupported) return Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(Vector128.Load((sbyte*)at)));
        return Vector512.Create(Eight(at), Eight(at + 8));
    }
}
