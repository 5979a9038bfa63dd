using ClipGen.Training.Control;

namespace ClipGen.Training.Tests;

public sealed class SaveScheduleTests
{
    [Theory]
    [InlineData("500", "500steps")]
    [InlineData("500steps", "500steps")]
    [InlineData("1 step", "1steps")]
    [InlineData("10m", "10m")]
    [InlineData("90s", "90s")]
    [InlineData("2h", "2h")]
    [InlineData(" 60 m ", "1h")]
    [InlineData("120s", "2m")]
    [InlineData("8760h", "8760h")]
    public void TextsThatAreUnderstood(string text, string shown)
    {
        Assert.Equal(shown, SaveSchedule.Parse(text).ToString());
        Assert.Equal(shown, SaveSchedule.Parse(shown).ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("0s")]
    [InlineData("-5")]
    [InlineData("m")]
    [InlineData("10x")]
    [InlineData("10 minutes")]
    [InlineData("1.5h")]
    [InlineData("10M")]
    [InlineData("8761h")]
    [InlineData("9999999999999999999")]
    [InlineData("9223372036854775807s")]
    [InlineData("5\u001bx")]
    public void OthersAreOneLine(string text)
    {
        var failure = Assert.Throws<FormatException>(() => SaveSchedule.Parse(text));
        Assert.StartsWith($"--save-every {text.Replace("\u001b", "\\u001b")}: expected steps (\"500\") or a time", failure.Message);
    }

    [Fact]
    public void StepsAreMultiplesWhereverTheRunBegan()
    {
        var schedule = SaveSchedule.Parse("500");
        schedule.Saved(1240, TimeSpan.Zero);
        Assert.Equal([1500L, 2000L], DueSteps(schedule, 1241, 2100));
        // Saves in between, at an epoch's end, change nothing.
        schedule.Saved(2400, TimeSpan.Zero);
        Assert.Equal([2500L], DueSteps(schedule, 2401, 2600));
        // Steps that are passed in one stride count.
        Assert.True(schedule.IsDue(3001, TimeSpan.Zero));
    }

    [Fact]
    public void TimeCountsFromTheLastSave()
    {
        var schedule = SaveSchedule.Default;
        Assert.False(schedule.IsDue(1_000_000, TimeSpan.FromSeconds(599.9)));
        Assert.True(schedule.IsDue(1, TimeSpan.FromMinutes(10)));
        schedule.Saved(1, TimeSpan.FromMinutes(12));
        Assert.False(schedule.IsDue(2, TimeSpan.FromMinutes(21)));
        Assert.True(schedule.IsDue(3, TimeSpan.FromMinutes(22)));
    }

    [Theory]
    [InlineData(-5, "0s")]
    [InlineData(59.9, "59s")]
    [InlineData(60, "1m")]
    [InlineData(3599, "59m")]
    [InlineData(3 * 3600 + 300, "3h 05m")]
    [InlineData(86400 * 2 + 3600 * 4, "2d 04h")]
    [InlineData(86400 * 412.0, "412d")]
    public void DurationsAreShort(double seconds, string expected) => Assert.Equal(expected, DurationText.Of(TimeSpan.FromSeconds(seconds)));

    private static List<long> DueSteps(SaveSchedule schedule, long from, long to)
    {
        List<long> due = [];
        for (var step = from; step <= to; step++)
        {
            if (!schedule.IsDue(step, TimeSpan.Zero)) continue;
            due.Add(step);
            schedule.Saved(step, TimeSpan.Zero);
        }
        return due;
    }
}
