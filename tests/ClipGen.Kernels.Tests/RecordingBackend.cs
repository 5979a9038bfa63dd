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

    public void Copy<T>(View<T> source, View<T> destination) where T : unmanaged => inner.Copy(source, destination);

    public IRecordedWork? Record(Action work) => null;

    public void ResetPeak() => inner.ResetPeak();

    public long PoolLimit
    {
        get => inner.PoolLimit;
        set => inner.PoolLimit = value;
    }

    public void Trim() => inner.Trim();

    public bool WorksLater => inner.WorksLater;

    public void Synchronize() => inner.Synchronize();

    public void Dispose() => inner.Dispose();

    public PackedMatrix AllocatePacked(int n, int k, PackedType type = PackedType.Float32)
    {
        Note(3);
        return inner.AllocatePacked(n, k, type);
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

    public void MatMulPlain(in MatMulShape shape, View<float> a, View<float> b, in Epilogue epilogue, View<float> output)
    {
        Note(5);
        inner.MatMulPlain(shape, a, b, epilogue, output);
    }

    public void Conv2dPlain(View<float> input, in Conv2dShape shape, View<float> filter, in Epilogue epilogue, View<float> output)
    {
        Note(5);
        inner.Conv2dPlain(input, shape, filter, epilogue, output);
    }

    public void Conv2dBackwardInput(View<float> outputGradient, in Conv2dShape shape, View<float> filter, View<float> inputGradient)
    {
        Note(4);
        inner.Conv2dBackwardInput(outputGradient, shape, filter, inputGradient);
    }

    public void Conv2dBackwardFilter(View<float> input, in Conv2dShape shape, View<float> outputGradient, View<float> filterGradient)
    {
        Note(4);
        inner.Conv2dBackwardFilter(input, shape, outputGradient, filterGradient);
    }

    public void AttentionTraining(in AttentionShape shape, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output)
    {
        Note(6);
        inner.AttentionTraining(shape, dropout, query, key, value, output);
    }

    public void AttentionBackward(in AttentionShape shape, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output, View<float> outputGradient, View<float> queryGradient, View<float> keyGradient, View<float> valueGradient)
    {
        Note(10);
        inner.AttentionBackward(shape, dropout, query, key, value, output, outputGradient, queryGradient, keyGradient, valueGradient);
    }

    public void LayerNormBackward(View<float> input, View<float> gamma, View<float> outputGradient, int rows, int channels, float eps, View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient)
    {
        Note(9);
        inner.LayerNormBackward(input, gamma, outputGradient, rows, channels, eps, inputGradient, gammaGradient, betaGradient);
    }

    public void GroupNormBackward(View<float> input, View<float> gamma, View<float> beta, View<float> outputGradient, int batch, int spatial, int channels, int groups, float eps, Activation activation, View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient)
    {
        Note(13);
        inner.GroupNormBackward(input, gamma, beta, outputGradient, batch, spatial, channels, groups, eps, activation, inputGradient, gammaGradient, betaGradient);
    }

    public void BatchNormTraining(View<float> input, View<float> gamma, View<float> beta, int rows, int channels, float eps, Activation activation, View<float> mean, View<float> variance, View<float> output)
    {
        Note(10);
        inner.BatchNormTraining(input, gamma, beta, rows, channels, eps, activation, mean, variance, output);
    }

    public void BatchNormBackward(View<float> input, View<float> gamma, View<float> beta, View<float> mean, View<float> variance, View<float> outputGradient, int rows, int channels, float eps, Activation activation, View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient)
    {
        Note(13);
        inner.BatchNormBackward(input, gamma, beta, mean, variance, outputGradient, rows, channels, eps, activation, inputGradient, gammaGradient, betaGradient);
    }

    public void SoftmaxBackward(View<float> output, View<float> outputGradient, int rows, int columns, View<float> inputGradient)
    {
        Note(5);
        inner.SoftmaxBackward(output, outputGradient, rows, columns, inputGradient);
    }

    public void CrossEntropy(View<float> logits, View<int> targets, int rows, int classes, View<float> losses, View<float> logSumExp)
    {
        Note(6);
        inner.CrossEntropy(logits, targets, rows, classes, losses, logSumExp);
    }

    public void CrossEntropyBackward(View<float> logits, View<int> targets, View<float> logSumExp, View<float> lossGradient, int rows, int classes, View<float> logitsGradient)
    {
        Note(7);
        inner.CrossEntropyBackward(logits, targets, logSumExp, lossGradient, rows, classes, logitsGradient);
    }

    public void L2NormalizeBackward(View<float> input, View<float> outputGradient, int rows, int columns, float eps, View<float> inputGradient)
    {
        Note(6);
        inner.L2NormalizeBackward(input, outputGradient, rows, columns, eps, inputGradient);
    }

    public void MaxPool2x2Backward(View<float> input, View<float> outputGradient, int batch, int height, int width, int channels, View<float> inputGradient)
    {
        Note(7);
        inner.MaxPool2x2Backward(input, outputGradient, batch, height, width, channels, inputGradient);
    }

    public void UpsampleNearest2xBackward(View<float> outputGradient, int batch, int height, int width, int channels, View<float> inputGradient)
    {
        Note(6);
        inner.UpsampleNearest2xBackward(outputGradient, batch, height, width, channels, inputGradient);
    }

    public void ResizeBilinearBackward(View<float> outputGradient, int batch, int height, int width, int channels, int outHeight, int outWidth, bool antialias, View<float> inputGradient)
    {
        Note(9);
        inner.ResizeBilinearBackward(outputGradient, batch, height, width, channels, outHeight, outWidth, antialias, inputGradient);
    }

    public void SumColumns(View<float> input, int rows, int columns, View<float> output)
    {
        Note(4);
        inner.SumColumns(input, rows, columns, output);
    }

    public void SumOfSquares(View<float> input, View<float> output)
    {
        Note(2);
        inner.SumOfSquares(input, output);
    }

    public void ActivateBackward(Activation activation, View<float> input, View<float> outputGradient, View<float> inputGradient)
    {
        Note(4);
        inner.ActivateBackward(activation, input, outputGradient, inputGradient);
    }

    public void Absolute(View<float> input, View<float> output)
    {
        Note(2);
        inner.Absolute(input, output);
    }

    public void AbsoluteBackward(View<float> input, View<float> outputGradient, View<float> inputGradient)
    {
        Note(3);
        inner.AbsoluteBackward(input, outputGradient, inputGradient);
    }

    public void ClampBackward(View<float> input, float low, float high, View<float> outputGradient, View<float> inputGradient)
    {
        Note(5);
        inner.ClampBackward(input, low, high, outputGradient, inputGradient);
    }

    public void AddScaled(View<float> input, float scale, View<float> target)
    {
        Note(3);
        inner.AddScaled(input, scale, target);
    }

    public void ScaleRows(View<float> input, View<float> scale, int rows, int columns, View<float> output)
    {
        Note(5);
        inner.ScaleRows(input, scale, rows, columns, output);
    }

    public void EmbeddingBackward(View<int> indices, View<float> outputGradient, int tableRows, int width, View<float> tableGradient)
    {
        Note(5);
        inner.EmbeddingBackward(indices, outputGradient, tableRows, width, tableGradient);
    }

    public void Dropout(in DropoutMask mask, View<float> input, View<float> output)
    {
        Note(3);
        inner.Dropout(mask, input, output);
    }

    public void Adam(in AdamStep step, IReadOnlyList<AdamTensor> tensors)
    {
        Note(2);
        inner.Adam(step, tensors);
    }

    private void Note(int parameters, [CallerMemberName] string method = "") => called.Add((method, parameters));
}
