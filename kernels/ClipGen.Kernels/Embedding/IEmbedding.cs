namespace ClipGen.Kernels;

/// <summary>Look-up of rows of a table.</summary>
public interface IEmbedding
{
    /// <summary><c>y[i] = table[indices[i]]</c>, rows of <paramref name="width"/> floats.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An index is outside the table; the message has its value and place.</exception>
    void Embedding(View<float> table, int tableRows, int width, View<int> indices, View<float> output);

    /// <summary>Gradient of the table: row v is the sum of the output gradients at all places where index v stands, added in the order of the places; rows never looked up are zero. Overwrites all of it. Equal bits for any number of threads.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An index is outside the table.</exception>
    void EmbeddingBackward(View<int> indices, View<float> outputGradient, int tableRows, int width, View<float> tableGradient);
}
