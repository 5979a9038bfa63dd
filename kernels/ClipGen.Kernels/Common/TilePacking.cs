using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ClipGen.Kernels;

/// <summary>Rearranges rows into the panels that <see cref="GemmTile"/> reads.</summary>
internal static unsafe class TilePacking
{
    /// <summary>
    /// Writes <paramref name="depth"/> steps of a panel of A: <c>panel[k][r] = rows[r][k]</c> for r below <paramref name="rowCount"/>.
    /// Missing rows repeat the last one, so that a tile never computes on stale values.
    /// </summary>
    public static void PackA(float** rows, int rowCount, int depth, int panelRows, float* panel)
    {
        for (var r = rowCount; r < panelRows; r++) rows[r] = rows[rowCount - 1];
        if (Avx512F.IsSupported && panelRows == 12)
        {
            Transpose12(rows, depth, panel);
            return;
        }
        var group = 0;
        for (; group + 4 <= panelRows; group += 4)
            Transpose4(rows[group], rows[group + 1], rows[group + 2], rows[group + 3], depth, panelRows, panel + group);
        for (; group + 2 <= panelRows; group += 2) Transpose2(rows[group], rows[group + 1], depth, panelRows, panel + group);
    }

    /// <summary>
    /// Writes <paramref name="depth"/> steps of neighbouring panels of A from a matrix that holds it transposed, a row of M for each k:
    /// <c>panels[c / panelRows][k][c % panelRows] = source[k · stride + c]</c>. The tile of a step is a run of memory, so nothing is rearranged.
    /// Rows that the last panel lacks repeat its last one.
    /// </summary>
    /// <param name="source">First row.</param>
    /// <param name="stride">Floats between two rows.</param>
    /// <param name="columns">Columns to take, which become rows of A.</param>
    /// <param name="depth">Rows to take.</param>
    /// <param name="panelRows">Rows of a panel of A: 4, 6 or 12.</param>
    /// <param name="panels">First step of the first panel.</param>
    /// <param name="panelFloats">Floats between two panels.</param>
    public static void PackAColumns(float* source, long stride, int columns, int depth, int panelRows, float* panels, long panelFloats)
    {
        var whole = columns / panelRows;
        var rest = columns % panelRows;
        for (var k = 0; k < depth; k++)
        {
            // Row by row of the source, all panels at once: each cache line is read once, and the panels are written as streams.
            var from = source + k * stride;
            var to = panels + (long)k * panelRows;
            for (var panel = 0; panel < whole; panel++)
            {
                Vector128.Load(from).Store(to);
                if (panelRows == 6)
                {
                    *(long*)(to + 4) = *(long*)(from + 4);
                }
                else if (panelRows == 12)
                {
                    Vector128.Load(from + 4).Store(to + 4);
                    Vector128.Load(from + 8).Store(to + 8);
                }
                from += panelRows;
                to += panelFloats;
            }
            if (rest == 0) continue;
            for (var r = 0; r < panelRows; r++) to[r] = from[Math.Min(r, rest - 1)];
        }
    }

    /// <summary>
    /// Writes <paramref name="depth"/> steps of neighbouring panels of B from a matrix that holds it transposed, a row of N for each k:
    /// <c>panels[n / 16][k][n % 16] = source[k · stride + n]</c>. Columns that the last panel lacks are zeros.
    /// </summary>
    public static void PackBColumns(float* source, long stride, int columns, int depth, float* panels, long panelFloats)
    {
        var whole = columns / GemmTile.PanelColumns;
        var rest = columns % GemmTile.PanelColumns;
        for (var k = 0; k < depth; k++)
        {
            var from = source + k * stride;
            var to = panels + (long)k * GemmTile.PanelColumns;
            for (var panel = 0; panel < whole; panel++)
            {
                Vector256.Load(from).Store(to);
                Vector256.Load(from + 8).Store(to + 8);
                from += GemmTile.PanelColumns;
                to += panelFloats;
            }
            if (rest == 0) continue;
            for (var n = 0; n < rest; n++) to[n] = from[n];
            for (var n = rest; n < GemmTile.PanelColumns; n++) to[n] = 0;
        }
    }

    /// <summary>Writes <paramref name="depth"/> steps of zeros into neighbouring panels of B.</summary>
    public static void ClearBPanels(int panelCount, int depth, float* panels, long panelFloats)
    {
        for (var panel = 0; panel < panelCount; panel++) new Span<float>(panels + panel * panelFloats, checked(depth * GemmTile.PanelColumns)).Clear();
    }

    /// <summary>
    /// Writes rows of a [N,K] operand into their columns of the panels: <c>panels[n / 16][k][n % 16] = rows[(n − first) · stride + k]</c> for n from <paramref name="first"/> on,
    /// a whole panel of sixteen or four neighbours at a time where they begin at a multiple of that.
    /// </summary>
    /// <param name="rows">Row <paramref name="first"/>.</param>
    /// <param name="stride">Floats between two rows.</param>
    /// <param name="first">Its number.</param>
    /// <param name="count">Rows to take.</param>
    /// <param name="k">Floats of a row.</param>
    /// <param name="panels">The operand's first panel.</param>
    public static void PackBRows(float* rows, long stride, int first, int count, int k, float* panels)
    {
        for (int n = first, end = first + count, taken; n < end; n += taken, rows += taken * stride)
        {
            var column = Column(n, k, panels);
            taken = Avx512F.IsSupported && n % GemmTile.PanelColumns == 0 && n + GemmTile.PanelColumns <= end ? GemmTile.PanelColumns : n % 4 == 0 && n + 4 <= end ? 4 : 1;
            if (taken == GemmTile.PanelColumns) Transpose16(rows, stride, k, column);
            else if (taken == 4) Transpose4(rows, rows + stride, rows + 2 * stride, rows + 3 * stride, k, GemmTile.PanelColumns, column);
            else
                for (var i = 0; i < k; i++) column[(long)i * GemmTile.PanelColumns] = rows[i];
        }
    }

    /// <summary>Writes zeros into a column: one that pads the last group is computed with, and zeros keep it finite.</summary>
    public static void ClearBRow(int n, int k, float* panels)
    {
        var column = Column(n, k, panels);
        for (var i = 0; i < k; i++) column[(long)i * GemmTile.PanelColumns] = 0;
    }

    private static float* Column(int n, int k, float* panels) =>
        panels + (long)(n / GemmTile.PanelColumns) * k * GemmTile.PanelColumns + n % GemmTile.PanelColumns;

    private static void Transpose16(float* rows, long stride, int depth, float* output)
    {
        var k = 0;
        for (; k + 4 <= depth; k += 4, rows += 4, output += 4 * GemmTile.PanelColumns)
        {
            // Vector i holds rows i, 4 + i, 8 + i and 12 + i; the four vectors' values meet lane by lane, as those of four rows do in Transpose4.
            Vector512<float> a = Quarter(rows, stride), b = Quarter(rows + stride, stride), c = Quarter(rows + 2 * stride, stride), d = Quarter(rows + 3 * stride, stride);
            Vector512<double> ab0 = Avx512F.UnpackLow(a, b).AsDouble(), ab1 = Avx512F.UnpackHigh(a, b).AsDouble(), cd0 = Avx512F.UnpackLow(c, d).AsDouble(), cd1 = Avx512F.UnpackHigh(c, d).AsDouble();
            Avx512F.UnpackLow(ab0, cd0).AsSingle().Store(output);
            Avx512F.UnpackHigh(ab0, cd0).AsSingle().Store(output + GemmTile.PanelColumns);
            Avx512F.UnpackLow(ab1, cd1).AsSingle().Store(output + 2 * GemmTile.PanelColumns);
            Avx512F.UnpackHigh(ab1, cd1).AsSingle().Store(output + 3 * GemmTile.PanelColumns);
        }
        for (; k < depth; k++, rows++, output += GemmTile.PanelColumns)
            for (var r = 0; r < GemmTile.PanelColumns; r++) output[r] = rows[r * stride];

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector512<float> Quarter(float* row, long stride) => Vector512.Create(
            Vector256.Create(Vector128.Load(row), Vector128.Load(row + 4 * stride)),
            Vector256.Create(Vector128.Load(row + 8 * stride), Vector128.Load(row + 12 * stride)));
    }

    private static void Transpose12(float** rows, int depth, float* output)
    {
        var k = 0;
        for (; k + 4 <= depth; k += 4, output += 4 * 12)
        {
            // Lane j of vector i holds row 4j + i; after two rounds of interleaving vector i holds the twelve rows at step k + i, and nothing in its last lane.
            Vector512<float> a = Rows(rows, 0, k), b = Rows(rows, 1, k), c = Rows(rows, 2, k), d = Rows(rows, 3, k);
            Vector512<double> ab0 = Avx512F.UnpackLow(a, b).AsDouble(), ab1 = Avx512F.UnpackHigh(a, b).AsDouble(), cd0 = Avx512F.UnpackLow(c, d).AsDouble(), cd1 = Avx512F.UnpackHigh(c, d).AsDouble();
            // Each store covers four floats of the next step, which is stored after it.
            Avx512F.UnpackLow(ab0, cd0).AsSingle().Store(output);
            Avx512F.UnpackHigh(ab0, cd0).AsSingle().Store(output + 12);
            Avx512F.UnpackLow(ab1, cd1).AsSingle().Store(output + 24);
            var last = Avx512F.UnpackHigh(ab1, cd1).AsSingle();
            last.GetLower().Store(output + 36);
            last.GetUpper().GetLower().Store(output + 44);
        }
        for (; k < depth; k++, output += 12)
            for (var r = 0; r < 12; r++) output[r] = rows[r][k];

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector512<float> Rows(float** rows, int first, int k) => Vector512.Create(
            Vector256.Create(Vector128.Load(rows[first] + k), Vector128.Load(rows[first + 4] + k)),
            Vector256.Create(Vector128.Load(rows[first + 8] + k), Vector128<float>.Zero));
    }

    private static void Transpose4(float* row0, float* row1, float* row2, float* row3, int depth, int stride, float* output)
    {
        var k = 0;
        for (; k + 4 <= depth; k += 4)
        {
            var a = Vector128.Load(row0 + k);
            var b = Vector128.Load(row1 + k);
            var c = Vector128.Load(row2 + k);
            var d = Vector128.Load(row3 + k);
            // Two rounds of interleaving: pairs of rows, then pairs of pairs.
            var ab0 = Interleave(a, b, false);
            var ab1 = Interleave(a, b, true);
            var cd0 = Interleave(c, d, false);
            var cd1 = Interleave(c, d, true);
            var to = output + (long)k * stride;
            Vector128.Create(ab0.GetLower(), cd0.GetLower()).Store(to);
            Vector128.Create(ab0.GetUpper(), cd0.GetUpper()).Store(to + stride);
            Vector128.Create(ab1.GetLower(), cd1.GetLower()).Store(to + 2L * stride);
            Vector128.Create(ab1.GetUpper(), cd1.GetUpper()).Store(to + 3L * stride);
        }
        for (; k < depth; k++)
        {
            var to = output + (long)k * stride;
            to[0] = row0[k];
            to[1] = row1[k];
            to[2] = row2[k];
            to[3] = row3[k];
        }
    }

    /// <summary>The last two rows of a panel of six.</summary>
    private static void Transpose2(float* row0, float* row1, int depth, int stride, float* output)
    {
        var k = 0;
        for (; k + 4 <= depth; k += 4)
        {
            var a = Vector128.Load(row0 + k);
            var b = Vector128.Load(row1 + k);
            var low = Interleave(a, b, false);
            var high = Interleave(a, b, true);
            var to = output + (long)k * stride;
            low.GetLower().Store(to);
            low.GetUpper().Store(to + stride);
            high.GetLower().Store(to + 2L * stride);
            high.GetUpper().Store(to + 3L * stride);
        }
        for (; k < depth; k++)
        {
            output[(long)k * stride] = row0[k];
            output[(long)k * stride + 1] = row1[k];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Interleave(Vector128<float> a, Vector128<float> b, bool upper)
    {
        if (Sse.IsSupported)
            return upper ? Sse.UnpackHigh(a, b) : Sse.UnpackLow(a, b);
        if (System.Runtime.Intrinsics.Arm.AdvSimd.Arm64.IsSupported)
            return upper ? System.Runtime.Intrinsics.Arm.AdvSimd.Arm64.ZipHigh(a, b) : System.Runtime.Intrinsics.Arm.AdvSimd.Arm64.ZipLow(a, b);
        return upper ? Vector128.Create(a[2], b[2], a[3], b[3]) : Vector128.Create(a[0], b[0], a[1], b[1]);
    }
}
