namespace ClipGen.Kernels.Tests;

public sealed class QuickDivisionTests
{
    [Fact]
    public void DividesAsTheProcessorDoes()
    {
        var random = new System.Random(3);
        int[] divisors = [.. Enumerable.Range(1, 300), 1000, 1024, 4095, 4096, 65_535, 65_536, 65_537, 1 << 30, (1 << 30) + 1, int.MaxValue - 1, int.MaxValue, .. Enumerable.Range(0, 300).Select(_ => random.Next(1, int.MaxValue))];
        foreach (var divisor in divisors)
        {
            var division = new QuickDivision(divisor);
            Assert.Equal(divisor, division.Divisor);
            // Where the quotient steps, and the ends of the range.
            long last = int.MaxValue / divisor * (long)divisor;
            long[] numbers = [0, 1, divisor - 1, divisor, divisor + 1L, last - 1, last, last + 1, int.MaxValue - 1, int.MaxValue, .. Enumerable.Range(0, 200).Select(_ => (long)random.Next()), .. Enumerable.Range(0, 200).Select(_ => random.NextInt64(int.MaxValue / divisor + 1L) * divisor)];
            foreach (var number in numbers)
                if (number is >= 0 and <= int.MaxValue)
                {
                    if (division.Of((int)number) != number / divisor) Assert.Fail($"{number} / {divisor} was {division.Of((int)number)}");
                }
        }
    }

    [Fact]
    public void RefusesDivisorsBelowOne()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new QuickDivision(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new QuickDivision(-3));
    }
}
