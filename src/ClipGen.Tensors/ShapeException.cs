using System.Runtime.CompilerServices;
using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>Arguments of an op do not fit together. The message names the op, the argument, what was expected and what was found.</summary>
public sealed class ShapeException(string op, string message) : ArgumentException($"{op}: {message}")
{
    internal static void Require(bool condition, string op, [InterpolatedStringHandlerArgument(nameof(condition))] ref FailureMessage message)
    {
        if (!condition) throw new ShapeException(op, message.ToStringAndClear());
    }

    /// <summary>For ops on rows: there must be a last axis.</summary>
    internal static void RequireRows(Tensor x, string op) => Require(x.Shape.Rank >= 1, op, $"input {x.Shape} has no last axis");
}
