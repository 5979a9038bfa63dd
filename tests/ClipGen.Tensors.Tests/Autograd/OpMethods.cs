using System.Reflection;
using System.Runtime.CompilerServices;

namespace ClipGen.Tensors.Tests.Autograd;

/// <summary>Every tensor op: the public extension methods that return a tensor, and the tensor's own reshaping.</summary>
internal static class OpMethods
{
    /// <summary>Signatures such as <c>Clamp(Tensor, Single, Single)</c>.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        .. typeof(Tensor).Assembly.GetExportedTypes()
            .Where(type => type is { IsAbstract: true, IsSealed: true })
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Static))
            .Where(method => method.IsDefined(typeof(ExtensionAttribute)) && method.ReturnType == typeof(Tensor))
            .Concat(typeof(Tensor).GetMethods().Where(method => method.Name == nameof(Tensor.Reshape)))
            .Select(Signature),
    ];

    private static string Signature(MethodInfo method) => $"{method.Name}({string.Join(", ", method.GetParameters().Select(parameter => parameter.ParameterType.Name.TrimEnd('&').Replace("`1", "")))})";
}
