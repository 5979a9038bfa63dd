namespace ClipGen.Tensors;

/// <summary>Table look-up.</summary>
public static class EmbeddingOp
{
    /// <summary>Rows of a table: indices [...] of int and table [V, C] -> [..., C]. Gradient of a row: the sum over the places that looked it up, in their order.</summary>
    public static Tensor Embedding(this Tensor indices, Tensor table)
    {
        ShapeException.Require(table.Shape.Rank == 2, "Embedding", $"table {table.Shape} must be [V, C]");
        int rows = table.Shape[0], width = table.Shape[1];
        var output = table.Device.Empty(new Shape([.. indices.Shape.Axes, width]));
        table.Device.Backend.Embedding(table.Floats, rows, width, indices.Ints, output.Floats);
        if (Tape.Wants(table))
            Tape.Record("Embedding", output, [table], [indices], (dy, saved, gradients) =>
            {
                var gradient = gradients.Empty(0);
                dy.Device.Backend.EmbeddingBackward(saved[0].Ints, dy.Floats, rows, width, gradient.Floats);
                gradients.Add(0, gradient);
            });
        return output;
    }
}
