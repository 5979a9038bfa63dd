using System.Runtime.CompilerServices;

namespace ClipGen.Kernels;

/// <summary>
/// Runs every call on a host backend and on the double-precision reference, with the same inputs, and stops at the first op whose
/// result differs: the way to find which of ten thousand calls goes wrong. Slow; for small models.
/// </summary>
/// <param name="inner">The backend under test; it must compute in host memory.</param>
/// <param name="tolerance">Accepted ‖found − expected‖ / ‖expected‖ of each written view. One float32 op on well-scaled data stays below 1e-5.</param>
public sealed class VerifyingBackend(IBackend inner, double tolerance = 1e-5) : WrappingBackend(inner)
{
    private readonly ReferenceBackend reference = new();
    private readonly ConditionalWeakTable<PackedMatrix, PackedMatrix> references = [];

    /// <inheritdoc/>
    public override string Name => Inner.Name;

    /// <summary>Calls verified so far.</summary>
    public long Calls { get; private set; }

    /// <inheritdoc/>
    public override PackedMatrix AllocatePacked(int n, int k, PackedType type = PackedType.Float32)
    {
        var packed = base.AllocatePacked(n, k, type);
        references.Add(packed, reference.AllocatePacked(n, k, type));
        return packed;
    }

    /// <inheritdoc/>
    public override void PackRows(ReadOnlySpan<float> rows, int firstRow, int rowCount, PackedMatrix destination)
    {
        base.PackRows(rows, firstRow, rowCount, destination);
        reference.PackRows(rows, firstRow, rowCount, OperandOf(reference, destination));
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        foreach (var (_, twin) in references) twin.Dispose();
        reference.Dispose();
    }

    /// <inheritdoc/>
    protected override PackedMatrix OperandOf(IBackend backend, PackedMatrix packed)
    {
        if (!ReferenceEquals(backend, reference)) return packed;
        return references.TryGetValue(packed, out var twin)
            ? twin
            : throw new InvalidOperationException("a packed weight that was not allocated through the verifying backend");
    }

    /// <inheritdoc/>
    protected override void Around(OpWork work, Action<IBackend> call, params ReadOnlySpan<Written> outputs)
    {
        // Outputs may also be inputs (in-place ops, caches), so both runs start from the same bytes.
        var before = Read(outputs);
        call(Inner);
        var found = Read(outputs);
        Write(outputs, before);
        call(reference);
        var expected = Read(outputs);
        Write(outputs, found);
        Calls++;
        for (var i = 0; i < outputs.Length; i++) Compare(work.Op, i, expected[i], found[i]);
    }

    private static Array[] Read(ReadOnlySpan<Written> outputs)
    {
        var copies = new Array[outputs.Length];
        for (var i = 0; i < outputs.Length; i++)
            copies[i] = outputs[i].Ints.IsNone ? HostBackend.Span(outputs[i].Floats).ToArray() : HostBackend.Span(outputs[i].Ints).ToArray();
        return copies;
    }

    private static void Write(ReadOnlySpan<Written> outputs, Array[] values)
    {
        for (var i = 0; i < outputs.Length; i++)
        {
            if (values[i] is int[] ints) ints.CopyTo(HostBackend.Span(outputs[i].Ints));
            else ((float[])values[i]).CopyTo(HostBackend.Span(outputs[i].Floats));
        }
    }

    private void Compare(string op, int output, Array expected, Array found)
    {
        if (expected is int[] wantInts)
        {
            var different = ((int[])found).AsSpan().CommonPrefixLength(wantInts);
            if (different < wantInts.Length)
                throw new VerificationException($"{op}, call {Calls}, output {output}: element {different} is {((int[])found)[different]}, the reference has {wantInts[different]}");
            return;
        }
        var (want, got) = ((float[])expected, (float[])found);
        double error = 0, norm = 0;
        for (var i = 0; i < want.Length; i++)
        {
            // Equal values include equal infinities; a NaN meets only a NaN.
            if (want[i].Equals(got[i]) || want[i] == got[i])
            {
                if (float.IsFinite(want[i])) norm += (double)want[i] * want[i];
                continue;
            }
            if (!float.IsFinite(want[i]) || !float.IsFinite(got[i]))
                throw new VerificationException($"{op}, call {Calls}, output {output}: element {i} is {got[i]}, the reference has {want[i]}");
            error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
            norm += (double)want[i] * want[i];
        }
        if (!(Math.Sqrt(error) <= tolerance * Math.Sqrt(norm)))
            throw new VerificationException($"{op}, call {Calls}, output {output}: relative error {Math.Sqrt(error / norm):G3}, more than {tolerance:G3}");
    }
}

/// <summary>An op's result differs from the reference.</summary>
public sealed class VerificationException(string message) : Exception(message);
