using Google.Protobuf;

namespace ClipGen.Training.Reporting;

/// <summary>
/// TensorBoard's <c>Event</c> messages as bytes. Field numbers: Event wall_time 1, step 2, file_version 3, summary 5; Summary value 1;
/// Value tag 1, simple_value 2, image 4; Image height 1, width 2, colorspace 3, encoded_image_string 4. A zero step is left out, as proto3 does.
/// </summary>
internal static class EventMessage
{
    /// <summary>What every file begins with.</summary>
    public static byte[] Version(double wallTime) => Message(output =>
    {
        output.WriteTag(1, WireFormat.WireType.Fixed64);
        output.WriteDouble(wallTime);
        output.WriteTag(3, WireFormat.WireType.LengthDelimited);
        output.WriteString("brain.Event:2");
    });

    /// <summary>One number of one step.</summary>
    public static byte[] Scalar(double wallTime, long step, string tag, float number) => Summary(wallTime, step, tag, value =>
    {
        value.WriteTag(2, WireFormat.WireType.Fixed32);
        value.WriteFloat(number);
    });

    /// <summary>One picture of one step.</summary>
    public static byte[] Image(double wallTime, long step, string tag, PngHeader size, byte[] png) => Summary(wallTime, step, tag, value => Nested(value, 4, image =>
    {
        image.WriteTag(1, WireFormat.WireType.Varint);
        image.WriteInt32(size.Height);
        image.WriteTag(2, WireFormat.WireType.Varint);
        image.WriteInt32(size.Width);
        image.WriteTag(3, WireFormat.WireType.Varint);
        image.WriteInt32(size.Channels);
        image.WriteTag(4, WireFormat.WireType.LengthDelimited);
        image.WriteBytes(UnsafeByteOperations.UnsafeWrap(png));
    }));

    private static byte[] Summary(double wallTime, long step, string tag, Action<CodedOutputStream> content) => Message(output =>
    {
        output.WriteTag(1, WireFormat.WireType.Fixed64);
        output.WriteDouble(wallTime);
        if (step != 0)
        {
            output.WriteTag(2, WireFormat.WireType.Varint);
            output.WriteInt64(step);
        }
        Nested(output, 5, summary => Nested(summary, 1, value =>
        {
            value.WriteTag(1, WireFormat.WireType.LengthDelimited);
            value.WriteString(tag);
            content(value);
        }));
    });

    // A nested message stands behind its length, so its bytes are made first.
    private static void Nested(CodedOutputStream output, int field, Action<CodedOutputStream> content)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(UnsafeByteOperations.UnsafeWrap(Message(content)));
    }

    private static byte[] Message(Action<CodedOutputStream> content)
    {
        using var bytes = new MemoryStream();
        using (var output = new CodedOutputStream(bytes, leaveOpen: true)) content(output);
        return bytes.ToArray();
    }
}
