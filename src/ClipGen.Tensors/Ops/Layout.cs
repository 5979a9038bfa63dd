namespace ClipGen.Tensors;

/// <summary>Rearrangements.</summary>
public static class LayoutOp
{
    /// <summary>[N, C, H, W] -> [N, H, W, C].</summary>
    public static Tensor ToChannelsLast(this Tensor x)
    {
        ShapeException.Require(x.Shape.Rank == 4, "ToChannelsLast", $"input {x.Shape} must be [N, C, H, W]");
        var output = x.Device.Empty(new Shape(x.Shape[0], x.Shape[2], x.Shape[3], x.Shape[1]));
        x.Device.Backend.Transpose(x.Floats, x.Shape[0], x.Shape[1], x.Shape[2] * x.Shape[3], output.Floats);
        if (Tape.Wants(x)) Tape.Record("ToChannelsLast", output, [x], [], static (dy, _, gradients) => gradients.Add(0, dy.ToChannelsFirst()));
        return output;
    }

    /// <summary>[N, H, W, C] -> [N, C, H, W].</summary>
    public static Tensor ToChannelsFirst(this Tensor x)
    {
        ShapeException.Require(x.Shape.Rank == 4, "ToChannelsFirst", $"input {x.Shape} must be [N, H, W, C]");
        var output = x.Device.Empty(new Shape(x.Shape[0], x.Shape[3], x.Shape[1], x.Shape[2]));
        x.Device.Backend.Transpose(x.Floats, x.Shape[0], x.Shape[1] * x.Shape[2], x.Shape[3], output.Floats);
        if (Tape.Wants(x)) Tape.Record("ToChannelsFirst", output, [x], [], static (dy, _, gradients) => gradients.Add(0, dy.ToChannelsLast()));
        return output;
    }

    /// <summary>[M, N] -> [N, M].</summary>
    public static Tensor Transpose(this Tensor x)
    {
        ShapeException.Require(x.Shape.Rank == 2, "Transpose", $"input {x.Shape} must be a matrix");
        var output = x.Device.Empty(new Shape(x.Shape[1], x.Shape[0]));
        x.Device.Backend.Transpose(x.Floats, 1, x.Shape[0], x.Shape[1], output.Floats);
        if (Tape.Wants(x)) Tape.Record("Transpose", output, [x], [], static (dy, _, gradients) => gradients.Add(0, dy.Transpose()));
        return output;
    }

    /// <summary>Puts <paramref name="first"/> [N, S, C] (or [S, C], repeated for every n) in front of x [N, T, C] along the middle axis.</summary>
    public static Tensor Prepend(this Tensor x, Tensor first)
    {
        var shared = first.Shape.Rank == 2;
        ShapeException.Require(x.Shape.Rank == 3 && first.Shape.Rank is 2 or 3 && first.Shape[^1] == x.Shape[2] && (shared || first.Shape[0] == x.Shape[0]), "Prepend", $"{first.Shape} in front of {x.Shape}");
        int batch = x.Shape[0], added = first.Shape[^2], length = x.Shape[1], width = x.Shape[2], row = (added + length) * width;
        var output = x.Device.Empty(new Shape(batch, added + length, width));
        var y = output.Floats;
        x.Device.Backend.CopyRows(first.Floats, shared ? 0 : added * width, batch, added * width, row, y);
        x.Device.Backend.CopyRows(x.Floats, length * width, batch, length * width, row, y.Slice((long)added * width, y.Length - (long)added * width));
        if (Tape.Wants(x, first))
            Tape.Record("Prepend", output, [x, first], [], (dy, _, gradients) =>
            {
                var backend = dy.Device.Backend;
                if (gradients.Needs(0))
                {
                    var dx = gradients.Empty(0);
                    backend.CopyRows(dy.Floats.Slice((long)added * width, dy.Count - (long)added * width), row, batch, length * width, length * width, dx.Floats);
                    gradients.Add(0, dx);
                }
                if (!gradients.Needs(1)) return;
                var parts = dy.Device.Empty(new Shape(batch, added * width));
                backend.CopyRows(dy.Floats, row, batch, added * width, added * width, parts.Floats);
                if (!shared)
                {
                    gradients.Add(1, parts);
                    return;
                }
                var sum = gradients.Empty(1);
                backend.SumColumns(parts.Floats, batch, added * width, sum.Floats);
                gradients.Add(1, sum);
            });
        return output;
    }

    /// <summary>x [N, T, C] at positions t[n] -> [N, C].</summary>
    public static Tensor SelectPositions(this Tensor x, ReadOnlySpan<int> positions)
    {
        ShapeException.Require(x.Shape.Rank == 3 && positions.Length == x.Shape[0], "SelectPositions", $"{positions.Length} positions for {x.Shape}");
        var rows = new int[positions.Length];
        for (var n = 0; n < rows.Length; n++)
        {
            ShapeException.Require(positions[n] >= 0 && positions[n] < x.Shape[1], "SelectPositions", $"position {positions[n]} of {x.Shape}");
            rows[n] = n * x.Shape[1] + positions[n];
        }
        using var indices = x.Device.From(rows, new Shape(rows.Length));
        using var table = x.Reshape(x.Shape[0] * x.Shape[1], x.Shape[2]);
        return indices.Embedding(table);
    }
}
