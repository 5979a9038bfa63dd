namespace ClipGen.Tensors;

/// <summary>Table look-up.</summary>
public static class EmbeddingOp
{
    /// <summary>Rows of a table: indices [...] of int and table [V, C] -> [..., C].</summary>
    public static Tensor Embedding(this Tensor indices, Tensor table)
    {
        ShapeException.Require(table.Shape.Rank == 2, "Embedding", $"table {table.Shape} must be [V, C]");
        var output = table.Device.Empty(new Shape([.. indices.Shape.Axes, table.Shape[1]]));
        table.Device.Backend.Embedding(table.Floats, table.Shape[0], table.Shape[1], indices.Ints, output.Floats);
        return output;
    }
}
