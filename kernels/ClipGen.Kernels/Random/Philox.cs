namespace ClipGen.Kernels;

/// <summary>
/// Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", 2011): ten rounds that turn a 128-bit counter
/// and a 64-bit key into 128 random bits. Nothing is stored between numbers.
/// </summary>
/// <remarks>Here the key is the seed and the counter is (index low, index high, step, purpose); a block of four words serves four neighbouring indices.</remarks>
public static class Philox
{
    /// <summary>The four random words of a counter and key.</summary>
    public static (uint X, uint Y, uint Z, uint W) Block(uint x, uint y, uint z, uint w, uint key0, uint key1)
    {
        for (var round = 0; round < 10; round++)
        {
            var first = (ulong)x * 0xD2511F53u;
            var second = (ulong)z * 0xCD9E8D57u;
            (x, y, z, w) = ((uint)(second >> 32) ^ y ^ key0, (uint)second, (uint)(first >> 32) ^ w ^ key1, (uint)first);
            key0 += 0x9E3779B9u;
            key1 += 0xBB67AE85u;
        }
        return (x, y, z, w);
    }

    /// <summary>The words of four neighbouring indices, 4 · block and on.</summary>
    public static (uint X, uint Y, uint Z, uint W) Block(in RandomKey key, ulong block) => Block((uint)block, (uint)(block >> 32), key.Step, key.Purpose, (uint)key.Seed, (uint)(key.Seed >> 32));

    /// <summary>The 32 random bits of an index.</summary>
    public static uint Bits(in RandomKey key, long index)
    {
        var (x, y, z, w) = Block(key, (ulong)index >> 2);
        return (index & 3) switch { 0 => x, 1 => y, 2 => z, _ => w };
    }

    /// <summary>A uniform number in [0, 1): the upper 24 bits, exactly representable.</summary>
    public static float Uniform(in RandomKey key, long index) => Uniform(Bits(key, index));

    /// <summary>The same of an index's bits.</summary>
    public static float Uniform(uint bits) => (bits >> 8) * (1f / (1 << 24));

    /// <summary>A standard normal number (Box and Muller 1958) from the uniform numbers of two neighbouring indices.</summary>
    public static double Normal(in RandomKey key, long index)
    {
        var radius = Math.Sqrt(-2 * Math.Log(1 - (double)Uniform(key, 2 * index)));
        return radius * Math.Cos(2 * Math.PI * Uniform(key, 2 * index + 1));
    }
}
