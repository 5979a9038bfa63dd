using ClipGen.Data;
using ClipGen.Models.Clip;
using ClipGen.Tensors;

namespace ClipGen.Models.Pipeline;

/// <summary>Scores pictures against a text: cosine similarity of their CLIP embeddings.</summary>
public static class Reranker
{
    /// <summary>Pictures as the VQ-GAN decoder gives them, [N, H, W, 3] in about [−1, 1], as CLIP takes them, [N, S, S, 3].</summary>
    /// <param name="clip">The model, for its size.</param>
    /// <param name="pictures">Decoder output.</param>
    /// <param name="parity">
    /// With true what the reference does: resized without antialiasing, neither clamped nor normalised with CLIP's statistics.
    /// Otherwise what CLIP was trained on: clamped, antialiased, normalised.
    /// </param>
    public static Tensor ToClip(ClipModel clip, Tensor pictures, bool parity)
    {
        using var scope = new TensorScope();
        var size = clip.Config.ImageSize;
        if (parity) return scope.Keep(pictures.ResizeBilinear(size, size, antialias: false));
        var device = pictures.Device;
        var unit = pictures.Clamp(-1, 1).Affine(0.5f, 0.5f).ResizeBilinear(size, size, antialias: true);
        var mean = device.From(PictureTransforms.ClipMean.ToArray(), new Shape(3));
        var inverse = device.From(PictureTransforms.ClipStd.ToArray().Select(std => 1 / std).ToArray(), new Shape(3));
        return scope.Keep(unit.Subtract(mean).Multiply(inverse));
    }

    /// <summary>Normalised embeddings [N, E] of pictures as the VQ-GAN decoder gives them.</summary>
    public static Tensor Embed(ClipModel clip, Tensor pictures, bool parity)
    {
        using var scope = new TensorScope();
        return scope.Keep(clip.EncodeImage(ToClip(clip, pictures, parity)).L2Normalize());
    }

    /// <summary>Cosine similarity of each picture with the text.</summary>
    /// <param name="clip">The model.</param>
    /// <param name="pictures">Decoder output [N, H, W, 3].</param>
    /// <param name="text">The text's embedding [1, E], normalised.</param>
    /// <param name="parity">See <see cref="ToClip"/>.</param>
    public static float[] Score(ClipModel clip, Tensor pictures, Tensor text, bool parity)
    {
        using var scope = new TensorScope();
        return Embed(clip, pictures, parity).MatMulTransposed(text).ToFloats();
    }

    /// <summary>Indices by descending score; equal scores keep their order.</summary>
    public static int[] Order(IReadOnlyList<float> scores) => [.. Enumerable.Range(0, scores.Count).OrderByDescending(i => scores[i])];
}
