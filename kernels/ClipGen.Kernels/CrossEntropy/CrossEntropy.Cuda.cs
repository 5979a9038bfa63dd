using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : ICrossEntropy
{
    /// <inheritdoc/>
    public void CrossEntropy(View<float> logits, View<int> targets, int rows, int classes, View<float> losses, View<float> logSumExp)
    {
        Arguments.Require(rows >= 0 && classes > 0, $"{rows} rows of {classes} classes");
        Arguments.Length(logits, (long)rows * classes);
        Arguments.Length(targets, rows);
        Arguments.Length(losses, rows);
        Arguments.Length(logSumExp, rows);
        Launch(CrossEntropyCuda.CrossEntropy, rows, ThreadsOf(classes), new CrossEntropyArguments { Logits = View(logits), Targets = View(targets), Losses = View(losses), LogSumExp = View(logSumExp), Faults = faults.Note, Classes = classes });
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
        Launch(CrossEntropyCuda.CrossEntropyBackward, rows, ThreadsOf(classes), new CrossEntropyBackwardArguments
        {
            Logits = View(logits),
            Targets = View(targets),
            LogSumExp = View(logSumExp),
            LossGradient = View(lossGradient),
            LogitsGradient = View(logitsGradient),
            Faults = faults.Note,
            Classes = classes,
        });
    }
}

internal struct CrossEntropyArguments
{
    public ArrayView<float> Logits, Losses, LogSumExp;
    public ArrayView<int> Targets, Faults;
    public int Classes;
}

internal struct CrossEntropyBackwardArguments
{
    public ArrayView<float> Logits, LogSumExp, LossGradient, LogitsGradient;
    public ArrayView<int> Targets, Faults;
    public int Classes;
}

/// <summary>A group of threads per row.</summary>
internal static class CrossEntropyCuda
{
    /// <summary><c>loss = max − x[target] + ln Σ exp(x − max)</c>.</summary>
    [CudaKernel]
    public static void CrossEntropy(CrossEntropyArguments a)
    {
        var row = (long)Grid.IdxX * a.Classes;
        var max = SoftmaxCuda.Max(a.Logits, row, a.Classes);
        var sum = SoftmaxCuda.SumOfExponentials(a.Logits, row, a.Classes, max);
        if (Group.IdxX != 0) return;
        var target = a.Targets[Grid.IdxX];
        if (target < 0 || target >= a.Classes)
        {
            CudaFaults.Write(a.Faults, CudaFault.Target, Grid.IdxX, target, a.Classes);
            return;
        }
        // In double, and the loss not from the rounded logarithm: with logits in the hundreds that would cost it its digits.
        var log = DeviceMath.Log(sum);
        a.LogSumExp[Grid.IdxX] = (float)(max + log);
        a.Losses[Grid.IdxX] = (float)((double)max - a.Logits[row + target] + log);
    }

    /// <summary><c>dx = g · (exp(x − logSumExp) − (c = target))</c>.</summary>
    [CudaKernel]
    public static void CrossEntropyBackward(CrossEntropyBackwardArguments a)
    {
        var row = (long)Grid.IdxX * a.Classes;
        float sum = a.LogSumExp[Grid.IdxX], g = a.LossGradient[Grid.IdxX];
        var target = a.Targets[Grid.IdxX];
        if (Group.IdxX == 0 && (target < 0 || target >= a.Classes)) CudaFaults.Write(a.Faults, CudaFault.Target, Grid.IdxX, target, a.Classes);
        for (var c = Group.IdxX; c < a.Classes; c += Group.DimX)
        {
            // The target's in double: a probability close to 1 loses its digits when 1 is taken away.
            if (c == target) a.LogitsGradient[row + c] = (float)(g * (DeviceMath.Exp((double)a.Logits[row + c] - sum) - 1));
            else a.LogitsGradient[row + c] = g * DeviceMath.Exp(a.Logits[row + c] - sum);
        }
    }
}
