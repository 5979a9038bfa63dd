namespace ClipGen.Models.Evaluation;

/// <summary>Is told how far an evaluation is.</summary>
public interface IEvaluationProgress
{
    /// <summary>A stage begins.</summary>
    /// <param name="stage">What it does.</param>
    /// <param name="total">How much.</param>
    /// <param name="unit">Of what, in the plural.</param>
    void Begin(string stage, long total, string unit);

    /// <summary>So much of it is done.</summary>
    void Report(long done);
}

/// <summary>An evaluation can't be done with these models; one line that says why.</summary>
public sealed class EvaluationException(string message) : Exception(message);
