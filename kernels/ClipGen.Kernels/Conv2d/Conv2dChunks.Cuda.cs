using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

/// <summary>As <see cref="TilePatches"/>, in chunks of channels.</summary>
internal struct ChunkPatches : IChunkOperand
{
    public ArrayView<UInt4> Pictures;
    public ConvolutionPlaces Places;
    public int Pixels, K;

    public readonly bool KIsInner => true;

    public readonly ArrayView<UInt4> Chunks => Pictures;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ChunkPart RowPart(int row) => Places.OutputPixel(row, row < Pixels);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ChunkPart KPart(int k) => Places.Tap(k, k < K);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int At(ChunkPart row, ChunkPart k) => Places.Under(row, k);
}

/// <summary>As <see cref="TilePatchColumns"/>, in chunks of channels.</summary>
internal struct ChunkPatchColumns : IChunkOperand
{
    public ArrayView<UInt4> Pictures;
    public ConvolutionPlaces Places;
    public int Pixels, Rows;

    public readonly bool KIsInner => false;

    public readonly ArrayView<UInt4> Chunks => Pictures;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ChunkPart RowPart(int row) => Places.Tap(row, row < Rows);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ChunkPart KPart(int k) => Places.OutputPixel(k, k < Pixels);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int At(ChunkPart row, ChunkPart k) => Places.Under(k, row);
}

/// <summary>As <see cref="TileScatter"/>, in chunks of channels.</summary>
internal struct ChunkScatter : IChunkOperand
{
    public ArrayView<UInt4> Gradients;
    public ConvolutionPlaces Places;
    public int Pixels, K;

    public readonly bool KIsInner => true;

    public readonly ArrayView<UInt4> Chunks => Gradients;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ChunkPart RowPart(int row) => Places.InputPixel(row, row < Pixels);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ChunkPart KPart(int k) => Places.Way(k, k < K);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int At(ChunkPart row, ChunkPart k) => Places.Over(row, k);
}

/// <summary>As <see cref="TileTaps"/>, in chunks of channels.</summary>
internal struct ChunkTaps : IChunkOperand
{
    public ArrayView<UInt4> Filter;
    public ConvolutionPlaces Places;
    public int Filters, K, IsTurned;

    public readonly bool KIsInner => false;

    public readonly ArrayView<UInt4> Chunks => Filter;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ChunkPart RowPart(int row) => new() { Place = row < Places.InChannels ? row >> 3 : -1 };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ChunkPart KPart(int k)
    {
        var first = Places.FilterRow(k, Filters, IsTurned);
        return new ChunkPart { Place = k < K ? first : -1 };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int At(ChunkPart row, ChunkPart k)
    {
        var place = row.Place + k.Place;
        return row.Place < 0 | k.Place < 0 ? -1 : place;
    }
}
