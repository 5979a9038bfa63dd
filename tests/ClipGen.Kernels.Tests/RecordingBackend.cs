using System.Runtime.CompilerServices;

namespace ClipGen.Kernels.Tests;

/// <summary>Notes which methods of the op interfaces are called, overloads apart. It implements <see cref="IBackend"/>, so the compiler keeps it complete.</summary>
internal sealed class RecordingBackend(IBackend inner) : IBackend
{
    private readonly HashSet<(string Method, int Parameters)> called = [];

    /// <summary>Methods called so far, with their number of parameters.</summary>
    public IReadOnlySet<(string Method, int Parameters)> Called => called;

    public string Name => inner.Name;

    public MemoryCounters Memory => inner.Memory;

    public DeviceMemory Allocate(long byteLength) => inner.Allocate(byteLength);

    public void Upload<T>(ReadOnlySpan<T> source, View<T> destination) where T : unmanaged => inner.Upload(source, destination);

    public void Download<T>(View<T> source, Span<T> destination) where T : unmanaged => inner.Download(source, destination);

    public void ResetPeak() => inner.ResetPeak();

    public void Trim() => inner.Trim();

    public void Dispose() => inner.Dispose();

    public PackedMatrix AllocatePacked(int n, int k)
    {
        Note(2);
        return inner.AllocatePacked(n, k);
    }

    public void PackRows(ReadOnlySpan<float> rows, int firstRow, int rowCount, PackedMatrix destination)
    {
        Note(4);
        inner.PackRows(rows, firstRow, rowCount, destination);
    }

    public void MatMul(View<float> a, int m, PackedMatrix b, in Epilogue epilogue, View<float> output)
    {
        Note(5);
        inner.MatMul(a, m, b, epilogue, output);
    }

    public void MatMul(View<float> a, View<float> b, int m, int n, int k, in Epilogue epilogue, View<float> output)
    {
        Note(7);
        inner.MatMul(a, b, m, n, k, epilogue, output);
    }

    public void Conv2d(View<float> input, in Conv2dShape shape, PackedMatrix filter, in Epilogue epilogue, View<float> output)
    {
        Note(5);
        inner.Conv2d(input, shape, filter, epilogue, output);
    }

    public void MaxPool2x2(View<float> input, int batch, int height, int width, int channels, View<float> output)
    {
        Note(6);
        inner.MaxPool2x2(input, batch, height, width, channels, output);
    }

    public void UpsampleNearest2x(View<float> input, int batch, int height, int width, int channels, View<float> output)
    {
        Note(6);
        inner.UpsampleNearest2x(input, batch, height, width, channels, output);
    }

    public void ResizeBilinear(View<float> input, int batch, int height, int width, int channels, int outHeight, int outWidth, bool antialias, View<float> output)
    {
        Note(9);
        inner.ResizeBilinear(input, batch, height, width, channels, outHeight, outWidth, antialias, output);
    }

    public void LayerNorm(View<float> input, View<float> gamma, View<float> beta, int rows, int channels, float eps, View<float> output)
    {
        Note(7);
        inner.LayerNorm(input, gamma, beta, rows, channels, eps, output);
    }

    public void GroupNorm(View<float> input, View<float> gamma, View<float> beta, int batch, int spatial, int channels, int groups, float eps, Activation activation, View<float> output)
    {
        Note(10);
        inner.GroupNorm(input, gamma, beta, batch, spatial, channels, groups, eps, activation, output);
    }

    public void BatchNormInference(View<float> input, View<float> gamma, View<float> beta, View<float> mean, View<float> variance, int rows, int channels, float eps, Activation activation, View<float> output)
    {
        Note(10);
        inner.BatchNormInference(input, gamma, beta, mean, variance, rows, channels, eps, activation, output);
    }

    public void Attention(in AttentionShape shape, View<float> query, View<float> key, View<float> value, View<float> output)
    {
        Note(5);
        inner.Attention(shape, query, key, value, output);
    }

    public void AttentionDecode(in AttentionDecodeShape shape, View<float> qkv, View<float> keyCache, View<float> valueCache, View<int> lengths, View<float> output)
    {
        Note(6);
        inner.AttentionDecode(shape, qkv, keyCache, valueCache, lengths, output);
    }

    public void Softmax(View<float> input, int rows, int columns, View<float> output)
    {
        Note(4);
        inner.Softmax(input, rows, columns, output);
    }

    public void L2Normalize(View<float> input, int rows, int columns, float eps, View<float> output)
    {
        Note(5);
        inner.L2Normalize(input, rows, columns, eps, output);
    }

    public void MeanRows(View<float> input, int rows, int columns, View<float> output)
    {
        Note(4);
        inner.MeanRows(input, rows, columns, output);
    }

    public void SumRows(View<float> input, int rows, int columns, View<float> output)
    {
        Note(4);
        inner.SumRows(input, rows, columns, output);
    }

    public void ArgMaxRows(View<float> input, int rows, int columns, View<int> output)
    {
        Note(4);
        inner.ArgMaxRows(input, rows, columns, output);
    }

    public void Activate(Activation activation, View<float> input, View<float> output)
    {
        Note(3);
        inner.Activate(activation, input, output);
    }

    public void Add(View<float> a, View<float> b, View<float> output)
    {
        Note(3);
        inner.Add(a, b, output);
    }

    public void Subtract(View<float> a, View<float> b, View<float> output)
    {
        Note(3);
        inner.Subtract(a, b, output);
    }

    public void Multiply(View<float> a, View<float> b, View<float> output)
    {
        Note(3);
        inner.Multiply(a, b, output);
    }

    public void Affine(View<float> input, float scale, float shift, View<float> output)
    {
        Note(4);
        inner.Affine(input, scale, shift, output);
    }

    public void Clamp(View<float> input, float low, float high, View<float> output)
    {
        Note(4);
        inner.Clamp(input, low, high, output);
    }

    public void Fill(float value, View<float> output)
    {
        Note(2);
        inner.Fill(value, output);
    }

    public void Embedding(View<float> table, int tableRows, int width, View<int> indices, View<float> output)
    {
        Note(5);
        inner.Embedding(table, tableRows, width, indices, output);
    }

    public void CopyRows(View<float> source, int sourceStride, int rows, int width, int destinationStride, View<float> destination)
    {
        Note(6);
        inner.CopyRows(source, sourceStride, rows, width, destinationStride, destination);
    }

    public void Transpose(View<float> input, int batch, int rows, int columns, View<float> output)
    {
        Note(5);
        inner.Transpose(input, batch, rows, columns, output);
    }

    public void NearestCode(View<float> input, View<float> codebook, int rows, int codes, int width, View<int> output)
    {
        Note(6);
        inner.NearestCode(input, codebook, rows, codes, width, output);
    }

    public void FilterLogits(View<float> logits, int rows, int columns, in SamplingFilter filter, View<float> output)
    {
        Note(5);
        inner.FilterLogits(logits, rows, columns, filter, output);
    }

    public void Sample(View<float> logits, int rows, int columns, in SamplingFilter filter, View<float> uniforms, View<int> output)
    {
        Note(6);
        inner.Sample(logits, rows, columns, filter, uniforms, output);
    }

    public void FillUniform(in RandomKey key, long firstIndex, View<float> output)
    {
        Note(3);
        inner.FillUniform(key, firstIndex, output);
    }

    private void Note(int parameters, [CallerMemberName] string method = "") => called.Add((method, parameters));
}
