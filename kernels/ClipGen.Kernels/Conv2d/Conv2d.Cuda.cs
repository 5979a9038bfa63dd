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
        Conv2dPlain(input, shape, Rows(filter), epilogue, output);
    }

    /// <inheritdoc/>
    public void Conv2dPlain(View<float> input, in Conv2dShape shape, View<float> filter, in Epilogue epilogue, View<float> output)
    {
        shape.Require();
        Arguments.Length(filter, (long)shape.OutChannels * shape.K);
        Arguments.Length(input, shape.InputCount);
        Arguments.Length(output, shape.OutputCount);
        Arguments.OptionalLength(epilogue.Bias, shape.OutChannels);
        Arguments.OptionalLength(epilogue.Residual, shape.OutputCount);
        var pixels = checked(shape.Batch * shape.OutHeight * shape.OutWidth);
        if (!BFloat16Products)
        {
            Product(new TilePatches { Pictures = View(input), Geometry = new TileGeometry(shape) }, new TileRows { Values = View(filter), Length = shape.K }, pixels, shape.OutChannels, shape.K, epilogue, output);
            return;
        }
        // Channels filled up to whole chunks, in the pictures and in the filter: a chunk lies under one tap.
        var filled = shape with { InChannels = Filled(shape.InChannels) };
        using var pictures = Rounded(input, (long)shape.Batch * shape.Height * shape.Width, shape.InChannels, out var x);
        using var taps = Rounded(filter, (long)shape.OutChannels * shape.Kernel * shape.Kernel, shape.InChannels, out var w);
        TensorCoreProduct(new ChunkPatches { Pictures = x, Geometry = new ChunkGeometry(filled), Pixels = pixels, K = filled.K },
            new ChunkRows { Values = w, Rows = shape.OutChannels, RowChunks = filled.K / TensorCoreTileCuda.Chunk }, pixels, shape.OutChannels, filled.K, epilogue, output);
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
            var geometry = new TileGeometry(shape);
            Product(new TileScatter { Gradients = View(outputGradient), Geometry = geometry }, new TileTaps { Filter = View(filter), Geometry = geometry }, pixels, shape.InChannels, checked(views * shape.OutChannels), default, inputGradient);
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
            TensorCoreProduct(new ChunkPatches { Pictures = dy, Geometry = new ChunkGeometry(turned), Pixels = pixels, K = k },
                new ChunkTaps { Filter = w, Geometry = new ChunkGeometry(filled), Filters = shape.OutChannels, K = k, IsTurned = 1 }, pixels, shape.InChannels, k, default, inputGradient);
            return;
        }
        TensorCoreProduct(new ChunkScatter { Gradients = dy, Geometry = new ChunkGeometry(filled), Pixels = pixels, K = k },
            new ChunkTaps { Filter = w, Geometry = new ChunkGeometry(filled), Filters = shape.OutChannels, K = k }, pixels, shape.InChannels, k, default, inputGradient);
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
            Product(new TileColumns { Values = View(outputGradient), Rows = shape.OutChannels }, new TilePatchColumns { Pictures = View(input), Geometry = new TileGeometry(shape) }, shape.OutChannels, shape.K, pixels, default, filterGradient);
            return;
        }
        var filled = shape with { InChannels = Filled(shape.InChannels) };
        using var gradients = Rounded(outputGradient, pixels, shape.OutChannels, out var dy);
        using var pictures = Rounded(input, (long)shape.Batch * shape.Height * shape.Width, shape.InChannels, out var x);
        TensorCoreProduct(new ChunkColumns { Values = dy, K = pixels, RowChunks = Filled(shape.OutChannels) / TensorCoreTileCuda.Chunk },
            new ChunkPatchColumns { Pictures = x, Geometry = new ChunkGeometry(filled), Pixels = pixels, Rows = filled.K }, shape.OutChannels, filled.K, pixels, default, filterGradient, filled.InChannels, shape.InChannels);
    }
}

/// <summary>Sizes of a convolution as kernels use them.</summary>
internal readonly struct TileGeometry(in Conv2dShape shape)
{
    public readonly int Height = shape.Height, Width = shape.Width, InChannels = shape.InChannels, OutChannels = shape.OutChannels, Kernel = shape.Kernel, Stride = shape.Stride;
    public readonly int Pad = shape.PadBefore, Upsample = shape.Upsample, OutHeight = shape.OutHeight, OutWidth = shape.OutWidth;

    /// <summary>Place of an input element under tap k = (i, j, c) of an output pixel, or −1 outside the picture.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long Under(int pixel, int k)
    {
        int c = k % InChannels, tap = k / InChannels;
        int column = pixel % OutWidth, rest = pixel / OutWidth;
        int h = rest % OutHeight * Stride - Pad + tap / Kernel, w = column * Stride - Pad + tap % Kernel;
        if (h < 0 || w < 0 || h >= Height * Upsample || w >= Width * Upsample) return -1;
        return (((long)(rest / OutHeight) * Height + h / Upsample) * Width + w / Upsample) * InChannels + c;
    }

    /// <summary>Place of the output element that looked at an input pixel through k = (copy, i, j, o), or −1 where none did.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long Over(int pixel, int k)
    {
        int o = k % OutChannels, tap = k / OutChannels % (Kernel * Kernel), copy = k / OutChannels / (Kernel * Kernel);
        int column = pixel % Width * Upsample + copy % Upsample, rest = pixel / Width;
        int line = rest % Height * Upsample + copy / Upsample;
        int h = line + Pad - tap / Kernel, w = column + Pad - tap % Kernel;
        if (h < 0 || w < 0 || h % Stride != 0 || w % Stride != 0 || h / Stride >= OutHeight || w / Stride >= OutWidth) return -1;
        return (((long)(rest / Height) * OutHeight + h / Stride) * OutWidth + w / Stride) * OutChannels + o;
    }

    /// <summary>Number of the filter and its tap that k = (copy, i, j, o) means.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public (int Filter, int Tap) TapOf(int k) => (k % OutChannels, k / OutChannels % (Kernel * Kernel));
}

/// <summary>Patches of pictures: row = output pixel, k = (i, j, c).</summary>
internal struct TilePatches : ITileOperand
{
    public ArrayView<float> Pictures;
    public TileGeometry Geometry;

    public readonly bool RowsAreNeighbours => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float At(int row, int k)
    {
        var at = Geometry.Under(row, k);
        return at < 0 ? 0 : Pictures[at];
    }
}

/// <summary>The same, transposed: row = (i, j, c), k = output pixel.</summary>
internal struct TilePatchColumns : ITileOperand
{
    public ArrayView<float> Pictures;
    public TileGeometry Geometry;

    public readonly bool RowsAreNeighbours => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float At(int row, int k)
    {
        var at = Geometry.Under(k, row);
        return at < 0 ? 0 : Pictures[at];
    }
}

/// <summary>What came out of an input pixel: row = input pixel, k = (copy, i, j, o); 0 where no output looked at that copy through that tap.</summary>
internal struct TileScatter : ITileOperand
{
    public ArrayView<float> Gradients;
    public TileGeometry Geometry;

    public readonly bool RowsAreNeighbours => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float At(int row, int k)
    {
        var at = Geometry.Over(row, k);
        return at < 0 ? 0 : Gradients[at];
    }
}

/// <summary>The filter for it: row = c, k = (copy, i, j, o).</summary>
internal struct TileTaps : ITileOperand
{
    public ArrayView<float> Filter;
    public TileGeometry Geometry;

    public readonly bool RowsAreNeighbours => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float At(int row, int k)
    {
        var (filter, tap) = Geometry.TapOf(k);
        return Filter[((long)filter * Geometry.Kernel * Geometry.Kernel + tap) * Geometry.InChannels + row];
    }
}
