using ClipGen.OpCases;
using Xunit.Sdk;

namespace ClipGen.Kernels.Tests;

/// <summary>The reference's gradients of norms, pooling, resampling and pointwise ops against central differences of its forward ops, in double.</summary>
public sealed class NormGradientTests
{
    private const float Eps = 1e-5f;

    public static TheoryData<Activation> ActivationNames() => [.. Enum.GetValues<Activation>()];

    [Fact]
    public void LayerNorm()
    {
        const int rows = 4, channels = 7;
        FiniteDifferences.Check(nameof(LayerNorm), [Normal(rows * channels, 1, 2), Normal(channels, 2), Normal(channels, 3)],
            (backend, x) => New(backend, rows * channels, y => backend.LayerNorm(x[0], x[1], x[2], rows, channels, Eps, y)),
            (backend, x, dy) =>
            {
                View<float> dx = New(backend, rows * channels), dgamma = New(backend, channels), dbeta = New(backend, channels);
                backend.LayerNormBackward(x[0], x[1], dy, rows, channels, Eps, dx, dgamma, dbeta);
                return [dx, dgamma, dbeta];
            });
    }

    [Theory]
    [MemberData(nameof(ActivationNames))]
    public void GroupNorm(Activation activation) => CheckGroupNorm(activation, 1);

    [Fact]
    public void AGradientThatIsOffInTheFifthDigitIsRejected()
    {
        foreach (var factor in new[] { 1 + 1e-5, 1 - 1e-5, double.NaN }) Assert.ThrowsAny<XunitException>(() => CheckGroupNorm(Activation.Silu, factor));
    }

    [Theory]
    [MemberData(nameof(ActivationNames))]
    public void BatchNorm(Activation activation)
    {
        const int rows = 9, channels = 4;
        FiniteDifferences.Check($"BatchNorm {activation}", [Normal(rows * channels, 1, -1), Normal(channels, 2), Normal(channels, 3)],
            (backend, x) =>
            {
                using var statistics = new DeviceArrays(backend);
                return New(backend, rows * channels, y => backend.BatchNormTraining(x[0], x[1], x[2], rows, channels, Eps, activation, statistics.Empty<float>(channels), statistics.Empty<float>(channels), y));
            },
            (backend, x, dy) =>
            {
                // The statistics depend on x, and the gradient must know it: they are those that the forward op wrote, unrounded here.
                using var statistics = new DeviceArrays(backend);
                View<float> mean = statistics.Empty<float>(channels), variance = statistics.Empty<float>(channels);
                View<float> dx = New(backend, rows * channels), dgamma = New(backend, channels), dbeta = New(backend, channels);
                backend.BatchNormTraining(x[0], x[1], x[2], rows, channels, Eps, activation, mean, variance, dx);
                backend.BatchNormBackward(x[0], x[1], x[2], mean, variance, dy, rows, channels, Eps, activation, dx, dgamma, dbeta);
                return [dx, dgamma, dbeta];
            });
    }

    [Theory]
    [InlineData(1e-12f)]
    // Longer than the rows: they are divided by eps.
    [InlineData(50f)]
    public void L2Normalize(float eps)
    {
        const int rows = 3, columns = 8;
        CheckOne($"L2Normalize eps {eps}", Normal(rows * columns, 1), rows * columns,
            (backend, x, y) => backend.L2Normalize(x, rows, columns, eps, y), (backend, x, dy, dx) => backend.L2NormalizeBackward(x, dy, rows, columns, eps, dx));
    }

    [Fact]
    public void MaxPool2x2()
    {
        const int batch = 2, height = 5, width = 4, channels = 3;
        CheckOne(nameof(MaxPool2x2), Normal(batch * height * width * channels, 1), batch * 2 * 2 * channels,
            (backend, x, y) => backend.MaxPool2x2(x, batch, height, width, channels, y), (backend, x, dy, dx) => backend.MaxPool2x2Backward(x, dy, batch, height, width, channels, dx));
    }

    [Fact]
    public void UpsampleNearest2x()
    {
        const int batch = 2, height = 3, width = 5, channels = 2;
        CheckOne(nameof(UpsampleNearest2x), Normal(batch * height * width * channels, 1), 4 * batch * height * width * channels,
            (backend, x, y) => backend.UpsampleNearest2x(x, batch, height, width, channels, y), (backend, x, dy, dx) => backend.UpsampleNearest2xBackward(dy, batch, height, width, channels, dx));
    }

    [Theory]
    [InlineData(3, 4, false)]
    [InlineData(3, 4, true)]
    [InlineData(11, 9, false)]
    [InlineData(11, 9, true)]
    public void ResizeBilinear(int outHeight, int outWidth, bool antialias)
    {
        const int batch = 2, height = 6, width = 7, channels = 2;
        CheckOne($"ResizeBilinear to {outHeight}x{outWidth} antialias {antialias}", Normal(batch * height * width * channels, 1), batch * outHeight * outWidth * channels,
            (backend, x, y) => backend.ResizeBilinear(x, batch, height, width, channels, outHeight, outWidth, antialias, y),
            (backend, x, dy, dx) => backend.ResizeBilinearBackward(dy, batch, height, width, channels, outHeight, outWidth, antialias, dx));
    }

    [Theory]
    [MemberData(nameof(ActivationNames))]
    public void Activate(Activation activation) => CheckOne($"Activate {activation}", AwayFromKinks, AwayFromKinks.Length,
        (backend, x, y) => backend.Activate(activation, x, y), (backend, x, dy, dx) => backend.ActivateBackward(activation, x, dy, dx));

    [Fact]
    public void Absolute() => CheckOne(nameof(Absolute), AwayFromKinks, AwayFromKinks.Length, (backend, x, y) => backend.Absolute(x, y), (backend, x, dy, dx) => backend.AbsoluteBackward(x, dy, dx));

    [Fact]
    public void Clamp() => CheckOne(nameof(Clamp), AwayFromKinks, AwayFromKinks.Length,
        (backend, x, y) => backend.Clamp(x, -1, 2, y), (backend, x, dy, dx) => backend.ClampBackward(x, -1, 2, dy, dx));

    /// <summary>±0.05, ±0.25 … ±5.85: none near 0, −1 or 2.</summary>
    private static double[] AwayFromKinks { get; } = [.. Enumerable.Range(-30, 60).Select(i => (i + 0.25) * 0.2)];

    private static void CheckGroupNorm(Activation activation, double factor)
    {
        const int batch = 2, spatial = 5, channels = 6, groups = 2, count = batch * spatial * channels;
        FiniteDifferences.Check($"GroupNorm {activation}", [Normal(count, 1, 3), Normal(channels, 2), Normal(channels, 3)],
            (backend, x) => New(backend, count, y => backend.GroupNorm(x[0], x[1], x[2], batch, spatial, channels, groups, Eps, activation, y)),
            (backend, x, dy) =>
            {
                View<float> dx = New(backend, count), dgamma = New(backend, channels), dbeta = New(backend, channels);
                backend.GroupNormBackward(x[0], x[1], x[2], dy, batch, spatial, channels, groups, Eps, activation, dx, dgamma, dbeta);
                if (factor != 1) backend.WriteDoubles([.. backend.ReadDoubles(dx).Select(value => value * factor)], dx);
                return [dx, dgamma, dbeta];
            });
    }

    /// <summary>An op with one differentiable input.</summary>
    private static void CheckOne(string what, double[] input, int outputs, Action<ReferenceBackend, View<float>, View<float>> forward, Action<ReferenceBackend, View<float>, View<float>, View<float>> backward) =>
        FiniteDifferences.Check(what, [input], (backend, x) => New(backend, outputs, y => forward(backend, x[0], y)), (backend, x, dy) => [New(backend, input.Length, dx => backward(backend, x[0], dy, dx))]);

    private static View<float> New(ReferenceBackend backend, int length, Action<View<float>>? fill = null)
    {
        var view = new View<float>(backend.Allocate(4L * length), 0, length);
        fill?.Invoke(view);
        return view;
    }

    private static double[] Normal(int length, int seed, double mean = 0) => Array.ConvertAll(CaseData.Normal(length, seed, mean), value => (double)value);
}
