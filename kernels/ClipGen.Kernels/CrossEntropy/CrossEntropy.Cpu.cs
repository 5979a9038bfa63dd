namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : ICrossEntropy
{
    // Logits of one part: a row of a large vocabulary, or several short ones.
    private const int CrossEntropyPart = 1 << 14;

    /// <inheritdoc/>
    public void CrossEntropy(View<float> logits, View<int> targets, int rows, int classes, View<float> losses, View<float> logSumExp)
    {
        Arguments.Require(rows >= 0 && classes > 0, $"{rows} rows of {classes} classes");
        Arguments.Length(logits, (long)rows * classes);
        Arguments.Length(targets, rows);
        Arguments.Length(losses, rows);
        Arguments.Length(logSumExp, rows);
        float* x = Pointer(logits), loss = Pointer(losses), lse = Pointer(logSumExp);
        var target = Pointer(targets);
        CrossEntropyTargets.Require(target, rows, classes);
        var level = Simd;
        ForRows(rows, classes, r =>
        {
            var row = x + (long)r * classes;
            var (max, sum) = CrossEntropyKernel.Exponentials(level, row, classes);
            // In double, and the loss not from the rounded logarithm: with logits in the hundreds that would cost it its digits.
            var log = Math.Log(sum);
            lse[r] = (float)(max + log);
            loss[r] = (float)((double)max - row[target[r]] + log);
        });
    }

    /// <inheritdoc/>
    public void CrossEntropyBackward(View<float> logits, View<int> targets, View<float> logSumExp, View<float> lossGradient, int rows, int classes, View<float> logitsGradient)
    {
        Arguments.Require(rows >= 0 && classes > 0, $"{rows} rows of {classes} classes");
        Arguments.Length(logits, (long)rows * classes);
        Arguments.Length(targets, rows);
        Arguments.Length(logSumExp, rows);
        Arguments.Length(lossGradient, rows);
        Arguments.Length(logitsGradient, (long)rows * classes);
        float* x = Pointer(logits), lse = Pointer(logSumExp), g = Pointer(lossGradient), dx = Pointer(logitsGradient);
        var target = Pointer(targets);
        CrossEntropyTargets.Require(target, rows, classes);
        var level = Simd;
        ForRows(rows, classes, r =>
        {
            var row = x + (long)r * classes;
            // The gradient may take the logits' place, so the target's logit is read first.
            var chosen = row[target[r]];
            var gradient = dx + (long)r * classes;
            CrossEntropyKernel.Probabilities(level, row, classes, lse[r], g[r], gradient);
            gradient[target[r]] = (float)(g[r] * (Math.Exp((double)chosen - lse[r]) - 1));
        });
    }

    private void ForRows(int rows, int classes, Action<int> row)
    {
        var rowsPerPart = Math.Max(1, CrossEntropyPart / classes);
        Workers.For((rows + rowsPerPart - 1) / rowsPerPart, part =>
        {
            for (var r = part * rowsPerPart; r < Math.Min(rows, (part + 1) * rowsPerPart); r++) row(r);
        });
    }
}
