using ClipGen.OpCases;
using ClipGen.Testing;

namespace ClipGen.Kernels.Tests;

/// <summary>Gradients of softmax, cross-entropy and dropout: the reference's against central differences, the CPU's against PyTorch's own.</summary>
public sealed class LossGradientTests
{
    private static readonly IReadOnlyDictionary<string, GoldenTensor> Golden = GoldenTensors.Load("ops", "ops.safetensors");

    public static TheoryData<SimdLevel> Levels() => [.. Enum.GetValues<SimdLevel>()];

    [Fact]
    public void Softmax() => FiniteDifferences.Check("softmax", [Values(3 * 7, 1)],
        (backend, x) =>
        {
            var y = Empty(backend, 21);
            backend.Softmax(x[0], 3, 7, y);
            return y;
        },
        (backend, x, upstream) =>
        {
            View<float> y = Empty(backend, 21), dx = Empty(backend, 21);
            backend.Softmax(x[0], 3, 7, y);
            backend.SoftmaxBackward(y, upstream, 3, 7, dx);
            return [dx];
        });

    [Fact]
    public void CrossEntropy() => CheckCrossEntropy([2, 0, 4, 1], [2, 0, 4, 1]);

    [Fact]
    public void AWrongTargetIsFound() => Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => CheckCrossEntropy([2, 0, 4, 1], [2, 0, 4, 3]));

    [Fact]
    public void Dropout()
    {
        var mask = new DropoutMask(0.3f, new RandomKey(5, 6, 7));
        FiniteDifferences.Check("dropout", [Values(50, 1)], (backend, x) => Dropped(backend, x[0]), (backend, _, upstream) => [Dropped(backend, upstream)]);

        View<float> Dropped(ReferenceBackend backend, View<float> x)
        {
            var y = Empty(backend, 50);
            backend.Dropout(mask, x, y);
            return y;
        }
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void SoftmaxMatchesPyTorch(SimdLevel level)
    {
        using var cpu = CpuBackend.InSoftware(1, level);
        using var arrays = new DeviceArrays(cpu);
        var expected = Golden["softmax.grad_x"];
        var (rows, columns) = (expected.Axes[0], expected.Axes[1]);
        var dx = arrays.Empty<float>(expected.Count);
        cpu.SoftmaxBackward(arrays.From(Golden["softmax.out"].Floats), arrays.From(Golden["softmax.grad_out"].Floats), rows, columns, dx);
        Close(expected.Floats, arrays.Read(dx));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void CrossEntropyMatchesPyTorch(SimdLevel level)
    {
        using var cpu = CpuBackend.InSoftware(1, level);
        using var arrays = new DeviceArrays(cpu);
        var logits = Golden["cross_entropy.logits"];
        var (rows, classes) = (logits.Axes[0], logits.Axes[1]);
        View<float> x = arrays.From(logits.Floats), losses = arrays.Empty<float>(rows), lse = arrays.Empty<float>(rows), dx = arrays.Empty<float>(logits.Count);
        var targets = arrays.From(Golden["cross_entropy.target"].Ints);
        cpu.CrossEntropy(x, targets, rows, classes, losses, lse);
        // PyTorch's loss is the mean over rows.
        Close(Golden["cross_entropy.out"].Floats, [arrays.Read(losses).Average()]);
        cpu.CrossEntropyBackward(x, targets, lse, arrays.From(Enumerable.Repeat(Golden["cross_entropy.grad_out"].Floats[0] / rows, rows).ToArray()), rows, classes, dx);
        Close(Golden["cross_entropy.grad_logits"].Floats, arrays.Read(dx));
    }

    // Both sides compute in float32; 1e-6 is some ten roundings.
    private static void Close(float[] expected, float[] found)
    {
        var error = GoldenTensors.RelativeError(expected, found);
        Assert.True(error < 1e-6, $"relative error {error:G3}");
    }

    private static void CheckCrossEntropy(int[] targets, int[] backwardTargets)
    {
        const int rows = 4, classes = 5;
        FiniteDifferences.Check("cross-entropy", [Values(rows * classes, 1)],
            (backend, x) => Losses(backend, x[0], targets).Losses,
            (backend, x, upstream) =>
            {
                var dx = Empty(backend, rows * classes);
                backend.CrossEntropyBackward(x[0], Ints(backend, backwardTargets), Losses(backend, x[0], targets).LogSumExp, upstream, rows, classes, dx);
                return [dx];
            });

        static (View<float> Losses, View<float> LogSumExp) Losses(ReferenceBackend backend, View<float> x, int[] targets)
        {
            View<float> losses = Empty(backend, rows), lse = Empty(backend, rows);
            backend.CrossEntropy(x, Ints(backend, targets), rows, classes, losses, lse);
            return (losses, lse);
        }
    }

    private static View<int> Ints(ReferenceBackend backend, int[] values)
    {
        var view = new View<int>(backend.Allocate(4L * values.Length), 0, values.Length);
        backend.Upload<int>(values, view);
        return view;
    }

    private static double[] Values(int length, int seed) => Array.ConvertAll(CaseData.Normal(length, seed), x => (double)x);

    private static View<float> Empty(ReferenceBackend backend, int length) => new(backend.Allocate(4L * length), 0, length);
}
