using ClipGen.OpCases;

namespace ClipGen.Kernels.Tests;

public sealed class BFloat16Tests
{
    [Fact]
    public void RoundsToTheNearestEven()
    {
        // Every exponent and sign, with digits just below, on and just above the middle between two neighbours, and random ones.
        var random = new System.Random(5);
        for (var high = 0; high < 1 << 16; high += 3)
            foreach (var low in new[] { 0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF, random.Next(1 << 16) })
            {
                var x = BitConverter.Int32BitsToSingle(high << 16 | low);
                var rounded = BFloat16.Low(BFloat16.Round(x));
                if (float.IsNaN(x)) Assert.True(float.IsNaN(rounded));
                else Assert.Equal(BitConverter.SingleToInt32Bits(BFloat16Cases.Round(x)), BitConverter.SingleToInt32Bits(rounded));
            }
    }

    [Fact]
    public void WordsHoldTwoNumbers()
    {
        var pair = BFloat16.Pack(1.5f, -0.25f);
        Assert.Equal((1.5f, -0.25f), (BFloat16.Low(pair), BFloat16.High(pair)));
    }
}
