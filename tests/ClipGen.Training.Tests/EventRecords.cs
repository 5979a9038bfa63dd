using System.Buffers.Binary;
using ClipGen.Training.Reporting;
using Google.Protobuf;

namespace ClipGen.Training.Tests;

/// <summary>One event, as a reader of the format sees it.</summary>
internal sealed record ReadEvent(double WallTime, long Step, string? Version, string? Tag, float? Scalar, ReadImage? Image);

/// <summary>A picture of an event.</summary>
internal sealed record ReadImage(int Height, int Width, int Colorspace, byte[] Png);

/// <summary>Reads an event file, checks both sums of every record, and understands every field or fails.</summary>
internal static class EventRecords
{
    public static List<ReadEvent> Read(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        List<ReadEvent> events = [];
        for (var at = 0; at < bytes.Length;)
        {
            var length = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at)));
            Assert.Equal(MaskedCrc.Of(bytes.AsSpan(at, 8)), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 8)));
            Assert.Equal(MaskedCrc.Of(bytes.AsSpan(at + 12, length)), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 12 + length)));
            events.Add(Event(new CodedInputStream(bytes, at + 12, length)));
            at += length + 16;
        }
        return events;
    }

    private static ReadEvent Event(CodedInputStream input)
    {
        var result = new ReadEvent(double.NaN, 0, null, null, null, null);
        while (input.ReadTag() is var tag && tag != 0)
            result = (tag >> 3) switch
            {
                1 => result with { WallTime = input.ReadDouble() },
                2 => result with { Step = input.ReadInt64() },
                3 => result with { Version = input.ReadString() },
                5 => Value(OnlyField(input.ReadBytes().CreateCodedInput(), 1).CreateCodedInput(), result),
                var field => throw new InvalidDataException($"field {field} of an event"),
            };
        return result;
    }

    private static ByteString OnlyField(CodedInputStream input, uint field)
    {
        Assert.Equal(field, input.ReadTag() >> 3);
        var bytes = input.ReadBytes();
        Assert.True(input.IsAtEnd);
        return bytes;
    }

    private static ReadEvent Value(CodedInputStream input, ReadEvent result)
    {
        while (input.ReadTag() is var tag && tag != 0)
            result = (tag >> 3) switch
            {
                1 => result with { Tag = input.ReadString() },
                2 => result with { Scalar = input.ReadFloat() },
                4 => result with { Image = Image(input.ReadBytes().CreateCodedInput()) },
                var field => throw new InvalidDataException($"field {field} of a value"),
            };
        return result;
    }

    private static ReadImage Image(CodedInputStream input)
    {
        var image = new ReadImage(0, 0, 0, []);
        while (input.ReadTag() is var tag && tag != 0)
            image = (tag >> 3) switch
            {
                1 => image with { Height = input.ReadInt32() },
                2 => image with { Width = input.ReadInt32() },
                3 => image with { Colorspace = input.ReadInt32() },
                4 => image with { Png = input.ReadBytes().ToByteArray() },
                var field => throw new InvalidDataException($"field {field} of an image"),
            };
        return image;
    }
}
