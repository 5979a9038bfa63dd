using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IEmbedding
{
    /// <inheritdoc/>
    public void Embedding(View<float> table, int tableRows, int width, View<int> indices, View<float> output)
    {
        Arguments.Require(tableRows >= 0 && width >= 0, $"table of {tableRows} rows of {width}");
        Arguments.Length(table, (long)tableRows * width);
        Arguments.Length(output, indices.Length * width);
        LaunchOver(EmbeddingCuda.Embedding, indices.Length * width, new EmbeddingArguments { Table = View(table), Output = View(output), Indices = View(indices), Faults = faults.Note, TableRows = tableRows, Width = width });
    }

    /// <inheritdoc/>
    public void EmbeddingBackward(View<int> indices, View<float> outputGradient, int tableRows, int width, View<float> tableGradient)
    {
        Arguments.Require(tableRows >= 0 && width >= 0, $"table of {tableRows} rows of {width}");
        Arguments.Length(outputGradient, indices.Length * width);
        Arguments.Length(tableGradient, (long)tableRows * width);
        if (width == 0) return;
        Launch(EmbeddingCuda.EmbeddingBackward, tableRows, ThreadsOf(Math.Max(indices.Length, width)), new EmbeddingArguments { Table = View(tableGradient), Output = View(outputGradient), Indices = View(indices), Faults = faults.Note, TableRows = tableRows, Width = width });
    }
}

internal struct EmbeddingArguments
{
    public ArrayView<float> Table, Output;
    public ArrayView<int> Indices, Faults;
    public int TableRows, Width;
}

/// <summary>Look-up and its gradient.</summary>
internal static class EmbeddingCuda
{
    /// <summary>A thread per element of the output.</summary>
    [CudaKernel]
    public static void Embedding(EmbeddingArguments a)
    {
        for (var i = GridStride.First; i < a.Indices.Length * a.Width; i += GridStride.Step)
        {
            var place = i / a.Width;
            var index = a.Indices[place];
            if (index < 0 || index >= a.TableRows) CudaFaults.Write(a.Faults, CudaFault.Index, (int)place, index, a.TableRows);
            else a.Output[i] = a.Table[(long)index * a.Width + i % a.Width];
        }
    }

    /// <summary>
    /// A group per row of the table: it looks through all indices, a group's width at a time, and adds the rows of the places that name its row, in their order. No two groups write the same
    /// element, so no atomic sum and one order.
    /// </summary>
    [CudaKernel]
    public static void EmbeddingBackward(EmbeddingArguments a)
    {
        var row = Grid.IdxX;
        var mine = SharedMemory.Allocate<int>(CudaBackend.MostThreads);
        for (var c = Group.IdxX; c < a.Width; c += Group.DimX) a.Table[(long)row * a.Width + c] = 0;
        for (var first = 0L; first < a.Indices.Length; first += Group.DimX)
        {
            var place = first + Group.IdxX;
            var index = place < a.Indices.Length ? a.Indices[place] : -1;
            if (row == 0 && place < a.Indices.Length && (index < 0 || index >= a.TableRows)) CudaFaults.Write(a.Faults, CudaFault.Index, (int)place, index, a.TableRows);
            mine[Group.IdxX] = index == row && place < a.Indices.Length ? 1 : 0;
            // Nobody's in most stretches: the vote is the barrier at once.
            if (Group.BarrierOr(index == row && place < a.Indices.Length))
            {
                for (var t = 0; t < Group.DimX; t++)
                {
                    if (mine[t] == 0) continue;
                    for (var c = Group.IdxX; c < a.Width; c += Group.DimX) a.Table[(long)row * a.Width + c] += a.Output[(first + t) * a.Width + c];
                }
            }
            Group.Barrier();
        }
    }
}
