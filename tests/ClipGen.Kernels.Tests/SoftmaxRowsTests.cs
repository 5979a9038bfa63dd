namespace ClipGen.Kernels.Tests;

/// <summary>Four rows of softmax at a time are four rows one by one, bit for bit.</summary>
public sealed unsafe class SoftmaxRowsTests
{
    public static TheoryData<SimdLevel> Levels() => [.. SimdLevels.Available];

    [Theory]
    [MemberData(nameof(Levels))]
    public void FourRowsHaveTheBitsOfEach(SimdLevel level)
    {
        const int stride = 96;
        var random = new Random(5);
        foreach (var (first, step, limit) in new[] { (1, 1, 70), (3, 1, 70), (14, 1, 70), (16, 1, 70), (31, 1, 70), (61, 1, 62), (64, 0, 64), (65, 0, 65), (5, 0, 5) })
            for (var round = 0; round < 8; round++)
            {
                var x = new float[4 * stride];
                // Some rows have scores far apart, whose weights vanish.
                for (var i = 0; i < x.Length; i++) x[i] = (float)(random.NextDouble() * 2 - 1) * (round < 6 ? 10 : 2000);
                var alone = (float[])x.Clone();
                var last = Math.Min(first + 3 * step, limit);
                var end = Math.Min(last + round, 80);
                fixed (float* together = x, each = alone)
                {
                    SoftmaxKernel.Rows4(level, together, stride, first, step, limit, end, 0.3f);
                    for (var r = 0; r < 4; r++) SoftmaxKernel.Row(level, each + r * stride, Math.Min(first + r * step, limit), 0.3f, each + r * stride);
                }
                for (var r = 0; r < 4; r++)
                {
                    var count = Math.Min(first + r * step, limit);
                    for (var i = 0; i < end; i++)
                        Assert.True(BitConverter.SingleToInt32Bits(i < count ? alone[r * stride + i] : 0) == BitConverter.SingleToInt32Bits(x[r * stride + i]), $"{level}, rows from {first} on, row {r}, {i}: {x[r * stride + i]:R}");
                    Assert.InRange(x.AsSpan(r * stride, count).ToArray().Sum(v => (double)v), 0.99999, 1.00001);
                }
            }
    }
}
