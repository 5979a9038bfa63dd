using System.Text;
using System.Text.RegularExpressions;
using ClipGen.Training.Reporting;

namespace ClipGen.Training.Tests;

public sealed partial class EventFileTests
{
    // Worked out by hand from the format's definition.
    private const string FirstRecord = "1800000000000000a37f4b2209000000000000f03f1a0d627261696e2e4576656e743a3286bf577a";
    private const string ScalarRecord = "1700000000000000e7cef81e09000000000000004010032a0a0a080a0161150000003f959aa0ce";

    [Fact]
    public void ChecksumIsCastagnoli() => Assert.Equal(0xE3069283u, MaskedCrc.Unmasked("123456789"u8));

    [Fact]
    public void BytesAreThoseOfTheFormat()
    {
        using var folder = new TemporaryFolder();
        var time = new FakeTime { Passed = TimeSpan.FromSeconds(1) };
        string path;
        using (var file = new EventFile(folder.Path, time))
        {
            time.Passed = TimeSpan.FromSeconds(2);
            file.AddScalar("a", 3, 0.5);
            path = file.Path;
        }
        Assert.Equal(FirstRecord + ScalarRecord, Convert.ToHexStringLower(File.ReadAllBytes(path)));
    }

    [Fact]
    public void EveryRecordReadsBack()
    {
        using var folder = new TemporaryFolder();
        var png = Samples.Png(5, 3);
        using var file = new EventFile(folder["runs"]);
        file.AddScalar("train/loss", 0, 1.25);
        file.AddScalar("train/loss", 3_000_000_000, double.NaN);
        file.AddScalar("naïve/λ", 7, double.PositiveInfinity);
        file.AddScalar("zero", 8, 0);
        file.AddImage("val/img-recon", 9, png);
        file.Flush();
        var events = EventRecords.Read(file.Path);
        Assert.Equal("brain.Event:2", events[0].Version);
        Assert.Equal(
            [("train/loss", 0, 1.25f), ("train/loss", 3_000_000_000, float.NaN), ("naïve/λ", 7, float.PositiveInfinity), ("zero", 8, 0f)],
            events[1..5].Select(e => (e.Tag!, e.Step, e.Scalar!.Value)));
        var picture = events[5];
        Assert.Equal(("val/img-recon", 9L, (float?)null), (picture.Tag, picture.Step, picture.Scalar));
        Assert.Equal((3, 5, 3), (picture.Image!.Height, picture.Image.Width, picture.Image.Colorspace));
        Assert.Equal(png, picture.Image.Png);
        Assert.All(events, e => Assert.InRange(e.WallTime, 1.7e9, 1e10));
    }

    [Fact]
    public void ReaderNoticesAChangedByte()
    {
        using var folder = new TemporaryFolder();
        string path;
        using (var file = new EventFile(folder.Path))
        {
            file.AddScalar("a", 1, 1);
            path = file.Path;
        }
        var bytes = File.ReadAllBytes(path);
        bytes[^6] ^= 1;
        File.WriteAllBytes(path, bytes);
        Assert.ThrowsAny<Exception>(() => EventRecords.Read(path));
    }

    [Fact]
    public void ResumingOpensANewFileInTheSameFolder()
    {
        using var folder = new TemporaryFolder();
        var time = new FakeTime { Passed = TimeSpan.FromSeconds(1_700_000_000) };
        using (var first = new EventFile(folder.Path, time)) first.AddScalar("a", 1, 1);
        using (var second = new EventFile(folder.Path, time)) second.AddScalar("a", 2, 1);
        Assert.Equal(2, folder.Names.Length);
        Assert.All(folder.Names, name => Assert.Matches(EventName(), name));
        Assert.Equal([1L, 2L], folder.Names.SelectMany(name => EventRecords.Read(folder[name]).Skip(1)).Select(e => e.Step).Order());
    }

    [Fact]
    public void WrongInputIsRefused()
    {
        using var folder = new TemporaryFolder();
        using var file = new EventFile(folder.Path);
        Assert.Throws<ArgumentException>(() => file.AddScalar("", 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.AddScalar("a", -1, 1));
        Assert.Contains("not a PNG file", Assert.Throws<ArgumentException>(() => file.AddImage("a", 0, Encoding.ASCII.GetBytes(new string('x', 40)))).Message);
        Assert.Contains("not a PNG file", Assert.Throws<ArgumentException>(() => file.AddImage("a", 0, Samples.Png(4, 4)[..32])).Message);
        file.Flush();
        Assert.Single(EventRecords.Read(file.Path));
    }

    [Fact]
    public void FolderThatCanNotBeIsOneLine()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["file"], "");
        var failure = Assert.Throws<RunFolderException>(() => new EventFile(folder["file"]));
        Assert.StartsWith($"{folder["file"]}: can't be written: ", failure.Message);
        Assert.DoesNotContain('\n', failure.Message);
    }

    [GeneratedRegex(@"^events\.out\.tfevents\.1700000000\..+\.\d+\.\d+$")]
    private static partial Regex EventName();
}
