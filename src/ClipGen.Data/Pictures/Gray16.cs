namespace ClipGen.Data;

/// <summary>What becomes of 16-bit grey values.</summary>
public enum Gray16
{
    /// <summary>Values above 255 become white, as Pillow's <c>convert("RGB")</c> has it: the reference's reading.</summary>
    Clip,

    /// <summary>The high byte counts: the picture looks as its author meant it.</summary>
    HighByte,
}
