namespace ClipGen.Kernels;

/// <summary>Look-up of rows of a table.</summary>
public interface IEmbedding
{
    /// <summary><c>y[i] = table[indices[i]]</c>, rows of <paramref name="width"/> floats.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An index is outside the table; the message has its value and place.</exception>
    void Embedding(View<float> table, int tableRows, int width, View<int> indices, View<float> output);
}
