using System.Buffers.Binary;

namespace ClipGen.Training.Reporting;

/// <summary>Size and channels of a PNG file, from its first 33 bytes.</summary>
/// <param name="Width">Pixels per row.</param>
/// <param name="Height">Rows.</param>
/// <param name="Channels">1 grey, 2 grey and alpha, 3 colours, 4 colours and alpha.</param>
internal readonly record struct PngHeader(int Width, int Height, int Channels)
{
    private static ReadOnlySpan<byte> Start => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13, (byte)'I', (byte)'H', (byte)'D', (byte)'R'];

    /// <summary>Reads the header.</summary>
    /// <exception cref="ArgumentException">The bytes are not a PNG file.</exception>
    public static PngHeader Read(ReadOnlySpan<byte> file)
    {
        if (file.Length < 33 || !file.StartsWith(Start)) throw new ArgumentException("these bytes are not a PNG file; save the picture as .png first");
        var (width, height) = (BinaryPrimitives.ReadInt32BigEndian(file[16..]), BinaryPrimitives.ReadInt32BigEndian(file[20..]));
        int channels = file[25] switch
        {
            0 => 1,
            2 or 3 => 3,
            4 => 2,
            6 => 4,
            var other => throw new ArgumentException($"this PNG file has colour type {other}; expected 0, 2, 3, 4 or 6"),
        };
        if (width < 1 || height < 1) throw new ArgumentException($"this PNG file declares {width} x {height} pixels");
        return new PngHeader(width, height, channels);
    }
}
