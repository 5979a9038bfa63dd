namespace ClipGen.Training;

/// <summary>The learning rate over a run.</summary>
public interface ISchedule
{
    /// <summary>The rate at a place of the run, in epochs and parts of them.</summary>
    double At(double epoch);
}

/// <summary>Always the same.</summary>
/// <param name="Rate">The rate.</param>
public sealed record ConstantSchedule(double Rate) : ISchedule
{
    /// <inheritdoc/>
    public double At(double epoch) => Rate;
}

/// <summary>
/// Linear warm-up from 0, then half a cosine down to the minimum (Loshchilov and Hutter 2017):
/// <c>rate · epoch / warmup</c> before the warm-up's end, then <c>min + (rate − min) · ½ (1 + cos(π (epoch − warmup) / (epochs − warmup)))</c>.
/// </summary>
/// <param name="Rate">Highest rate.</param>
/// <param name="Warmup">Epochs of the warm-up.</param>
/// <param name="Epochs">Epochs of the run.</param>
/// <param name="Minimum">Rate at its end.</param>
public sealed record WarmupCosineSchedule(double Rate, double Warmup, double Epochs, double Minimum = 0) : ISchedule
{
    /// <inheritdoc/>
    public double At(double epoch) => epoch < Warmup
        ? Rate * epoch / Warmup
        : Minimum + (Rate - Minimum) * 0.5 * (1 + Math.Cos(Math.PI * (epoch - Warmup) / (Epochs - Warmup)));
}
