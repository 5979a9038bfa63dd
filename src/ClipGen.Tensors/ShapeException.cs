namespace ClipGen.Tensors;

/// <summary>Arguments of an op do not fit together. The message names the op, the argument, what was expected and what was found.</summary>
public sealed class ShapeException(string op, string message) : ArgumentException($"{op}: {message}")
{
    internal static void Require(bool condition, string op, string message)
    {
        if (!condition) throw new ShapeException(op, message);
    }
}
