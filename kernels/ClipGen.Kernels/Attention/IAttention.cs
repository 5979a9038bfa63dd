namespace ClipGen.Kernels;

/// <summary>Scaled dot-product attention (Vaswani et al. 2017), without the score matrix in memory.</summary>
public interface IAttention
{
    /// <summary>
    /// <c>O = softmax(Q Kᵀ · scale + mask) V</c> per sequence and head. Element (b, t, h, d) of an operand lies at
    /// <c>(b·T + t)·stride + h·HeadSize + d</c> of its view, so that query, key and value may be three views into one packed
    /// [B·T, 3C] product. The output may not overlap the inputs. A sequence's result does not depend on the batch or on threads.
    /// </summary>
    void Attention(in AttentionShape shape, View<float> query, View<float> key, View<float> value, View<float> output);

    /// <summary>
    /// One step of cached decoding. <paramref name="qkv"/> holds one new row [query | key | value] of 3·Heads·HeadSize per sequence.
    /// For sequence b with <c>n = lengths[b]</c> earlier positions: stores the key and value at position n of the caches
    /// ([B, Heads, MaxLength, HeadSize] each), then <paramref name="output"/>[b] = attention of the new query over positions 0…n.
    /// The earlier positions are only read. Lengths are the caller's to advance.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">A length is negative or the cache is full.</exception>
    void AttentionDecode(in AttentionDecodeShape shape, View<float> qkv, View<float> keyCache, View<float> valueCache, View<int> lengths, View<float> output);

    /// <summary>
    /// Attention with dropout on the weights, for training: <c>O = (softmax(Q Kᵀ · scale + mask) ∘ D) V</c> with D = 0 or 1/(1 − p) drawn by <paramref name="dropout"/> for element
    /// ((b·Heads + h)·QueryLength + t)·KeyLength + j. With probability 0 it equals <see cref="Attention"/>.
    /// </summary>
    void AttentionTraining(in AttentionShape shape, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output);

    /// <summary>
    /// Gradients of <see cref="AttentionTraining"/> with respect to query, key and value, in the layouts (and strides) of the operands; the scores are computed again, never stored as a whole.
    /// <paramref name="output"/> is what the forward call wrote, <paramref name="outputGradient"/> has its layout. Overwrites the three gradients at the places that the operands' layouts
    /// name and nothing between them; they may be three views into one packed [B·T, 3C] gradient. Independent of batch and threads.
    /// </summary>
    void AttentionBackward(in AttentionShape shape, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output, View<float> outputGradient,
        View<float> queryGradient, View<float> keyGradient, View<float> valueGradient);
}

/// <summary>Sizes of an attention call. Scale is 1/sqrt(HeadSize) everywhere in these models.</summary>
public readonly record struct AttentionShape
{
    /// <summary>Sequences.</summary>
    public required int Batch { get; init; }

    /// <summary>Heads, 1 to 20 in the models.</summary>
    public required int Heads { get; init; }

    /// <summary>Channels of one head, 32 to 512 in the models.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Positions of the query.</summary>
    public required int QueryLength { get; init; }

    /// <summary>Positions of key and value.</summary>
    public required int KeyLength { get; init; }

    /// <summary>With true, query t sees keys 0…t + (KeyLength − QueryLength).</summary>
    public bool Causal { get; init; }

    /// <summary>Distance in floats between two positions of the query; 0 means Heads·HeadSize.</summary>
    public int QueryStride { get; init; }

    /// <summary>The same for key and value.</summary>
    public int KeyStride { get; init; }

    /// <summary>The same for the output.</summary>
    public int OutputStride { get; init; }
}

/// <summary>Sizes of a cached decoding step.</summary>
/// <param name="Batch">Sequences.</param>
/// <param name="Heads">Heads.</param>
/// <param name="HeadSize">Channels of one head.</param>
/// <param name="MaxLength">Positions the caches have room for.</param>
public readonly record struct AttentionDecodeShape(int Batch, int Heads, int HeadSize, int MaxLength)
{
    /// <exception cref="ArgumentException">The sizes make no sense.</exception>
    internal void Require([System.Runtime.CompilerServices.CallerMemberName] string op = "") => Arguments.Require(Batch >= 0 && Heads > 0 && HeadSize > 0 && MaxLength > 0, $"illegal sizes {this}", op);
}
