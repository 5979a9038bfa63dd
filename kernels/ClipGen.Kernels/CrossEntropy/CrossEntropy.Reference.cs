namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : ICrossEntropy
{
    /// <inheritdoc/>
    public void CrossEntropy(View<float> logits, View<int> targets, int rows, int classes, View<float> losses, View<float> logSumExp)
    {
        CrossEntropyTargets.Require(Pointer(targets), rows, classes);
        Reals x = Real(logits), loss = Real(losses), lse = Real(logSumExp);
        for (var r = 0; r < rows; r++, x += classes)
        {
            var max = double.NegativeInfinity;
            for (var c = 0; c < classes; c++) max = Math.Max(max, x[c]);
            var sum = 0.0;
            for (var c = 0; c < classes; c++) sum += Math.Exp(x[c] - max);
            lse[r] = max + Math.Log(sum);
            loss[r] = max - x[Pointer(targets)[r]] + Math.Log(sum);
        }
    }

    /// <inheritdoc/>
    public void CrossEntropyBackward(View<float> logits, View<int> targets, View<float> logSumExp, View<float> lossGradient, int rows, int classes, View<float> logitsGradient)
    {
        CrossEntropyTargets.Require(Pointer(targets), rows, classes);
        Reals x = Real(logits), lse = Real(logSumExp), g = Real(lossGradient), dx = Real(logitsGradient);
        for (var r = 0; r < rows; r++, x += classes, dx += classes)
        {
            var target = Pointer(targets)[r];
            for (var c = 0; c < classes; c++) dx[c] = g[r] * (Math.Exp(x[c] - lse[r]) - (c == target ? 1 : 0));
        }
    }
}
