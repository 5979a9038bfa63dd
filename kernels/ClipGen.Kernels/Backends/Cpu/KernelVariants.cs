namespace ClipGen.Kernels;

/// <summary>How a convolution with a 3x3 filter and step 1 is computed on the CPU.</summary>
public enum ConvolutionForm
{
    /// <summary>By tiles where a picture has enough of them and enough channels, else directly.</summary>
    Measured,

    /// <summary>As a product over patches.</summary>
    Direct,

    /// <summary>By Winograd's tiles of 4x4 outputs, whatever the sizes.</summary>
    Tiles,
}

/// <summary>How the rows of a product's first operand are read on the CPU.</summary>
public enum RowsForm
{
    /// <summary>In place where they meet few columns, else as packed copies.</summary>
    Measured,

    /// <summary>In place wherever they lie row by row.</summary>
    InPlace,

    /// <summary>As packed copies.</summary>
    Packed,
}

/// <summary>Which form of a CPU kernel is used where there are several. By default each shape has the one that measured fastest; another can be forced, to compare them.</summary>
public sealed record KernelVariants
{
    /// <summary>What measured fastest, everywhere.</summary>
    public static KernelVariants Measured { get; } = new();

    /// <summary>Everything that can be forced.</summary>
    public static IReadOnlyList<KernelVariant> All { get; } =
    [
        new("Simd", "avx512", "512-bit vectors", v => v with { Simd = SimdLevel.Avx512 }),
        new("Simd", "avx2", "256-bit vectors", v => v with { Simd = SimdLevel.Avx2 }),
        new("Simd", "vector128", "128-bit vectors", v => v with { Simd = SimdLevel.Vector128 }),
        new("Conv2d", "direct", "3x3 filters as products over patches", v => v with { Conv2d = ConvolutionForm.Direct }),
        new("Conv2d", "tiles", "3x3 filters with step 1 by Winograd's tiles of 4x4 outputs", v => v with { Conv2d = ConvolutionForm.Tiles }),
        new("MatMul", "in-place", "rows of the first operand read where they lie", v => v with { MatMul = RowsForm.InPlace }),
        new("MatMul", "packed", "rows of the first operand copied into panels", v => v with { MatMul = RowsForm.Packed }),
    ];

    /// <summary>Instruction set; null for the best there is, or what <c>CLIPGEN_SIMD</c> forces.</summary>
    public SimdLevel? Simd { get; init; }

    /// <summary>Form of convolutions.</summary>
    public ConvolutionForm Conv2d { get; init; }

    /// <summary>Form of products.</summary>
    public RowsForm MatMul { get; init; }

    /// <summary>Reads choices such as <c>Conv2d=direct</c>; of two for one op the later counts.</summary>
    /// <exception cref="FormatException">A choice that there is not; the message has those that there are.</exception>
    public static KernelVariants Parse(IEnumerable<string> choices) => choices.Aggregate(Measured, (chosen, text) =>
        (All.FirstOrDefault(variant => variant.Choice.Equals(text, StringComparison.OrdinalIgnoreCase)) ?? throw new FormatException($"'{text}' is no variant; expected one of {string.Join(", ", All.Select(variant => variant.Choice))}")).Apply(chosen));
}

/// <summary>One form of a kernel.</summary>
/// <param name="Op">Whose.</param>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it does.</param>
/// <param name="Apply">Chooses it.</param>
public sealed record KernelVariant(string Op, string Name, string Description, Func<KernelVariants, KernelVariants> Apply)
{
    /// <summary>As it is asked for: <c>Conv2d=direct</c>.</summary>
    public string Choice => $"{Op}={Name}";
}
