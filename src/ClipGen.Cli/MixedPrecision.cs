using System.CommandLine;
using ClipGen.Kernels;
using ClipGen.Tensors;

namespace ClipGen.Cli;

/// <summary><c>--amp</c>: products, convolutions and attention on a card's tensor cores.</summary>
internal sealed class MixedPrecision
{
    /// <summary>The option.</summary>
    public Option<bool> Option { get; } = new("--amp") { Description = "Products, convolutions and attention round their operands to bfloat16 and run on tensor cores; weights, sums and everything else stay float32. CUDA only" };

    /// <summary>Sets the device up.</summary>
    /// <exception cref="UsageException">Asked for on another kind of device.</exception>
    public void Apply(ParseResult parsed, Device device)
    {
        if (!parsed.GetValue(Option)) return;
        if (WrappingBackend.Innermost(device.Backend) is not CudaBackend cuda) throw new UsageException($"--amp: needs tensor cores, and the device is {device.Name}; give --device cuda or leave it out");
        cuda.BFloat16Products = true;
    }
}
