using ClipGen.Kernels;
using ClipGen.Tensors;

namespace ClipGen.Training;

/// <summary>The losses of the three trainings, each one number through which gradients flow.</summary>
public static class Losses
{
    /// <summary>Mean absolute difference.</summary>
    public static Tensor L1(Tensor a, Tensor b) => a.Subtract(b).Absolute().Mean();

    /// <summary>Mean squared difference.</summary>
    public static Tensor MeanSquared(Tensor a, Tensor b)
    {
        var difference = a.Subtract(b);
        return difference.Multiply(difference).Mean();
    }

    /// <summary>
    /// <c>mse(z, sg[e]) + beta · mse(sg[z], e)</c> of latents and their codes: the first pulls the encoder to the codes, the second the codes to the encoder.
    /// (The reference weighs the codebook's term; the paper, van den Oord et al. 2017, weighs the encoder's.)
    /// </summary>
    public static Tensor Quantizer(Tensor latents, Tensor codes, float beta = 0.2f) =>
        MeanSquared(latents, codes.StopGradient()).Add(MeanSquared(codes, latents.StopGradient()).Affine(beta, 0));

    /// <summary>The discriminator's hinge loss (Lim and Ye 2017): <c>½ (mean relu(1 − real) + mean relu(1 + fake))</c>.</summary>
    public static Tensor Hinge(Tensor real, Tensor fake) =>
        real.Affine(-1, 1).Activate(Activation.Relu).Mean().Add(fake.Affine(1, 1).Activate(Activation.Relu).Mean()).Affine(0.5f, 0);

    /// <summary>The generator's side of the hinge loss: <c>−mean(fake)</c>.</summary>
    public static Tensor Adversarial(Tensor fake) => fake.Mean().Affine(-1, 0);

    /// <summary>
    /// CLIP's symmetric contrastive loss (InfoNCE, van den Oord et al. 2018; Radford et al. 2021): with unit vectors u, v and <c>s = exp(logitScale) · u vᵀ</c>, the mean of the
    /// cross-entropies of s's rows and columns, whose targets lie on the diagonal.
    /// </summary>
    /// <param name="pictures">Unit vectors [N, E].</param>
    /// <param name="texts">Unit vectors [N, E], in the same order.</param>
    /// <param name="logitScale">Natural logarithm of the factor, one number.</param>
    public static Tensor Contrastive(Tensor pictures, Tensor texts, Tensor logitScale)
    {
        var count = pictures.Shape[0];
        var similarity = pictures.MatMulTransposed(texts).MultiplyExp(logitScale);
        var diagonal = pictures.Device.From(Enumerable.Range(0, count).ToArray(), new Shape(count));
        return similarity.CrossEntropy(diagonal).Mean().Add(similarity.Transpose().CrossEntropy(diagonal).Mean()).Affine(0.5f, 0);
    }
}
