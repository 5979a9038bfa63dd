using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IConv2d
{
    /// <inheritdoc/>
    public void Conv2d(View<float> input, in Conv2dShape shape, PackedMatrix filter, in Epilogue epilogue, View<float> output)
    {
        ArgumentNullException.ThrowIfNull(filter);
        Arguments.Require(filter.N == shape.OutChannels && filter.K == shape.K, $"filter [{filter.N}, {filter.K}], expected [{shape.OutChannels}, {shape.K}]");
        RequireConvolution(input, shape, epilogue, output);
        if (BFloat16Products) TensorCoreConvolution(input, shape, Rounded(filter, (long)shape.OutChannels * shape.Kernel * shape.Kernel, shape.InChannels), epilogue, output);
        else Convolution(input, shape, Rows(filter), epilogue, output);
    }

    /// <inheritdoc/>
    public void Conv2dPlain(View<float> input, in Conv2dShape shape, View<float> filter, in Epilogue epilogue, View<float> output)
    {
        RequireConvolution(input, shape, epilogue, output);
        Arguments.Length(filter, (long)shape.OutChannels * shape.K);
        if (!BFloat16Products)
        {
            Convolution(input, shape, filter, epilogue, output);
            return;
        }
        using var memory = Rounded(filter, (long)shape.OutChannels * shape.Kernel * shape.Kernel, shape.InChannels, out var taps);
        TensorCoreConvolution(input, shape, taps, epilogue, output);
    }

    private static void RequireConvolution(View<float> input, in Conv2dShape shape, in Epilogue epilogue, View<float> output)
    {
        shape.Require();
        Arguments.Length(input, shape.InputCount, nameof(input), nameof(Conv2d));
        Arguments.Length(output, shape.OutputCount, nameof(output), nameof(Conv2d));
        Arguments.OptionalLength(epilogue.Bias, shape.OutChannels, nameof(epilogue.Bias), nameof(Conv2d));
        Arguments.OptionalLength(epilogue.Residual, shape.OutputCount, nameof(epilogue.Residual), nameof(Conv2d));
    }

    private void Convolution(View<float> input, in Conv2dShape shape, View<float> filter, in Epilogue epilogue, View<float> output)
    {
        RequirePlaces(shape);
        Product(new TilePatches { Pictures = View(input), Places = new ConvolutionPlaces(shape, 1) }, new TileRows { Values = View(filter), Length = shape.K }, checked(shape.Batch * shape.OutHeight * shape.OutWidth), shape.OutChannels, shape.K, epilogue, output);
    }

    private static void RequirePlaces(in Conv2dShape shape) => Arguments.Require(Math.Max(shape.InputCount, shape.OutputCount) <= int.MaxValue, $"{Math.Max(shape.InputCount, shape.OutputCount)} floats: kernels count a convolution's elements in 31 bits", nameof(Conv2d));

    private void TensorCoreConvolution(View<float> input, in Conv2dShape shape, ArrayView<UInt4> taps, in Epilogue epilogue, View<float> output)
    {
        var pixels = checked(shape.Batch * shape.OutHeight * shape.OutWidth);
        // Channels filled up to whole chunks, in the pictures and in the filter: a chunk lies under one tap.
        var filled = shape with { InChannels = Filled(shape.InChannels) };
        using var pictures = Rounded(input, (long)shape.Batch * shape.Height * shape.Width, shape.InChannels, out var x);
        TensorCoreProduct(new ChunkPatches { Pictures = x, Places = new ConvolutionPlaces(filled, TensorCoreTileCuda.Chunk), Pixels = pixels, K = filled.K },
            new ChunkRows { Values = taps, Rows = shape.OutChannels, RowChunks = filled.K / TensorCoreTileCuda.Chunk }, pixels, shape.OutChannels, filled.K, epilogue, output);
    }

    /// <inheritdoc/>
    public void Conv2dBackwardInput(View<float> outputGradient, in Conv2dShape shape, View<float> filter, View<float> inputGradient)
    {
        shape.Require();
        Arguments.Length(filter, (long)shape.OutChannels * shape.K);
        Arguments.Length(outputGradient, shape.OutputCount);
        Arguments.Length(inputGradient, shape.InputCount);
        // K runs over the copies of a pixel (four where the picture was enlarged), the taps and the output channels.
        int pixels = checked(shape.Batch * shape.Height * shape.Width), views = checked(shape.Upsample * shape.Upsample * shape.Kernel * shape.Kernel);
        if (!BFloat16Products)
        {
            RequirePlaces(shape);
            var places = new ConvolutionPlaces(shape, 1);
            Product(new TileScatter { Gradients = View(outputGradient), Places = places }, new TileTaps { Filter = View(filter), Places = places }, pixels, shape.InChannels, checked(views * shape.OutChannels), default, inputGradient);
            return;
        }
        var filled = shape with { InChannels = Filled(shape.InChannels), OutChannels = Filled(shape.OutChannels) };
        var k = checked(views * filled.OutChannels);
        using var gradients = Rounded(outputGradient, (long)shape.Batch * shape.OutHeight * shape.OutWidth, shape.OutChannels, out var dy);
        using var taps = Rounded(filter, (long)shape.OutChannels * shape.Kernel * shape.Kernel, shape.InChannels, out var w);
        if (shape is { Stride: 1, Upsample: 1 } && shape.PadBefore < shape.Kernel && shape.PadAfter < shape.Kernel)
        {
            // A convolution of the gradients with the filter turned round, which is a simpler walk.
            var turned = new Conv2dShape
            {
                Batch = shape.Batch,
                Height = shape.OutHeight,
                Width = shape.OutWidth,
                InChannels = filled.OutChannels,
                OutChannels = shape.InChannels,
                Kernel = shape.Kernel,
                PadBefore = shape.Kernel - 1 - shape.PadBefore,
                PadAfter = shape.Kernel - 1 - shape.PadAfter,
            };
            TensorCoreProduct(new ChunkPatches { Pictures = dy, Places = new ConvolutionPlaces(turned, TensorCoreTileCuda.Chunk), Pixels = pixels, K = k },
                new ChunkTaps { Filter = w, Places = new ConvolutionPlaces(filled, TensorCoreTileCuda.Chunk), Filters = shape.OutChannels, K = k, IsTurned = 1 }, pixels, shape.InChannels, k, default, inputGradient);
            return;
        }
        TensorCoreProduct(new ChunkScatter { Gradients = dy, Places = new ConvolutionPlaces(filled, TensorCoreTileCuda.Chunk), Pixels = pixels, K = k },
            new ChunkTaps { Filter = w, Places = new ConvolutionPlaces(filled, TensorCoreTileCuda.Chunk), Filters = shape.OutChannels, K = k }, pixels, shape.InChannels, k, default, inputGradient);
    }

    /// <inheritdoc/>
    public void Conv2dBackwardFilter(View<float> input, in Conv2dShape shape, View<float> outputGradient, View<float> filterGradient)
    {
        shape.Require();
        Arguments.Length(input, shape.InputCount);
        Arguments.Length(outputGradient, shape.OutputCount);
        Arguments.Length(filterGradient, (long)shape.OutChannels * shape.K);
        var pixels = checked(shape.Batch * shape.OutHeight * shape.OutWidth);
        if (!BFloat16Products)
        {
            RequirePlaces(shape);
            Product(new TileColumns { Values = View(outputGradient), Rows = shape.OutChannels }, new TilePatchColumns { Pictures = View(input), Places = new ConvolutionPlaces(shape, 1) }, shape.OutChannels, shape.K, pixels, default, filterGradient);
            return;
        }
        var filled = shape with { InChannels = Filled(shape.InChannels) };
        using var gradients = Rounded(outputGradient, pixels, shape.OutChannels, out var dy);
        using var pictures = Rounded(input, (long)shape.Batch * shape.Height * shape.Width, shape.InChannels, out var x);
        TensorCoreProduct(new ChunkColumns { Values = dy, K = pixels, RowChunks = Filled(shape.OutChannels) / TensorCoreTileCuda.Chunk },
            new ChunkPatchColumns { Pictures = x, Places = new ConvolutionPlaces(filled, TensorCoreTileCuda.Chunk), Pixels = pixels, Rows = filled.K }, shape.OutChannels, filled.K, pixels, default, filterGradient, filled.InChannels, shape.InChannels);
    }
}

/// <summary>Patches of pictures: row = output pixel, k = (i, j, c).</summary>
internal struct TilePatches : ITileOperand
{
    public ArrayView<float> Pictures;
    public ConvolutionPlaces Places;

    public readonly bool RowsAreNeighbours => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float At(int row, int k)
    {
        var at = Places.Under(Places.OutputPixel(row, true), Places.Tap(k, true));
        return at < 0 ? 0 : Pictures[at];
    }
}

/// <summary>The same, transposed: row = (i, j, c), k = output pixel.</summary>
internal struct TilePatchColumns : ITileOperand
{
    public ArrayView<float> Pictures;
    public ConvolutionPlaces Places;

    public readonly bool RowsAreNeighbours => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float At(int row, int k)
    {
        var at = Places.Under(Places.OutputPixel(k, true), Places.Tap(row, true));
        return at < 0 ? 0 : Pictures[at];
    }
}

/// <summary>What came out of an input pixel: row = input pixel, k = (copy, i, j, o); 0 where no output looked at that copy through that tap.</summary>
internal struct TileScatter : ITileOperand
{
    public ArrayView<float> Gradients;
    public ConvolutionPlaces Places;

    public readonly bool RowsAreNeighbours => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float At(int row, int k)
    {
        var at = Places.Over(Places.InputPixel(row, true), Places.Way(k, true));
        return at < 0 ? 0 : Gradients[at];
    }
}

/// <summary>The filter for it: row = c, k = (copy, i, j, o).</summary>
internal struct TileTaps : ITileOperand
{
    public ArrayView<float> Filter;
    public ConvolutionPlaces Places;

    public readonly bool RowsAreNeighbours => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float At(int row, int k) => Filter[Places.FilterRow(k, int.MaxValue, 0) + row];
}
