namespace ClipGen.Training.Tests;

/// <summary>A clock that a test moves; it begins at 1970.</summary>
internal sealed class FakeTime : TimeProvider
{
    public TimeSpan Passed { get; set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch + Passed;

    public override long GetTimestamp() => Passed.Ticks;
}
