using ClipGen.Data.Records;

namespace ClipGen.Data.Tests.Records;

/// <summary>What samples of published sets hold. The pickles were written by Python's pickle module, with classes of the names, and states of the form, that Pillow's pictures have.</summary>
public sealed class SampleCodecTests
{
    private static readonly byte[] Rgb = [.. Enumerable.Range(0, 18).Select(i => (byte)i)];

    [Theory]
    [InlineData("rgb2", "gAJjUElMLkpwZWdJbWFnZVBsdWdpbgpKcGVnSW1hZ2VGaWxlCnEAKYFxAV1xAih9cQMoWAQAAABqZmlmcQRNAQFYAwAAAGRwaXEFS0hLSIZxBlgEAAAAZXhpZnEHY19jb2RlY3MKZW5jb2RlCnEIWAYAAABFeGlmAABxCVgGAAAAbGF0aW4xcQqGcQtScQxYBwAAAGNvbW1lbnRxDVgFAAAAY2Fmw6lxDlgDAAAAaWNjcQ9OdVgDAAAAUkdCcRBLA0sChnERTmgIWBIAAAAAAQIDBAUGBwgJCgsMDQ4PEBFxEmgKhnETUnEUZWIu")]
    [InlineData("rgb3", "gANjUElMLkltYWdlCkltYWdlCnEAKYFxAV1xAih9cQMoWAQAAABqZmlmcQRNAQFYAwAAAGRwaXEFS0hLSIZxBlgEAAAAZXhpZnEHQwZFeGlmAABxCFgHAAAAY29tbWVudHEJWAUAAABjYWbDqXEKWAMAAABpY2NxC051WAMAAABSR0JxDEsDSwKGcQ1OQxIAAQIDBAUGBwgJCgsMDQ4PEBFxDmViLg==")]
    [InlineData("rgb4", "gASVngAAAAAAAACME1BJTC5KcGVnSW1hZ2VQbHVnaW6UjA1KcGVnSW1hZ2VGaWxllJOUKYGUXZQofZQojARqZmlmlE0BAYwDZHBplEtIS0iGlIwEZXhpZpRDBkV4aWYAAJSMB2NvbW1lbnSUjAVjYWbDqZSMA2ljY5ROdYwDUkdClEsDSwKGlE5DEgABAgMEBQYHCAkKCwwNDg8QEZSMBWEuanBnlGViLg==")]
    [InlineData("rgb5", "gAWVhAAAAAAAAACMCVBJTC5JbWFnZZSMBUltYWdllJOUKYGUXZQofZQojARqZmlmlE0BAYwDZHBplEtIS0iGlIwEZXhpZpRDBkV4aWYAAJSMB2NvbW1lbnSUjAVjYWbDqZSMA2ljY5ROdYwDUkdClEsDSwKGlE5DEgABAgMEBQYHCAkKCwwNDg8QEZRlYi4=")]
    [InlineData("tuple", "gASViAAAAAAAAACMCVBJTC5JbWFnZZSMBUltYWdllJOUKYGUXZQofZQojARqZmlmlE0BAYwDZHBplEtIS0iGlIwEZXhpZpRDBkV4aWYAAJSMB2NvbW1lbnSUjAVjYWbDqZSMA2ljY5ROdYwDUkdClEsDSwKGlE5DEgABAgMEBQYHCAkKCwwNDg8QEZRlYksHhpQu")]
    public void PicturesOfPillowAreRead(string name, string pickle)
    {
        var picture = SampleCodec.Decode(Convert.FromBase64String(pickle), name);
        Assert.Equal((3, 2), (picture.Width, picture.Height));
        Assert.Equal(Rgb, picture.Rgb);
        // Handed on, they are files again.
        Assert.Equal(Rgb, PictureFile.Decode(SampleCodec.Encoded(Convert.FromBase64String(pickle), name), name).Rgb);
    }

    [Fact]
    public void GreyAndPalettesBecomeRgb()
    {
        var grey = SampleCodec.Decode(Convert.FromBase64String("gASVdgAAAAAAAACMCVBJTC5JbWFnZZSMBUltYWdllJOUKYGUXZQofZQojARqZmlmlE0BAYwDZHBplEtIS0iGlIwEZXhpZpRDBkV4aWYAAJSMB2NvbW1lbnSUjAVjYWbDqZSMA2ljY5ROdYwBTJRLA0sChpROQwYAChQeKP+UZWIu"), "grey");
        Assert.Equal([0, 0, 0, 10, 10, 10, 20, 20, 20, 30, 30, 30, 40, 40, 40, 255, 255, 255], grey.Rgb);
        var palette = SampleCodec.Decode(Convert.FromBase64String("gASVgQAAAAAAAACMCVBJTC5JbWFnZZSMBUltYWdllJOUKYGUXZQofZQojARqZmlmlE0BAYwDZHBplEtIS0iGlIwEZXhpZpRDBkV4aWYAAJSMB2NvbW1lbnSUjAVjYWbDqZSMA2ljY5ROdYwBUJRLAksBhpRdlChLAUsCSwNLBEsFSwZlQwIBAJRlYi4="), "palette");
        Assert.Equal([4, 5, 6, 1, 2, 3], palette.Rgb);
    }

    [Fact]
    public void FilesAreTakenOutOfDicts()
    {
        var picture = TestPictures.Hashed(4, 3);
        byte[] file = PictureFile.EncodePng(picture), sample = Dict(file);
        Assert.Equal(file, SampleCodec.Encoded(sample, "sample"));
        Assert.Equal(picture.Rgb, SampleCodec.Decode(sample, "sample").Rgb);
        Assert.Equal(file, SampleCodec.Encoded(file, "sample"));
        Assert.Contains("sample", Assert.Throws<DataException>(() => SampleCodec.Decode(Dict([1, 2]), "sample")).Message);
    }

    [Theory]
    [InlineData("gASVFAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOULg==", "posix.system")]
    [InlineData("gAJLAS4=", "neither a picture's bytes")]
    [InlineData("gAJ9Lg==", "neither a picture's bytes")]
    [InlineData("gAIp", "damaged")]
    [InlineData("gAIu", "leaves 0 objects")]
    public void AnythingElseIsRefused(string pickle, string complaint)
    {
        var message = Assert.Throws<DataException>(() => SampleCodec.Decode(Convert.FromBase64String(pickle), "set.ffr, sample 7")).Message;
        Assert.StartsWith("set.ffr, sample 7", message);
        Assert.Contains(complaint, message);
    }

    [Fact]
    public void MutatedPicklesOnlyEndInDataErrors()
    {
        byte[][] seeds = [.. new[]
        {
            "gAJjUElMLkpwZWdJbWFnZVBsdWdpbgpKcGVnSW1hZ2VGaWxlCnEAKYFxAV1xAih9cQMoWAQAAABqZmlmcQRNAQFYAwAAAGRwaXEFS0hLSIZxBlgEAAAAZXhpZnEHY19jb2RlY3MKZW5jb2RlCnEIWAYAAABFeGlmAABxCVgGAAAAbGF0aW4xcQqGcQtScQxYBwAAAGNvbW1lbnRxDVgFAAAAY2Fmw6lxDlgDAAAAaWNjcQ9OdVgDAAAAUkdCcRBLA0sChnERTmgIWBIAAAAAAQIDBAUGBwgJCgsMDQ4PEBFxEmgKhnETUnEUZWIu",
            "gASVngAAAAAAAACME1BJTC5KcGVnSW1hZ2VQbHVnaW6UjA1KcGVnSW1hZ2VGaWxllJOUKYGUXZQofZQojARqZmlmlE0BAYwDZHBplEtIS0iGlIwEZXhpZpRDBkV4aWYAAJSMB2NvbW1lbnSUjAVjYWbDqZSMA2ljY5ROdYwDUkdClEsDSwKGlE5DEgABAgMEBQYHCAkKCwwNDg8QEZSMBWEuanBnlGViLg==",
            "gASVgQAAAAAAAACMCVBJTC5JbWFnZZSMBUltYWdllJOUKYGUXZQofZQojARqZmlmlE0BAYwDZHBplEtIS0iGlIwEZXhpZpRDBkV4aWYAAJSMB2NvbW1lbnSUjAVjYWbDqZSMA2ljY5ROdYwBUJRLAksBhpRdlChLAUsCSwNLBEsFSwZlQwIBAJRlYi4=",
            "gASViAAAAAAAAACMCVBJTC5JbWFnZZSMBUltYWdllJOUKYGUXZQofZQojARqZmlmlE0BAYwDZHBplEtIS0iGlIwEZXhpZpRDBkV4aWYAAJSMB2NvbW1lbnSUjAVjYWbDqZSMA2ljY5ROdYwDUkdClEsDSwKGlE5DEgABAgMEBQYHCAkKCwwNDg8QEZRlYksHhpQu",
            "gASVMwAAAAAAAAB9lCiMB2NhcHRpb26UjAlhIHBpY3R1cmWUjAtpbWFnZV9ieXRlc5RDB0BAUE5HQECUdS4=",
        }.Select(Convert.FromBase64String)];
        var random = new Random(10);
        int accepted = 0, refused = 0;
        for (var i = 0; i < 50_000; i++)
        {
            var bytes = (byte[])seeds[i % seeds.Length].Clone();
            for (var k = random.Next(1, 4); k > 0; k--) bytes[random.Next(2, bytes.Length)] = (byte)random.Next(256);
            if (random.Next(8) == 0) bytes = bytes[..random.Next(2, bytes.Length)];
            try
            {
                Assert.True(SampleCodec.Decode(bytes, "fuzz").Rgb.Length > 0);
                accepted++;
            }
            catch (DataException e)
            {
                Assert.StartsWith("fuzz", e.Message);
                Assert.DoesNotContain('\n', e.Message);
                refused++;
            }
        }
        Assert.True(accepted > 100 && refused > 100, $"{accepted} accepted, {refused} refused");
    }

    // {"image_bytes": file}, of protocol 4.
    private static byte[] Dict(byte[] file) => [0x80, 4, (byte)'}', 0x8C, 11, .. "image_bytes"u8, (byte)'B', .. BitConverter.GetBytes(file.Length), .. file, (byte)'s', (byte)'.'];
}
