namespace ClipGen.Kernels;

/// <summary>Two-dimensional convolution (cross-correlation, as in PyTorch), channels last.</summary>
public interface IConv2d
{
    /// <summary>
    /// <c>y[b,oh,ow,o] = epilogue(Σ x[b, oh·s − top + i, ow·s − left + j, c] · w[o,i,j,c])</c>, zeros outside the picture.
    /// The filter is packed by <see cref="IMatMul.PackRows"/> as a [OutChannels, KernelHeight·KernelWidth·InChannels] operand (OHWI order).
    /// As for <see cref="IMatMul"/>, a picture's result does not depend on the batch or on threads.
    /// </summary>
    void Conv2d(View<float> input, in Conv2dShape shape, PackedMatrix filter, in Epilogue epilogue, View<float> output);

    /// <summary>The same with a filter that is not packed: [OutChannels, Kernel, Kernel, InChannels].</summary>
    void Conv2dPlain(View<float> input, in Conv2dShape shape, View<float> filter, in Epilogue epilogue, View<float> output);

    /// <summary>
    /// Gradient with respect to the input: <c>dx[b,h,w,c] = Σ dy[b,oh,ow,o] · w[o,i,j,c]</c> over all outputs and taps that read this pixel; with Upsample 2 also summed over
    /// the four copies of a pixel. Overwrites <paramref name="inputGradient"/>. Independent of batch and threads.
    /// </summary>
    void Conv2dBackwardInput(View<float> outputGradient, in Conv2dShape shape, View<float> filter, View<float> inputGradient);

    /// <summary>
    /// Gradient with respect to the filter: <c>dw[o,i,j,c] = Σ_{b,oh,ow} dy[b,oh,ow,o] · x[b, oh·s − top + i, ow·s − left + j, c]</c> (of the enlarged picture with Upsample 2).
    /// Overwrites <paramref name="filterGradient"/>. The order of the sum is fixed: equal bits for any number of threads.
    /// </summary>
    void Conv2dBackwardFilter(View<float> input, in Conv2dShape shape, View<float> outputGradient, View<float> filterGradient);
}

/// <summary>Sizes of a convolution.</summary>
public readonly record struct Conv2dShape
{
    /// <summary>Pictures.</summary>
    public required int Batch { get; init; }

    /// <summary>Input height.</summary>
    public required int Height { get; init; }

    /// <summary>Input width.</summary>
    public required int Width { get; init; }

    /// <summary>Input channels.</summary>
    public required int InChannels { get; init; }

    /// <summary>Output channels.</summary>
    public required int OutChannels { get; init; }

    /// <summary>Filter height and width.</summary>
    public required int Kernel { get; init; }

    /// <summary>Step between outputs, 1 by default.</summary>
    public int Stride { get; init; } = 1;

    /// <summary>Zero rows above and zero columns to the left.</summary>
    public int PadBefore { get; init; }

    /// <summary>Zero rows below and zero columns to the right.</summary>
    public int PadAfter { get; init; }

    /// <summary>1, or 2 when the input is first enlarged by repeating every pixel (nearest x2) without that picture being stored. <see cref="Height"/> and <see cref="Width"/> are those before it.</summary>
    public int Upsample { get; init; } = 1;

    /// <summary>All sizes from their initialisers.</summary>
    public Conv2dShape()
    {
    }

    /// <summary>Output height.</summary>
    public int OutHeight => (Height * Upsample + PadBefore + PadAfter - Kernel) / Stride + 1;

    /// <summary>Output width.</summary>
    public int OutWidth => (Width * Upsample + PadBefore + PadAfter - Kernel) / Stride + 1;

    /// <summary>Length of one filter: Kernel² · InChannels.</summary>
    public int K => Kernel * Kernel * InChannels;

    /// <summary>Elements of the input.</summary>
    public long InputCount => (long)Batch * Height * Width * InChannels;

    /// <summary>Elements of the output.</summary>
    public long OutputCount => (long)Batch * checked(OutHeight * OutWidth) * OutChannels;

    /// <summary>Sizes that make sense.</summary>
    /// <exception cref="ArgumentException">They do not.</exception>
    internal void Require([System.Runtime.CompilerServices.CallerMemberName] string op = "")
    {
        Arguments.Require(Batch >= 0 && Height > 0 && Width > 0 && InChannels > 0 && OutChannels > 0 && Kernel > 0 && Stride > 0 && PadBefore >= 0 && PadAfter >= 0 && Upsample is 1 or 2,
            $"illegal sizes: {Batch} pictures of {Height}x{Width}, {InChannels} to {OutChannels} channels, kernel {Kernel}, stride {Stride}, padding {PadBefore}/{PadAfter}, upsample {Upsample}", op);
        Arguments.Require(Height * Upsample + PadBefore + PadAfter >= Kernel && Width * Upsample + PadBefore + PadAfter >= Kernel, $"a picture of {Height}x{Width} is smaller than the {Kernel}x{Kernel} filter", op);
    }

    /// <summary>Least work of the direct form.</summary>
    public OpWork Work => new("Conv2d",
        2.0 * Batch * OutHeight * OutWidth * OutChannels * K,
        4.0 * ((double)Batch * Height * Width * InChannels + (double)OutChannels * K + (double)Batch * OutHeight * OutWidth * OutChannels));
}
