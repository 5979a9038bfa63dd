using ClipGen.Kernels;

namespace ClipGen.OpCases;

/// <summary>Runs a case on a backend and holds the result against the reference.</summary>
public static class CaseRunner
{
    // A quiet NaN with a recognisable payload: an output element that nobody wrote stays NaN and fails the comparison.
    private const int Poison = 0x7FC0DEAD;
    private const int GuardElements = 32;

    /// <summary>Outputs of a case on a backend, after checking that inputs and the guard zones around every buffer are untouched.</summary>
    /// <param name="test">The case.</param>
    /// <param name="backend">Device under test.</param>
    /// <param name="shift">Elements by which every buffer is moved off its 64-byte alignment (0 or 1): kernels must not assume alignment.</param>
    /// <param name="rounding">What is done to every float before it is given to the op: for ops that round their inputs, so that they and the reference see the same numbers.</param>
    /// <exception cref="CaseFailedException">The op wrote outside its outputs.</exception>
    public static Dictionary<string, double[]> Execute(OpCase test, IDeviceAllocator backend, int shift = 0, Func<float, float>? rounding = null)
    {
        var memory = new List<(CaseBuffer Buffer, DeviceMemory Memory, int[] Before)>();
        float[]? Floats(CaseBuffer buffer) => rounding is null || buffer.Floats is not { } floats ? buffer.Floats : Array.ConvertAll(floats, x => rounding(x));
        try
        {
            var arguments = new CaseArguments { Host = name => Floats(test.Buffers.First(b => b.Name == name))! };
            foreach (var buffer in test.Buffers)
            {
                var bits = new int[buffer.Length + 2 * GuardElements + shift];
                Array.Fill(bits, Poison);
                var floats = Floats(buffer);
                if (buffer.IsInput)
                    for (var i = 0; i < buffer.Length; i++)
                        bits[GuardElements + shift + i] = floats is { } f ? BitConverter.SingleToInt32Bits(f[i]) : buffer.Ints![i];
                var block = backend.Allocate(4L * bits.Length);
                memory.Add((buffer, block, bits));
                backend.Upload(bits, new View<int>(block, 0, bits.Length));
                if (buffer.Floats is not null) arguments.Add(buffer.Name, new View<float>(block, GuardElements + shift, buffer.Length));
                else arguments.Add(buffer.Name, new View<int>(block, GuardElements + shift, buffer.Length));
            }

            test.Run(backend, arguments);

            var results = new Dictionary<string, double[]>();
            foreach (var (buffer, block, before) in memory)
            {
                var after = new int[before.Length];
                backend.Download(new View<int>(block, 0, after.Length), after);
                for (var i = 0; i < after.Length; i++)
                {
                    var inside = i >= GuardElements + shift && i < GuardElements + shift + buffer.Length;
                    if ((!inside || !buffer.IsOutput) && after[i] != before[i])
                        throw new CaseFailedException($"{test.Name}: {(inside ? "the input" : "memory outside")} '{buffer.Name}' changed at element {i - GuardElements - shift} of {buffer.Length}");
                }
                if (!buffer.IsOutput) continue;
                var values = new double[buffer.Length];
                for (var i = 0; i < values.Length; i++)
                {
                    var bits = after[GuardElements + shift + i];
                    values[i] = buffer.Floats is not null ? BitConverter.Int32BitsToSingle(bits) : bits;
                }
                results.Add(buffer.Name, values);
            }
            return results;
        }
        finally
        {
            foreach (var (_, block, _) in memory) block.Dispose();
        }
    }

    /// <summary>Compares two sets of outputs.</summary>
    /// <param name="test">The case.</param>
    /// <param name="expected">The reference's outputs.</param>
    /// <param name="found">The outputs under test.</param>
    /// <param name="where">The backend's name.</param>
    /// <param name="shareOfLargest">What is allowed beyond the case's tolerance, as a share of the largest expected value of a buffer.</param>
    /// <exception cref="CaseFailedException">A value is outside the tolerance; the message has the worst element and the share of the tolerance it used.</exception>
    public static void Compare(OpCase test, Dictionary<string, double[]> expected, Dictionary<string, double[]> found, string where, double shareOfLargest = 0)
    {
        foreach (var (name, want) in expected)
        {
            var got = found[name];
            var tolerance = shareOfLargest == 0 ? test.Tolerance : test.Tolerance with { Absolute = test.Tolerance.Absolute + shareOfLargest * want.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty().Max() };
            var worst = -1;
            var worstShare = 0.0;
            var bad = 0;
            for (var i = 0; i < want.Length; i++)
            {
                if (tolerance.Accepts(want[i], got[i])) continue;
                bad++;
                var share = Math.Abs(got[i] - want[i]) / (tolerance.Absolute + tolerance.Relative * Math.Abs(want[i]) + double.Epsilon);
                if (worst < 0 || !(share <= worstShare))
                {
                    worst = i;
                    worstShare = share;
                }
            }
            if (bad > 0)
                throw new CaseFailedException(
                    $"{test.Name} on {where}: '{name}' differs from the reference in {bad} of {want.Length} elements; worst at {worst}: expected {want[worst]:R}, found {got[worst]:R}, {worstShare:G3} times the tolerance ({test.Tolerance.Reason})");
        }
    }
}

/// <summary>A case did not meet its contract.</summary>
public sealed class CaseFailedException(string message) : Exception(message);
