namespace ClipGen.Kernels;

/// <summary>How the numbers of a packed operand are held. Products with few rows are as fast as the operand comes from memory: half the bytes, half the time.</summary>
public enum PackedType
{
    /// <summary>As they are.</summary>
    Float32,

    /// <summary>Rounded to 8 bits of fraction (bfloat16, to nearest, ties to even): a relative error of up to 2⁻⁹.</summary>
    BFloat16,

    /// <summary>Whole numbers from −127 to 127 times a factor per row, the row's largest magnitude / 127: an error of up to half of that factor.</summary>
    Int8,
}

/// <summary>The values that operands of each type have, on every backend.</summary>
public static class PackedTypes
{
    /// <summary>Largest whole number of <see cref="PackedType.Int8"/>.</summary>
    public const int Int8Range = 127;

    /// <summary>Bytes of a number.</summary>
    public static int ByteSize(this PackedType type) => type switch { PackedType.Float32 => 4, PackedType.BFloat16 => 2, _ => 1 };

    /// <summary>Bits of the nearest bfloat16. A NaN stays one.</summary>
    public static ushort ToBFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)(bits >> 16 | 0x40) : (ushort)(bits + 0x7FFF + (bits >> 16 & 1) >> 16);
    }

    /// <summary>Factor of a row of <see cref="PackedType.Int8"/>; NaN if a number of the row is none.</summary>
    public static float Int8Factor(ReadOnlySpan<float> row)
    {
        var largest = 0f;
        foreach (var value in row)
        {
            if (!float.IsFinite(value)) return float.NaN;
            largest = Math.Max(largest, Math.Abs(value));
        }
        return largest / Int8Range;
    }

    /// <summary>The whole number of a value; 0 in a row whose factor is 0 or NaN.</summary>
    public static sbyte ToInt8(float value, float factor) => factor > 0 ? (sbyte)Math.Clamp(MathF.Round(value / factor), -Int8Range, Int8Range) : (sbyte)0;

    /// <summary>A row as its type holds it, in float32.</summary>
    public static void Round(PackedType type, ReadOnlySpan<float> row, Span<float> rounded)
    {
        if (type == PackedType.Float32)
        {
            row.CopyTo(rounded);
            return;
        }
        var factor = type == PackedType.Int8 ? Int8Factor(row) : 0;
        for (var i = 0; i < row.Length; i++) rounded[i] = type == PackedType.Int8 ? ToInt8(row[i], factor) * factor : BitConverter.UInt32BitsToSingle((uint)ToBFloat16(row[i]) << 16);
    }
}
