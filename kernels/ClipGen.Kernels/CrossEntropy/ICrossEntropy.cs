namespace ClipGen.Kernels;

/// <summary>Softmax and negative log-likelihood in one, over the last axis.</summary>
public interface ICrossEntropy
{
    /// <summary><c>losses[r] = logSumExp[r] − x[r, targets[r]]</c>, with the maximum taken out before exponentials are summed. <paramref name="logSumExp"/> is kept for the gradient.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A target is outside the classes.</exception>
    void CrossEntropy(View<float> logits, View<int> targets, int rows, int classes, View<float> losses, View<float> logSumExp);

    /// <summary><c>dx[r, c] = lossGradient[r] · (exp(x[r, c] − logSumExp[r]) − (c = targets[r]))</c>. Overwrites; dx may be the logits.</summary>
    void CrossEntropyBackward(View<float> logits, View<int> targets, View<float> logSumExp, View<float> lossGradient, int rows, int classes, View<float> logitsGradient);
}
