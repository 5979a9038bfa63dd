using System.Runtime.CompilerServices;

namespace ClipGen.Kernels;

/// <summary>Checks of ops' arguments, made once at the backend's door so that kernels need none.</summary>
internal static class Arguments
{
    /// <summary>Requires a view of at least <paramref name="expected"/> elements.</summary>
    /// <exception cref="ArgumentException">It is shorter, or missing.</exception>
    public static void Length<T>(View<T> view, long expected, [CallerArgumentExpression(nameof(view))] string name = "", [CallerMemberName] string op = "") where T : unmanaged
    {
        if (view.Length < expected || (view.IsNone && expected > 0))
            throw new ArgumentException($"{op}: argument '{name}' has {view.Length} elements, expected {expected}");
    }

    /// <summary>The same for an argument that may be left out.</summary>
    public static void OptionalLength<T>(View<T> view, long expected, [CallerArgumentExpression(nameof(view))] string name = "", [CallerMemberName] string op = "") where T : unmanaged
    {
        if (!view.IsNone) Length(view, expected, name, op);
    }

    /// <summary>Requires a condition on sizes; the message is only put together when it does not hold.</summary>
    public static void Require(bool condition, [InterpolatedStringHandlerArgument(nameof(condition))] ref FailureMessage message, [CallerMemberName] string op = "")
    {
        if (!condition) throw new ArgumentException($"{op}: {message.ToStringAndClear()}");
    }

    /// <summary>The same with a constant message.</summary>
    public static void Require(bool condition, string message, [CallerMemberName] string op = "")
    {
        if (!condition) throw new ArgumentException($"{op}: {message}");
    }
}
