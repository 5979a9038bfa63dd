namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IVectorQuantize
{
    /// <inheritdoc/>
    public void NearestCode(View<float> input, View<float> codebook, int rows, int codes, int width, View<int> output)
    {
        Reals x = Real(input), e = Real(codebook);
        for (var r = 0; r < rows; r++)
        {
            var best = double.PositiveInfinity;
            for (var j = 0; j < codes; j++)
            {
                var distance = Distance(x + (long)r * width, e + (long)j * width, width);
                if (distance >= best) continue;
                best = distance;
                Pointer(output)[r] = j;
            }
        }
    }

    /// <summary>Squared Euclidean distance in double.</summary>
    private static double Distance(Reals a, Reals b, int width)
    {
        var sum = 0.0;
        for (var i = 0; i < width; i++)
        {
            var d = a[i] - b[i];
            sum += d * d;
        }
        return sum;
    }
}
