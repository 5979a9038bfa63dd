namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : ISampling
{
    /// <inheritdoc/>
    public void FilterLogits(View<float> logits, int rows, int columns, in SamplingFilter filter, View<float> output)
    {
        RequireLogits(logits, rows, columns, filter);
        Arguments.Length(output, (long)rows * columns);
        float* x = Pointer(logits), y = Pointer(output);
        var f = filter;
        Workers.For(rows, r => SamplingKernel.Filter(x + (long)r * columns, r, columns, f, y + (long)r * columns));
    }

    /// <inheritdoc/>
    public void Sample(View<float> logits, int rows, int columns, in SamplingFilter filter, View<float> uniforms, View<int> output)
    {
        RequireLogits(logits, rows, columns, filter);
        Arguments.Length(uniforms, rows);
        Arguments.Length(output, rows);
        float* x = Pointer(logits), u = Pointer(uniforms);
        var chosen = Pointer(output);
        var f = filter;
        Workers.For(rows, r =>
        {
            var kept = rowScratch.Floats(columns);
            SamplingKernel.Filter(x + (long)r * columns, r, columns, f, kept);
            chosen[r] = SamplingKernel.Draw(kept, columns, u[r]);
        });
    }

    private static void RequireLogits(View<float> logits, int rows, int columns, in SamplingFilter filter, [System.Runtime.CompilerServices.CallerMemberName] string op = "")
    {
        Arguments.Require(rows >= 0 && columns > 0, $"{rows} rows of {columns} logits", op);
        Arguments.Length(logits, (long)rows * columns, nameof(logits), op);
        SamplingRules.Require(filter);
    }
}

/// <summary>Filter and draw of one row.</summary>
internal static unsafe class SamplingKernel
{
    /// <summary>Temperature, top-k, nucleus. Only the entries that top-k keeps are sorted, and only when a nucleus is asked for.</summary>
    public static void Filter(float* logits, int row, int columns, in SamplingFilter filter, float* output)
    {
        var finite = false;
        for (var c = 0; c < columns; c++)
        {
            // NaN and +∞ have no probability to compare with the others; −∞ is an entry that was removed before.
            if (!(logits[c] < float.PositiveInfinity)) throw new ArgumentException($"Sampling: logit {c} of row {row} is {logits[c]}; the model's weights or its input are broken");
            output[c] = logits[c] / filter.Temperature;
            if (!float.IsNegativeInfinity(logits[c])) finite = true;
        }
        if (!finite) throw new ArgumentException($"Sampling: row {row} has no finite logit to choose");
        if (filter.TopK > 0 && filter.TopK < columns)
        {
            var threshold = KthLargest(output, columns, filter.TopK);
            for (var c = 0; c < columns; c++)
                if (output[c] < threshold) output[c] = float.NegativeInfinity;
        }
        if (filter.TopP < 1) Nucleus(output, columns, filter.TopP);
    }

    /// <summary>The first index, in vocabulary order, at which the cumulative probability exceeds u.</summary>
    public static int Draw(float* kept, int columns, float u)
    {
        var max = float.NegativeInfinity;
        for (var c = 0; c < columns; c++) max = MathF.Max(max, kept[c]);
        var total = 0.0;
        for (var c = 0; c < columns; c++)
            if (!float.IsNegativeInfinity(kept[c])) total += Math.Exp((double)kept[c] - max);
        var mass = 0.0;
        var chosen = -1;
        for (var c = 0; c < columns; c++)
        {
            if (float.IsNegativeInfinity(kept[c])) continue;
            chosen = c;
            mass += Math.Exp((double)kept[c] - max) / total;
            if (mass > u) break;
        }
        return chosen;
    }

    private static void Nucleus(float* values, int columns, float p)
    {
        var count = 0;
        for (var c = 0; c < columns; c++)
            if (!float.IsNegativeInfinity(values[c])) count++;
        if (count <= 1) return;
        var order = System.Buffers.ArrayPool<int>.Shared.Rent(count);
        var keys = System.Buffers.ArrayPool<float>.Shared.Rent(count);
        try
        {
            var i = 0;
            for (var c = 0; c < columns; c++)
            {
                if (float.IsNegativeInfinity(values[c])) continue;
                order[i] = c;
                keys[i++] = values[c];
            }
            var max = float.NegativeInfinity;
            for (i = 0; i < count; i++) max = MathF.Max(max, keys[i]);
            var total = 0.0;
            for (i = 0; i < count; i++) total += Math.Exp((double)keys[i] - max);
            // Descending, equal ones in vocabulary order.
            order.AsSpan(0, count).Sort(new ByValue(values));
            var before = 0.0;
            for (i = 0; i < count; i++)
            {
                var c = order[i];
                var mass = Math.Exp((double)values[c] - max) / total;
                if (i > 0 && before > p) values[c] = float.NegativeInfinity;
                before += mass;
            }
        }
        finally
        {
            System.Buffers.ArrayPool<int>.Shared.Return(order);
            System.Buffers.ArrayPool<float>.Shared.Return(keys);
        }
    }

    /// <summary>Quickselect by value on a copy.</summary>
    private static float KthLargest(float* values, int count, int k)
    {
        var copy = System.Buffers.ArrayPool<float>.Shared.Rent(count);
        new Span<float>(values, count).CopyTo(copy);
        int low = 0, high = count - 1, target = k - 1;
        while (low < high)
        {
            // Median of three, so that sorted rows are no worst case.
            float a = copy[low], b = copy[(low + high) / 2], c = copy[high];
            var pivot = MathF.Max(MathF.Min(a, b), MathF.Min(MathF.Max(a, b), c));
            int i = low, j = high;
            while (i <= j)
            {
                while (copy[i] > pivot) i++;
                while (copy[j] < pivot) j--;
                if (i > j) break;
                (copy[i], copy[j]) = (copy[j], copy[i]);
                i++;
                j--;
            }
            if (target <= j) high = j;
            else if (target >= i) low = i;
            else break;
        }
        var result = copy[target];
        System.Buffers.ArrayPool<float>.Shared.Return(copy);
        return result;
    }

    private readonly struct ByValue(float* values) : IComparer<int>
    {
        private readonly float* values = values;

        public int Compare(int x, int y)
        {
            var byValue = values[y].CompareTo(values[x]);
            return byValue != 0 ? byValue : x.CompareTo(y);
        }
    }
}
