namespace ClipGen.Kernels;

/// <summary>
/// A backend around another one: every op passes through <see cref="Around"/> with its work figures and the views it writes.
/// It implements <see cref="IBackend"/>, so the compiler keeps it complete.
/// </summary>
public abstract class WrappingBackend(IBackend inner) : IBackend
{
    /// <summary>The backend that does the work.</summary>
    protected IBackend Inner { get; } = inner;

    /// <summary>The backend under all wrappers.</summary>
    public static IBackend Innermost(IBackend backend)
    {
        while (backend is WrappingBackend wrapping) backend = wrapping.Inner;
        return backend;
    }

    /// <inheritdoc/>
    public abstract string Name { get; }

    /// <inheritdoc/>
    public MemoryCounters Memory => Inner.Memory;

    /// <inheritdoc/>
    public DeviceMemory Allocate(long byteLength) => Inner.Allocate(byteLength);

    /// <inheritdoc/>
    public virtual void Upload<T>(ReadOnlySpan<T> source, View<T> destination) where T : unmanaged => Inner.Upload(source, destination);

    /// <inheritdoc/>
    public virtual void Download<T>(View<T> source, Span<T> destination) where T : unmanaged => Inner.Download(source, destination);

    /// <inheritdoc/>
    public virtual void Copy<T>(View<T> source, View<T> destination) where T : unmanaged => Inner.Copy(source, destination);

    /// <summary>Null: what is repeated without being asked for would not be seen.</summary>
    public IRecordedWork? Record(Action work) => null;

    /// <inheritdoc/>
    public void ResetPeak() => Inner.ResetPeak();

    /// <inheritdoc/>
    public long PoolLimit
    {
        get => Inner.PoolLimit;
        set => Inner.PoolLimit = value;
    }

    /// <inheritdoc/>
    public void Trim() => Inner.Trim();

    /// <inheritdoc/>
    public bool WorksLater => Inner.WorksLater;

    /// <inheritdoc/>
    public void Synchronize() => Inner.Synchronize();

    /// <inheritdoc/>
    public virtual void Dispose()
    {
        Inner.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc/>
    public virtual PackedMatrix AllocatePacked(int n, int k, PackedType type = PackedType.Float32) => Inner.AllocatePacked(n, k, type);

    /// <inheritdoc/>
    public virtual void PackRows(ReadOnlySpan<float> rows, int firstRow, int rowCount, PackedMatrix destination) => Inner.PackRows(rows, firstRow, rowCount, destination);

    /// <inheritdoc/>
    public void MatMul(View<float> a, int m, PackedMatrix b, in Epilogue epilogue, View<float> output)
    {
        var e = epilogue;
        Around(MatMulWork(m, b.N, b.K, b.Type.ByteSize()), x => x.MatMul(a, m, OperandOf(x, b), e, output), output);
    }

    /// <inheritdoc/>
    public void Conv2d(View<float> input, in Conv2dShape shape, PackedMatrix filter, in Epilogue epilogue, View<float> output)
    {
        var (s, e) = (shape, epilogue);
        Around(shape.Work, x => x.Conv2d(input, s, OperandOf(x, filter), e, output), output);
    }

    /// <inheritdoc/>
    public void MaxPool2x2(View<float> input, int batch, int height, int width, int channels, View<float> output) =>
        Around(Moving("MaxPool2x2", 3 * output.Length, input, output), x => x.MaxPool2x2(input, batch, height, width, channels, output), output);

    /// <inheritdoc/>
    public void UpsampleNearest2x(View<float> input, int batch, int height, int width, int channels, View<float> output) =>
        Around(Moving("UpsampleNearest2x", 0, input, output), x => x.UpsampleNearest2x(input, batch, height, width, channels, output), output);

    /// <inheritdoc/>
    public void ResizeBilinear(View<float> input, int batch, int height, int width, int channels, int outHeight, int outWidth, bool antialias, View<float> output) =>
        Around(Moving("ResizeBilinear", 8 * output.Length, input, output), x => x.ResizeBilinear(input, batch, height, width, channels, outHeight, outWidth, antialias, output), output);

    /// <inheritdoc/>
    public void LayerNorm(View<float> input, View<float> gamma, View<float> beta, int rows, int channels, float eps, View<float> output) =>
        Around(Moving("LayerNorm", 8 * output.Length, input, output), x => x.LayerNorm(input, gamma, beta, rows, channels, eps, output), output);

    /// <inheritdoc/>
    public void GroupNorm(View<float> input, View<float> gamma, View<float> beta, int batch, int spatial, int channels, int groups, float eps, Activation activation, View<float> output) =>
        Around(Moving("GroupNorm", 8 * output.Length, input, output), x => x.GroupNorm(input, gamma, beta, batch, spatial, channels, groups, eps, activation, output), output);

    /// <inheritdoc/>
    public void BatchNormInference(View<float> input, View<float> gamma, View<float> beta, View<float> mean, View<float> variance, int rows, int channels, float eps, Activation activation, View<float> output) =>
        Around(Moving("BatchNorm", 2 * output.Length, input, output), x => x.BatchNormInference(input, gamma, beta, mean, variance, rows, channels, eps, activation, output), output);

    /// <inheritdoc/>
    public void Attention(in AttentionShape shape, View<float> query, View<float> key, View<float> value, View<float> output)
    {
        var s = shape;
        Around(AttentionWork("Attention", shape, 4, 8), x => x.Attention(s, query, key, value, output), output);
    }

    /// <inheritdoc/>
    public void AttentionDecode(in AttentionDecodeShape shape, View<float> qkv, View<float> keyCache, View<float> valueCache, View<int> lengths, View<float> output)
    {
        var s = shape;
        var held = new int[s.Batch];
        Inner.Download(lengths.Slice(0, s.Batch), held);
        var positions = 0.0;
        foreach (var length in held) positions += length + 1;
        var elements = positions * s.Heads * s.HeadSize;
        Around(new OpWork("AttentionDecode", 4 * elements, 8 * elements), x => x.AttentionDecode(s, qkv, keyCache, valueCache, lengths, output), output, keyCache, valueCache);
    }

    /// <inheritdoc/>
    public void Softmax(View<float> input, int rows, int columns, View<float> output) =>
        Around(Moving("Softmax", 10 * output.Length, input, output), x => x.Softmax(input, rows, columns, output), output);

    /// <inheritdoc/>
    public void L2Normalize(View<float> input, int rows, int columns, float eps, View<float> output) =>
        Around(Moving("L2Normalize", 3 * output.Length, input, output), x => x.L2Normalize(input, rows, columns, eps, output), output);

    /// <inheritdoc/>
    public void MeanRows(View<float> input, int rows, int columns, View<float> output) =>
        Around(Moving("MeanRows", input.Length, input, output), x => x.MeanRows(input, rows, columns, output), output);

    /// <inheritdoc/>
    public void SumRows(View<float> input, int rows, int columns, View<float> output) =>
        Around(Moving("SumRows", input.Length, input, output), x => x.SumRows(input, rows, columns, output), output);

    /// <inheritdoc/>
    public void ArgMaxRows(View<float> input, int rows, int columns, View<int> output) =>
        Around(new OpWork("ArgMaxRows", input.Length, 4.0 * (input.Length + rows)), x => x.ArgMaxRows(input, rows, columns, output), output);

    /// <inheritdoc/>
    public void Activate(Activation activation, View<float> input, View<float> output) =>
        Around(Moving("Activate", 10 * output.Length, input, output), x => x.Activate(activation, input, output), output);

    /// <inheritdoc/>
    public void Add(View<float> a, View<float> b, View<float> output) => Around(Moving("Add", output.Length, a, b, output), x => x.Add(a, b, output), output);

    /// <inheritdoc/>
    public void Subtract(View<float> a, View<float> b, View<float> output) => Around(Moving("Subtract", output.Length, a, b, output), x => x.Subtract(a, b, output), output);

    /// <inheritdoc/>
    public void Multiply(View<float> a, View<float> b, View<float> output) => Around(Moving("Multiply", output.Length, a, b, output), x => x.Multiply(a, b, output), output);

    /// <inheritdoc/>
    public void Affine(View<float> input, float scale, float shift, View<float> output) =>
        Around(Moving("Affine", 2 * output.Length, input, output), x => x.Affine(input, scale, shift, output), output);

    /// <inheritdoc/>
    public void Clamp(View<float> input, float low, float high, View<float> output) =>
        Around(Moving("Clamp", 2 * output.Length, input, output), x => x.Clamp(input, low, high, output), output);

    /// <inheritdoc/>
    public void Fill(float value, View<float> output) => Around(Moving("Fill", 0, output), x => x.Fill(value, output), output);

    /// <inheritdoc/>
    public void Embedding(View<float> table, int tableRows, int width, View<int> indices, View<float> output) =>
        Around(Moving("Embedding", 0, output, output), x => x.Embedding(table, tableRows, width, indices, output), output);

    /// <inheritdoc/>
    public void CopyRows(View<float> source, int sourceStride, int rows, int width, int destinationStride, View<float> destination) =>
        Around(new OpWork("CopyRows", 0, 8.0 * rows * width), x => x.CopyRows(source, sourceStride, rows, width, destinationStride, destination), destination);

    /// <inheritdoc/>
    public void Transpose(View<float> input, int batch, int rows, int columns, View<float> output) =>
        Around(Moving("Transpose", 0, input, output), x => x.Transpose(input, batch, rows, columns, output), output);

    /// <inheritdoc/>
    public void NearestCode(View<float> input, View<float> codebook, int rows, int codes, int width, View<int> output) =>
        Around(new OpWork("NearestCode", 2.0 * rows * codes * width, 4.0 * (input.Length + codebook.Length + rows)), x => x.NearestCode(input, codebook, rows, codes, width, output), output);

    /// <inheritdoc/>
    public void FilterLogits(View<float> logits, int rows, int columns, in SamplingFilter filter, View<float> output)
    {
        var f = filter;
        Around(Moving("FilterLogits", 10 * output.Length, logits, output), x => x.FilterLogits(logits, rows, columns, f, output), output);
    }

    /// <inheritdoc/>
    public void Sample(View<float> logits, int rows, int columns, in SamplingFilter filter, View<float> uniforms, View<int> output)
    {
        var f = filter;
        Around(Moving("Sample", 10 * logits.Length, logits), x => x.Sample(logits, rows, columns, f, uniforms, output), output);
    }

    /// <inheritdoc/>
    public void FillUniform(in RandomKey key, long firstIndex, View<float> output)
    {
        var k = key;
        Around(Moving("FillUniform", 30 * output.Length, output), x => x.FillUniform(k, firstIndex, output), output);
    }

    /// <inheritdoc/>
    public void MatMulPlain(in MatMulShape shape, View<float> a, View<float> b, in Epilogue epilogue, View<float> output)
    {
        var (s, e) = (shape, epilogue);
        Around(MatMulWork(shape.M, shape.N, shape.K), x => x.MatMulPlain(s, a, b, e, output), output);
    }

    /// <inheritdoc/>
    public void Conv2dPlain(View<float> input, in Conv2dShape shape, View<float> filter, in Epilogue epilogue, View<float> output)
    {
        var (s, e) = (shape, epilogue);
        Around(shape.Work, x => x.Conv2dPlain(input, s, filter, e, output), output);
    }

    /// <inheritdoc/>
    public void Conv2dBackwardInput(View<float> outputGradient, in Conv2dShape shape, View<float> filter, View<float> inputGradient)
    {
        var s = shape;
        Around(shape.Work with { Op = "Conv2dBackwardInput" }, x => x.Conv2dBackwardInput(outputGradient, s, filter, inputGradient), inputGradient);
    }

    /// <inheritdoc/>
    public void Conv2dBackwardFilter(View<float> input, in Conv2dShape shape, View<float> outputGradient, View<float> filterGradient)
    {
        var s = shape;
        Around(shape.Work with { Op = "Conv2dBackwardFilter" }, x => x.Conv2dBackwardFilter(input, s, outputGradient, filterGradient), filterGradient);
    }

    /// <inheritdoc/>
    public void AttentionTraining(in AttentionShape shape, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output)
    {
        var (s, d) = (shape, dropout);
        Around(AttentionWork("AttentionTraining", shape, 4, 8), x => x.AttentionTraining(s, d, query, key, value, output), output);
    }

    /// <inheritdoc/>
    public void AttentionBackward(in AttentionShape shape, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output, View<float> outputGradient, View<float> queryGradient, View<float> keyGradient, View<float> valueGradient)
    {
        var (s, d) = (shape, dropout);
        Around(AttentionWork("AttentionBackward", shape, 10, 16), x => x.AttentionBackward(s, d, query, key, value, output, outputGradient, queryGradient, keyGradient, valueGradient), queryGradient, keyGradient, valueGradient);
    }

    /// <inheritdoc/>
    public void LayerNormBackward(View<float> input, View<float> gamma, View<float> outputGradient, int rows, int channels, float eps, View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient) =>
        Around(Moving("LayerNormBackward", 16 * input.Length, input, outputGradient, inputGradient), x => x.LayerNormBackward(input, gamma, outputGradient, rows, channels, eps, inputGradient, gammaGradient, betaGradient), inputGradient, gammaGradient, betaGradient);

    /// <inheritdoc/>
    public void GroupNormBackward(View<float> input, View<float> gamma, View<float> beta, View<float> outputGradient, int batch, int spatial, int channels, int groups, float eps, Activation activation, View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient) =>
        Around(Moving("GroupNormBackward", 24 * input.Length, input, outputGradient, inputGradient), x => x.GroupNormBackward(input, gamma, beta, outputGradient, batch, spatial, channels, groups, eps, activation, inputGradient, gammaGradient, betaGradient), inputGradient, gammaGradient, betaGradient);

    /// <inheritdoc/>
    public void BatchNormTraining(View<float> input, View<float> gamma, View<float> beta, int rows, int channels, float eps, Activation activation, View<float> mean, View<float> variance, View<float> output) =>
        Around(Moving("BatchNormTraining", 8 * output.Length, input, output), x => x.BatchNormTraining(input, gamma, beta, rows, channels, eps, activation, mean, variance, output), output, mean, variance);

    /// <inheritdoc/>
    public void BatchNormBackward(View<float> input, View<float> gamma, View<float> beta, View<float> mean, View<float> variance, View<float> outputGradient, int rows, int channels, float eps, Activation activation, View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient) =>
        Around(Moving("BatchNormBackward", 16 * input.Length, input, outputGradient, inputGradient), x => x.BatchNormBackward(input, gamma, beta, mean, variance, outputGradient, rows, channels, eps, activation, inputGradient, gammaGradient, betaGradient), inputGradient, gammaGradient, betaGradient);

    /// <inheritdoc/>
    public void SoftmaxBackward(View<float> output, View<float> outputGradient, int rows, int columns, View<float> inputGradient) =>
        Around(Moving("SoftmaxBackward", 4 * output.Length, output, outputGradient, inputGradient), x => x.SoftmaxBackward(output, outputGradient, rows, columns, inputGradient), inputGradient);

    /// <inheritdoc/>
    public void CrossEntropy(View<float> logits, View<int> targets, int rows, int classes, View<float> losses, View<float> logSumExp) =>
        Around(Moving("CrossEntropy", 10 * logits.Length, logits), x => x.CrossEntropy(logits, targets, rows, classes, losses, logSumExp), losses, logSumExp);

    /// <inheritdoc/>
    public void CrossEntropyBackward(View<float> logits, View<int> targets, View<float> logSumExp, View<float> lossGradient, int rows, int classes, View<float> logitsGradient) =>
        Around(Moving("CrossEntropyBackward", 10 * logits.Length, logits, logitsGradient), x => x.CrossEntropyBackward(logits, targets, logSumExp, lossGradient, rows, classes, logitsGradient), logitsGradient);

    /// <inheritdoc/>
    public void L2NormalizeBackward(View<float> input, View<float> outputGradient, int rows, int columns, float eps, View<float> inputGradient) =>
        Around(Moving("L2NormalizeBackward", 8 * input.Length, input, outputGradient, inputGradient), x => x.L2NormalizeBackward(input, outputGradient, rows, columns, eps, inputGradient), inputGradient);

    /// <inheritdoc/>
    public void MaxPool2x2Backward(View<float> input, View<float> outputGradient, int batch, int height, int width, int channels, View<float> inputGradient) =>
        Around(Moving("MaxPool2x2Backward", 3 * outputGradient.Length, input, outputGradient, inputGradient), x => x.MaxPool2x2Backward(input, outputGradient, batch, height, width, channels, inputGradient), inputGradient);

    /// <inheritdoc/>
    public void UpsampleNearest2xBackward(View<float> outputGradient, int batch, int height, int width, int channels, View<float> inputGradient) =>
        Around(Moving("UpsampleNearest2xBackward", 3 * inputGradient.Length, outputGradient, inputGradient), x => x.UpsampleNearest2xBackward(outputGradient, batch, height, width, channels, inputGradient), inputGradient);

    /// <inheritdoc/>
    public void ResizeBilinearBackward(View<float> outputGradient, int batch, int height, int width, int channels, int outHeight, int outWidth, bool antialias, View<float> inputGradient) =>
        Around(Moving("ResizeBilinearBackward", 8 * outputGradient.Length, outputGradient, inputGradient), x => x.ResizeBilinearBackward(outputGradient, batch, height, width, channels, outHeight, outWidth, antialias, inputGradient), inputGradient);

    /// <inheritdoc/>
    public void SumColumns(View<float> input, int rows, int columns, View<float> output) =>
        Around(Moving("SumColumns", input.Length, input, output), x => x.SumColumns(input, rows, columns, output), output);

    /// <inheritdoc/>
    public void SumOfSquares(View<float> input, View<float> output) =>
        Around(Moving("SumOfSquares", 2 * input.Length, input), x => x.SumOfSquares(input, output), output);

    /// <inheritdoc/>
    public void ActivateBackward(Activation activation, View<float> input, View<float> outputGradient, View<float> inputGradient) =>
        Around(Moving("ActivateBackward", 12 * input.Length, input, outputGradient, inputGradient), x => x.ActivateBackward(activation, input, outputGradient, inputGradient), inputGradient);

    /// <inheritdoc/>
    public void Absolute(View<float> input, View<float> output) =>
        Around(Moving("Absolute", input.Length, input, output), x => x.Absolute(input, output), output);

    /// <inheritdoc/>
    public void AbsoluteBackward(View<float> input, View<float> outputGradient, View<float> inputGradient) =>
        Around(Moving("AbsoluteBackward", input.Length, input, outputGradient, inputGradient), x => x.AbsoluteBackward(input, outputGradient, inputGradient), inputGradient);

    /// <inheritdoc/>
    public void ClampBackward(View<float> input, float low, float high, View<float> outputGradient, View<float> inputGradient) =>
        Around(Moving("ClampBackward", 2 * input.Length, input, outputGradient, inputGradient), x => x.ClampBackward(input, low, high, outputGradient, inputGradient), inputGradient);

    /// <inheritdoc/>
    public void AddScaled(View<float> input, float scale, View<float> target) =>
        Around(Moving("AddScaled", 2 * input.Length, input, target, target), x => x.AddScaled(input, scale, target), target);

    /// <inheritdoc/>
    public void ScaleRows(View<float> input, View<float> scale, int rows, int columns, View<float> output) =>
        Around(Moving("ScaleRows", input.Length, input, output), x => x.ScaleRows(input, scale, rows, columns, output), output);

    /// <inheritdoc/>
    public void EmbeddingBackward(View<int> indices, View<float> outputGradient, int tableRows, int width, View<float> tableGradient) =>
        Around(Moving("EmbeddingBackward", outputGradient.Length, outputGradient, tableGradient), x => x.EmbeddingBackward(indices, outputGradient, tableRows, width, tableGradient), tableGradient);

    /// <inheritdoc/>
    public void Dropout(in DropoutMask mask, View<float> input, View<float> output)
    {
        var m = mask;
        Around(Moving("Dropout", 22 * input.Length, input, output), x => x.Dropout(m, input, output), output);
    }

    /// <inheritdoc/>
    public void Adam(in AdamStep step, IReadOnlyList<AdamTensor> tensors)
    {
        var s = step;
        var elements = 0L;
        var written = new Written[3 * tensors.Count];
        for (var i = 0; i < tensors.Count; i++)
        {
            elements += tensors[i].Parameter.Length;
            (written[3 * i], written[3 * i + 1], written[3 * i + 2]) = (tensors[i].Parameter, tensors[i].Mean, tensors[i].Variance);
        }
        Around(new OpWork("Adam", 14.0 * elements, 28.0 * elements), x => x.Adam(s, tensors), written);
    }

    /// <summary>Runs one call. <paramref name="call"/> may be made on <see cref="Inner"/> and on others.</summary>
    protected abstract void Around(OpWork work, Action<IBackend> call, params ReadOnlySpan<Written> outputs);

    /// <summary>The packed operand that stands for <paramref name="packed"/> on a given backend.</summary>
    protected virtual PackedMatrix OperandOf(IBackend backend, PackedMatrix packed) => packed;

    private static OpWork MatMulWork(int m, int n, int k, int weightBytes = 4) => new("MatMul", 2.0 * m * n * k, 4.0 * ((double)m * k + (double)m * n) + (double)weightBytes * n * k);

    private static OpWork AttentionWork(string op, in AttentionShape s, double flopsPerPair, double bytesPerPosition)
    {
        double pairs = s.Causal
            ? s.QueryLength * (s.KeyLength - (s.QueryLength - 1) / 2.0)
            : (double)s.QueryLength * s.KeyLength;
        var width = (double)s.Batch * s.Heads * s.HeadSize;
        return new OpWork(op, flopsPerPair * pairs * width, bytesPerPosition * width * (s.QueryLength + s.KeyLength));
    }

    private static OpWork Moving(string op, double flops, params ReadOnlySpan<View<float>> views)
    {
        var bytes = 0.0;
        foreach (var view in views) bytes += 4.0 * view.Length;
        return new OpWork(op, flops, bytes);
    }

    /// <summary>A view that a call writes.</summary>
    protected readonly struct Written
    {
        /// <summary>Written floats, or none.</summary>
        public View<float> Floats { get; private init; }

        /// <summary>Written ints, or none.</summary>
        public View<int> Ints { get; private init; }

        /// <summary>Floats.</summary>
        public static implicit operator Written(View<float> view) => new() { Floats = view };

        /// <summary>Ints.</summary>
        public static implicit operator Written(View<int> view) => new() { Ints = view };
    }
}
