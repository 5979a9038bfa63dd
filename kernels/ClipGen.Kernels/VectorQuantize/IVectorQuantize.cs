namespace ClipGen.Kernels;

/// <summary>Vector quantisation (van den Oord et al. 2017).</summary>
public interface IVectorQuantize
{
    /// <summary>Index of the codebook row with the least Euclidean distance to each input row, the first of equals. The rows x codes distances are never stored as a whole.</summary>
    void NearestCode(View<float> input, View<float> codebook, int rows, int codes, int width, View<int> output);
}
