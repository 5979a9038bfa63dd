using ClipGen.Models.Evaluation;

namespace ClipGen.Models.Tests.Evaluation;

/// <summary>Shares and their intervals.</summary>
public sealed class ProportionTests
{
    [Theory]
    // From the formula by hand: of n trials without success the upper end is z² / (n + z²), with all successes the lower one n / (n + z²).
    [InlineData(0, 10, 0, 0.2775328)]
    [InlineData(10, 10, 0.7224672, 1)]
    [InlineData(0, 0, 0, 1)]
    // Brown, Cai and DasGupta 2001 and any statistics program: 81 of 263.
    [InlineData(81, 263, 0.2552878, 0.3662096)]
    public void WilsonIntervals(int right, int count, double low, double high)
    {
        var interval = new Proportion(right, count).Interval;
        // The expected numbers have seven digits.
        Assert.Equal(low, interval.Low, 1e-6);
        Assert.Equal(high, interval.High, 1e-6);
    }

    [Fact]
    public void Counting()
    {
        var proportion = new Proportion().With(true).With(false).With(true).With(true);
        Assert.Equal(new Proportion(3, 4), proportion);
        Assert.Equal(0.75, proportion.Share);
        Assert.Equal(0, new Proportion().Share);
    }
}
