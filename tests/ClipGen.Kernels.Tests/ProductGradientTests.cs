using ClipGen.OpCases;
using Xunit.Sdk;

namespace ClipGen.Kernels.Tests;

/// <summary>Gradients of products, convolutions and look-ups against central differences.</summary>
public sealed class ProductGradientTests
{
    public static TheoryData<bool, bool> Orientations() => new() { { false, false }, { false, true }, { true, false }, { true, true } };

    [Theory]
    [MemberData(nameof(Orientations))]
    public void MatMulPlain(bool transposeA, bool transposeB) =>
        FiniteDifferences.Check($"MatMulPlain {transposeA} {transposeB}", [Random(5 * 7, 1), Random(4 * 7, 2), Random(4, 3)],
            (backend, x) =>
            {
                var y = Empty(backend, 5 * 4);
                backend.MatMulPlain(new MatMulShape(5, 4, 7, transposeA, transposeB), x[0], x[1], new Epilogue { Bias = x[2] }, y);
                return y;
            },
            (backend, x, g) =>
            {
                View<float> da = Empty(backend, 5 * 7), db = Empty(backend, 4 * 7), bias = Empty(backend, 4);
                // dA = G · op(B), and transposed op(B)ᵀ · Gᵀ; dB is the same with A and B exchanged and G transposed.
                if (transposeA) backend.MatMulPlain(new MatMulShape(7, 5, 4, !transposeB, false), x[1], g, default, da);
                else backend.MatMulPlain(new MatMulShape(5, 7, 4, false, !transposeB), g, x[1], default, da);
                if (transposeB) backend.MatMulPlain(new MatMulShape(7, 4, 5, !transposeA, true), x[0], g, default, db);
                else backend.MatMulPlain(new MatMulShape(4, 7, 5, true, !transposeA), g, x[0], default, db);
                backend.SumColumns(g, 5, 4, bias);
                return [da, db, bias];
            });

    public static TheoryData<int> Convolutions() => [.. Enumerable.Range(0, Shapes.Length)];

    private static readonly Conv2dShape[] Shapes =
    [
        new() { Batch = 2, Height = 4, Width = 5, InChannels = 3, OutChannels = 2, Kernel = 3, PadBefore = 1, PadAfter = 1 },
        new() { Batch = 1, Height = 6, Width = 7, InChannels = 2, OutChannels = 3, Kernel = 3, Stride = 2, PadAfter = 1 },
        new() { Batch = 1, Height = 5, Width = 8, InChannels = 2, OutChannels = 2, Kernel = 4, Stride = 2, PadBefore = 1, PadAfter = 1 },
        new() { Batch = 1, Height = 6, Width = 9, InChannels = 2, OutChannels = 3, Kernel = 3, Stride = 3 },
        new() { Batch = 2, Height = 3, Width = 4, InChannels = 3, OutChannels = 2, Kernel = 1 },
        new() { Batch = 1, Height = 3, Width = 2, InChannels = 2, OutChannels = 3, Kernel = 3, PadBefore = 1, PadAfter = 1, Upsample = 2 },
        new() { Batch = 1, Height = 3, Width = 4, InChannels = 2, OutChannels = 2, Kernel = 4, Stride = 3, PadBefore = 2, PadAfter = 1, Upsample = 2 },
    ];

    [Theory]
    [MemberData(nameof(Convolutions))]
    public void Conv2d(int number) => CheckConvolution(Shapes[number], 1);

    [Fact]
    public void AConvolutionsGradientThatIsALittleTooLongIsRefused() =>
        Assert.Contains("central differences say", Assert.ThrowsAny<XunitException>(() => CheckConvolution(Shapes[0], 1 + 1e-5)).Message);

    [Fact]
    public void Embedding()
    {
        const int rows = 6, width = 3;
        int[] indices = [4, 0, 4, 4, 2, 0];
        FiniteDifferences.Check("Embedding", [Random(rows * width, 1)],
            (backend, x) =>
            {
                var y = Empty(backend, indices.Length * width);
                backend.Embedding(x[0], rows, width, Indices(backend), y);
                return y;
            },
            (backend, _, g) =>
            {
                var gradient = Empty(backend, rows * width);
                backend.EmbeddingBackward(Indices(backend), g, rows, width, gradient);
                return [gradient];
            });

        View<int> Indices(ReferenceBackend backend)
        {
            var view = new View<int>(backend.Allocate(4 * indices.Length), 0, indices.Length);
            backend.Upload<int>(indices, view);
            return view;
        }
    }

    private static void CheckConvolution(Conv2dShape shape, double factor) =>
        FiniteDifferences.Check($"{shape}", [Random(shape.Batch * shape.Height * shape.Width * shape.InChannels, 1), Random(shape.OutChannels * shape.K, 2)],
            (backend, x) =>
            {
                var y = Empty(backend, shape.Batch * shape.OutHeight * shape.OutWidth * shape.OutChannels);
                backend.Conv2dPlain(x[0], shape, x[1], default, y);
                return y;
            },
            (backend, x, g) =>
            {
                View<float> dx = Empty(backend, x[0].Length), dw = Empty(backend, x[1].Length);
                backend.Conv2dBackwardInput(g, shape, x[1], dx);
                backend.Conv2dBackwardFilter(x[0], shape, g, dw);
                backend.WriteDoubles([.. backend.ReadDoubles(dw).Select(value => factor * value)], dw);
                return [dx, dw];
            });

    private static double[] Random(int length, int seed) => Array.ConvertAll(CaseData.Normal(length, seed), value => (double)value);

    private static View<float> Empty(ReferenceBackend backend, long length) => new(backend.Allocate(4 * length), 0, length);
}
