namespace ClipGen.Kernels;

/// <summary>Choosing codes from logits.</summary>
public interface ISampling
{
    /// <summary>
    /// Logits after temperature, top-k and nucleus filter; removed entries are −∞. Divide by the temperature; keep the entries that
    /// are not smaller than the k-th largest (ties stay; k &lt;= 0 or k &gt;= columns keeps all); then, among the rest in descending order, an entry stays
    /// if the probability mass before it is &lt;= p, so the first always stays (p &gt;= 1 keeps all).
    /// </summary>
    /// <exception cref="ArgumentException">A logit is NaN or +∞, or a row holds nothing but −∞; the message has its place.</exception>
    void FilterLogits(View<float> logits, int rows, int columns, in SamplingFilter filter, View<float> output);

    /// <summary>
    /// Draws one index per row: filter as above, softmax, then the first index in vocabulary order whose cumulative probability
    /// (summed in double) exceeds uniforms[row]; the last kept index if rounding leaves none.
    /// </summary>
    /// <exception cref="ArgumentException">As for <see cref="FilterLogits"/>.</exception>
    void Sample(View<float> logits, int rows, int columns, in SamplingFilter filter, View<float> uniforms, View<int> output);
}

/// <summary>Settings of the filter.</summary>
/// <param name="Temperature">Divides the logits; &gt; 0.</param>
/// <param name="TopK">Keep the k largest; 0 keeps all.</param>
/// <param name="TopP">Keep the nucleus of this mass; 1 keeps all.</param>
public readonly record struct SamplingFilter(float Temperature, int TopK, float TopP);
