using System.Numerics;
using System.Runtime.InteropServices;

namespace ClipGen.Checkpoints;

/// <summary>Little-endian elements of any type as 32-bit floats, and floats as shorter ones.</summary>
internal static class FloatConversion
{
    public static void ToFloats(ElementType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (type)
        {
            case ElementType.F32: MemoryMarshal.Cast<byte, float>(source).CopyTo(destination); break;
            case ElementType.F16: FromHalf(MemoryMarshal.Cast<byte, ushort>(source), destination); break;
            case ElementType.BF16: FromBFloat16(MemoryMarshal.Cast<byte, ushort>(source), destination); break;
            case ElementType.F64: Cast<double>(source, destination); break;
            case ElementType.I64: Cast<long>(source, destination); break;
            case ElementType.I32: Cast<int>(source, destination); break;
            case ElementType.I16: Cast<short>(source, destination); break;
            case ElementType.I8: Cast<sbyte>(source, destination); break;
            case ElementType.U8: Cast<byte>(source, destination); break;
            case ElementType.Bool:
                for (var i = 0; i < destination.Length; i++) destination[i] = source[i] != 0 ? 1 : 0;
                break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "not an element type");
        }
    }

    /// <summary>Rounds to F32 (a copy), F16 or BF16, to nearest, ties to even.</summary>
    /// <returns>The place of the first finite value that became infinite, or null.</returns>
    public static int? FromFloats(ElementType type, ReadOnlySpan<float> source, Span<byte> destination)
    {
        if (type == ElementType.F32)
        {
            MemoryMarshal.AsBytes(source).CopyTo(destination);
            return null;
        }
        var bits = MemoryMarshal.Cast<byte, ushort>(destination);
        for (var i = 0; i < source.Length; i++)
        {
            bits[i] = type == ElementType.F16 ? BitConverter.HalfToUInt16Bits((Half)source[i]) : ToBFloat16(source[i]);
            var infinity = type == ElementType.F16 ? 0x7C00 : 0x7F80;
            if ((bits[i] & 0x7FFF) == infinity && float.IsFinite(source[i])) return i;
        }
        return null;
    }

    // Half a unit of the upper 16 bits, less one when the result would stay even, carries into them exactly when the value is to be rounded up.
    private static ushort ToBFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)(bits >> 16 | 0x40) : (ushort)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    }

    private static void Cast<T>(ReadOnlySpan<byte> source, Span<float> destination) where T : unmanaged, INumberBase<T>
    {
        var values = MemoryMarshal.Cast<byte, T>(source);
        for (var i = 0; i < destination.Length; i++) destination[i] = float.CreateTruncating(values[i]);
    }

    private static void FromBFloat16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        var i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out var low, out var high);
            Vector.AsVectorSingle(low << 16).CopyTo(destination[i..]);
            Vector.AsVectorSingle(high << 16).CopyTo(destination[(i + Vector<uint>.Count)..]);
        }
        for (; i < source.Length; i++) destination[i] = BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
    }

    private static void FromHalf(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        var i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out var low, out var high);
            Widen(low).CopyTo(destination[i..]);
            Widen(high).CopyTo(destination[(i + Vector<uint>.Count)..]);
        }
        for (; i < source.Length; i++) destination[i] = (float)BitConverter.UInt16BitsToHalf(source[i]);
    }

    // The exponent bias grows by 112. Infinity and NaN need that twice (their exponent stays all ones). A subnormal is built as
    // 2^-14 + value and the 2^-14 taken off again: exact, and without the slow path that processors take for subnormal floats.
    private static Vector<float> Widen(Vector<uint> half)
    {
        var bias = new Vector<uint>(112u << 23);
        var sign = (half & new Vector<uint>(0x8000u)) << 16;
        var magnitude = (half & new Vector<uint>(0x7FFFu)) << 13;
        var special = Vector.GreaterThanOrEqual(magnitude, new Vector<uint>(0x7C00u << 13));
        var small = Vector.LessThan(magnitude, new Vector<uint>(0x0400u << 13));
        var normal = magnitude + bias + (special & bias);
        var smallest = new Vector<uint>(113u << 23);
        var subnormal = Vector.AsVectorUInt32(Vector.AsVectorSingle(magnitude + smallest) - Vector.AsVectorSingle(smallest));
        return Vector.AsVectorSingle(Vector.ConditionalSelect(small, subnormal, normal) | sign);
    }
}
