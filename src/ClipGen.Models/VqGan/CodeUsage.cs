using System.Numerics;

namespace ClipGen.Models.VqGan;

/// <summary>How a codebook is used.</summary>
/// <param name="Used">Codes chosen at least once.</param>
/// <param name="Share">Their share.</param>
/// <param name="Entropy">Entropy of the choices, in nats.</param>
public readonly record struct CodeUsage(int Used, double Share, double Entropy)
{
    /// <summary>As many codes, used equally often, would be as varied; 0 when none was chosen.</summary>
    public double Perplexity => Used == 0 ? 0 : Math.Exp(Entropy);

    /// <summary>Use by counts of each code.</summary>
    public static CodeUsage Of<T>(ReadOnlySpan<T> counts) where T : INumberBase<T>
    {
        double total = 0, entropy = 0;
        var used = 0;
        foreach (var count in counts) total += double.CreateChecked(count);
        foreach (var count in counts)
        {
            if (T.IsZero(count)) continue;
            used++;
            var share = double.CreateChecked(count) / total;
            entropy -= share * Math.Log(share);
        }
        return new CodeUsage(used, counts.Length == 0 ? 0 : (double)used / counts.Length, entropy);
    }
}
