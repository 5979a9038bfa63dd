namespace ClipGen.Kernels.Tests;

/// <summary>Wrong arguments are refused at the backend's door, with the op's and the argument's name, before any memory is touched.</summary>
public sealed class ArgumentTests : IDisposable
{
    private readonly CpuBackend cpu = new(2);
    private readonly DeviceArrays arrays;
    private readonly View<float> four, eight;
    private readonly View<int> two;
    private readonly PackedMatrix packed;

    public ArgumentTests()
    {
        arrays = new DeviceArrays(cpu);
        four = arrays.From(new float[4]);
        eight = arrays.From(new float[8]);
        two = arrays.From(new int[2]);
        packed = cpu.AllocatePacked(2, 4);
    }

    public void Dispose()
    {
        packed.Dispose();
        arrays.Dispose();
        cpu.Dispose();
    }

    [Fact]
    public void MatMul()
    {
        Refused("MatMul", "argument 'a' has 4 elements, expected 8", () => cpu.MatMul(four, 2, packed, default, four));
        Refused("MatMul", "argument 'output' has 1 elements, expected 2", () => cpu.MatMul(four, 1, packed, default, four.Slice(0, 1)));
        Refused("MatMul", "Bias", () => cpu.MatMul(four, 1, packed, new Epilogue { Bias = four.Slice(0, 1) }, four));
        Refused("MatMul", "Residual", () => cpu.MatMul(four, 1, packed, new Epilogue { Residual = four.Slice(0, 1) }, four));
        Refused("MatMul", "-1 rows of a", () => cpu.MatMul(four, -1, packed, default, four));
        Refused("PackRows", "rows 1..3", () => cpu.PackRows(new float[8], 1, 2, packed));
        Refused("PackRows", "7 floats", () => cpu.PackRows(new float[7], 0, 2, packed));
        Assert.Throws<ArgumentOutOfRangeException>(() => cpu.AllocatePacked(-1, 1));
        Assert.Throws<ArgumentNullException>(() => cpu.MatMul(four, 1, null!, default, four));
    }

    [Fact]
    public void MatMulPlain()
    {
        Refused("MatMulPlain", "argument 'a' has 4 elements, expected 8", () => cpu.MatMulPlain(new MatMulShape(2, 1, 4), four, four, default, four));
        Refused("MatMulPlain", "argument 'b' has 4 elements, expected 8", () => cpu.MatMulPlain(new MatMulShape(1, 2, 4, true, true), four, four, default, four));
        Refused("MatMulPlain", "argument 'output' has 4 elements, expected 8", () => cpu.MatMulPlain(new MatMulShape(2, 4, 2), four, eight, default, four));
        Refused("MatMulPlain", "Bias", () => cpu.MatMulPlain(new MatMulShape(1, 2, 2), four, four, new Epilogue { Bias = four.Slice(0, 1) }, four));
        Refused("MatMulPlain", "Residual", () => cpu.MatMulPlain(new MatMulShape(1, 2, 2), four, four, new Epilogue { Residual = four.Slice(0, 1) }, four));
        Refused("MatMulPlain", "illegal sizes: 1x-2x2", () => cpu.MatMulPlain(new MatMulShape(1, -2, 2), four, four, default, four));
    }

    [Fact]
    public void ConvolutionGradients()
    {
        var shape = new Conv2dShape { Batch = 1, Height = 2, Width = 2, InChannels = 1, OutChannels = 2, Kernel = 2 };
        Refused("Conv2dPlain", "argument 'filter' has 4 elements, expected 8", () => cpu.Conv2dPlain(four, shape, four, default, eight));
        Refused("Conv2dPlain", "'input'", () => cpu.Conv2dPlain(four, shape with { Batch = 2 }, eight, default, eight));
        Refused("Conv2dPlain", "'output'", () => cpu.Conv2dPlain(four, shape, eight, default, four.Slice(0, 1)));
        Refused("Conv2dPlain", "illegal sizes", () => cpu.Conv2dPlain(four, shape with { Kernel = 0 }, eight, default, eight));
        Refused("Conv2dBackwardInput", "argument 'outputGradient' has 1 elements, expected 2", () => cpu.Conv2dBackwardInput(four.Slice(0, 1), shape, eight, four));
        Refused("Conv2dBackwardInput", "'filter'", () => cpu.Conv2dBackwardInput(four, shape, four, four));
        Refused("Conv2dBackwardInput", "'inputGradient'", () => cpu.Conv2dBackwardInput(four, shape, eight, four.Slice(0, 3)));
        Refused("Conv2dBackwardInput", "smaller than the 2x2 filter", () => cpu.Conv2dBackwardInput(four, shape with { Width = 1 }, eight, four));
        Refused("Conv2dBackwardFilter", "'input'", () => cpu.Conv2dBackwardFilter(four.Slice(0, 3), shape, four, eight));
        Refused("Conv2dBackwardFilter", "'outputGradient'", () => cpu.Conv2dBackwardFilter(eight, shape with { Batch = 2 }, four.Slice(0, 3), eight));
        Refused("Conv2dBackwardFilter", "argument 'filterGradient' has 4 elements, expected 8", () => cpu.Conv2dBackwardFilter(four, shape, four, four));
        Refused("Conv2dBackwardFilter", "illegal sizes", () => cpu.Conv2dBackwardFilter(four, shape with { Stride = 0 }, four, eight));
    }

    [Fact]
    public void ParameterGradients()
    {
        Refused("SumColumns", "argument 'input' has 4 elements, expected 8", () => cpu.SumColumns(four, 2, 4, four));
        Refused("SumColumns", "'output'", () => cpu.SumColumns(eight, 1, 8, four));
        Refused("SumColumns", "illegal sizes: -1x4", () => cpu.SumColumns(four, -1, 4, four));
        Refused("SumOfSquares", "'output'", () => cpu.SumOfSquares(four, four.Slice(0, 0)));
        Refused("EmbeddingBackward", "index 2 at 1 is outside the table of 2 rows", () => cpu.EmbeddingBackward(arrays.From(1, 2), four, 2, 2, four));
        Refused("EmbeddingBackward", "index -1 at 0", () => cpu.EmbeddingBackward(arrays.From(-1), four, 2, 2, four));
        Refused("EmbeddingBackward", "argument 'outputGradient' has 4 elements, expected 8", () => cpu.EmbeddingBackward(two, four, 1, 4, four));
        Refused("EmbeddingBackward", "'tableGradient'", () => cpu.EmbeddingBackward(two, eight, 3, 2, four));
        Refused("EmbeddingBackward", "table of 2 rows of -1", () => cpu.EmbeddingBackward(two, eight, 2, -1, four));
    }

    [Fact]
    public void Conv2d()
    {
        var shape = new Conv2dShape { Batch = 1, Height = 2, Width = 2, InChannels = 1, OutChannels = 2, Kernel = 2 };
        Refused("Conv2d", "'input'", () => cpu.Conv2d(four, shape with { Batch = 2 }, packed, default, eight));
        Refused("Conv2d", "'output'", () => cpu.Conv2d(four, shape, packed, default, four.Slice(0, 1)));
        Refused("Conv2d", "filter [2, 4], expected [3, 4]", () => cpu.Conv2d(four, shape with { OutChannels = 3 }, packed, default, eight));
        Refused("Conv2d", "smaller than the 2x2 filter", () => cpu.Conv2d(four, shape with { Height = 1 }, packed, default, eight));
        Refused("Conv2d", "illegal sizes", () => cpu.Conv2d(four, shape with { Upsample = 3 }, packed, default, eight));
        Refused("Conv2d", "illegal sizes", () => cpu.Conv2d(four, shape with { Stride = 0 }, packed, default, eight));
    }

    [Fact]
    public void Attention()
    {
        var shape = new AttentionShape { Batch = 1, Heads = 1, HeadSize = 4, QueryLength = 1, KeyLength = 2 };
        Refused("Attention", "'query'", () => cpu.Attention(shape, four.Slice(0, 3), eight, eight, four));
        Refused("Attention", "'key'", () => cpu.Attention(shape, four, four, eight, four));
        Refused("Attention", "'value'", () => cpu.Attention(shape, four, eight, four, four));
        Refused("Attention", "'output'", () => cpu.Attention(shape, four, eight, eight, four.Slice(0, 2)));
        Refused("Attention", "keys (2)", () => cpu.Attention(shape with { QueryLength = 3, Causal = true }, eight, eight, eight, eight));
        Refused("Attention", "illegal sizes", () => cpu.Attention(shape with { Heads = 0 }, four, eight, eight, four));
        Refused("Attention", "illegal sizes", () => cpu.Attention(shape with { KeyStride = 3 }, four, eight, eight, four));
    }

    [Fact]
    public void AttentionForTraining()
    {
        var shape = new AttentionShape { Batch = 1, Heads = 1, HeadSize = 4, QueryLength = 1, KeyLength = 2 };
        var mask = new DropoutMask(0.5f, default);
        Refused("AttentionTraining", "'key'", () => cpu.AttentionTraining(shape, mask, four, four, eight, four));
        Refused("AttentionTraining", "probability 1,", () => cpu.AttentionTraining(shape, mask with { Probability = 1 }, four, eight, eight, four));
        Refused("AttentionBackward", "probability NaN", () => cpu.AttentionBackward(shape, mask with { Probability = float.NaN }, four, eight, eight, four, four, four, eight, eight));
        // Each of the eight operands one float short.
        string[] names = ["query", "key", "value", "output", "outputGradient", "queryGradient", "keyGradient", "valueGradient"];
        View<float>[] whole = [four, eight, eight, four, four, four, eight, eight];
        for (var i = 0; i < names.Length; i++)
        {
            var x = whole.ToArray();
            x[i] = x[i].Slice(0, x[i].Length - 1);
            Refused("AttentionBackward", $"'{names[i]}'", () => cpu.AttentionBackward(shape, mask, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]));
        }
        Refused("Attention", "keys (2)", () => cpu.AttentionBackward(shape with { QueryLength = 3, Causal = true }, mask, eight, eight, eight, eight, eight, eight, eight, eight));
    }

    [Fact]
    public void TrainingOps()
    {
        Refused("SoftmaxBackward", "'output'", () => cpu.SoftmaxBackward(four, eight, 2, 4, eight));
        Refused("SoftmaxBackward", "'outputGradient'", () => cpu.SoftmaxBackward(eight, four, 2, 4, eight));
        Refused("SoftmaxBackward", "'inputGradient'", () => cpu.SoftmaxBackward(eight, eight, 2, 4, four));
        Refused("CrossEntropy", "'logits'", () => cpu.CrossEntropy(four, two, 2, 4, four, four));
        Refused("CrossEntropy", "'targets'", () => cpu.CrossEntropy(eight, two.Slice(0, 1), 2, 4, four, four));
        Refused("CrossEntropy", "'losses'", () => cpu.CrossEntropy(eight, two, 2, 4, four.Slice(0, 1), four));
        Refused("CrossEntropy", "'logSumExp'", () => cpu.CrossEntropy(eight, two, 2, 4, four, four.Slice(0, 1)));
        Refused("CrossEntropy", "2 rows of 0 classes", () => cpu.CrossEntropy(eight, two, 2, 0, four, four));
        Refused("CrossEntropy", "target 4 of row 1 is outside the 4 classes", () => cpu.CrossEntropy(eight, arrays.From(3, 4), 2, 4, four, four));
        Refused("CrossEntropyBackward", "target -1 of row 0", () => cpu.CrossEntropyBackward(eight, arrays.From(-1, 0), four, four, 2, 4, eight));
        Refused("CrossEntropyBackward", "'lossGradient'", () => cpu.CrossEntropyBackward(eight, two, four, four.Slice(0, 1), 2, 4, eight));
        Refused("CrossEntropyBackward", "'logitsGradient'", () => cpu.CrossEntropyBackward(eight, two, four, four, 2, 4, four));
        Refused("Dropout", "'output'", () => cpu.Dropout(default, eight, four));
        foreach (var probability in new[] { 1, -0.1f, float.NaN })
            Refused("Dropout", $"probability {probability},", () => cpu.Dropout(new DropoutMask(probability, default), four, four));
    }

    [Fact]
    public void Adam()
    {
        var step = new AdamStep { Step = 1, LearningRate = 0.1, Beta1 = 0.9, Beta2 = 0.99 };
        var tensor = new AdamTensor(four, four, four, four);
        Refused("Adam", "step 0", () => cpu.Adam(step with { Step = 0 }, [tensor]));
        Refused("Adam", "betas 1 and 0.99", () => cpu.Adam(step with { Beta1 = 1 }, [tensor]));
        Refused("Adam", "betas 0.9 and NaN", () => cpu.Adam(step with { Beta2 = double.NaN }, [tensor]));
        Refused("Adam", "tensor 1 has 4 elements, its gradient 8", () => cpu.Adam(step, [tensor, tensor with { Gradient = eight }]));
        Refused("Adam", "mean 8", () => cpu.Adam(step, [tensor with { Mean = eight }]));
        Refused("Adam", "variance 2", () => cpu.Adam(step, [tensor with { Variance = four.Slice(0, 2) }]));
    }

    [Fact]
    public void AttentionDecode()
    {
        var shape = new AttentionDecodeShape(1, 1, 2, 2);
        Refused("AttentionDecode", "'qkv'", () => cpu.AttentionDecode(shape, four, eight, eight, two, four));
        Refused("AttentionDecode", "'keyCache'", () => cpu.AttentionDecode(shape, eight, four.Slice(0, 2), eight, two, four));
        Refused("AttentionDecode", "'valueCache'", () => cpu.AttentionDecode(shape, eight, four, four.Slice(0, 2), two, four));
        Refused("AttentionDecode", "sequence 0 has length 2, the cache holds 2", () => cpu.AttentionDecode(shape, eight, four, four, arrays.From(2), four));
        Refused("AttentionDecode", "sequence 0 has length -1", () => cpu.AttentionDecode(shape, eight, four, four, arrays.From(-1), four));
    }

    [Fact]
    public void Norms()
    {
        Refused("LayerNorm", "'input'", () => cpu.LayerNorm(four, four, four, 2, 4, 1e-5f, eight));
        Refused("LayerNorm", "'gamma'", () => cpu.LayerNorm(eight, four, four, 1, 8, 1e-5f, eight));
        Refused("GroupNorm", "3 channels in 2 groups", () => cpu.GroupNorm(eight, four, four, 1, 2, 3, 2, 1e-5f, Activation.None, eight));
        Refused("GroupNorm", "'beta'", () => cpu.GroupNorm(eight, eight, four, 1, 1, 8, 2, 1e-5f, Activation.None, eight));
        Refused("BatchNormInference", "'variance'", () => cpu.BatchNormInference(eight, eight, eight, eight, four, 1, 8, 1e-5f, Activation.None, eight));
    }

    [Fact]
    public void RowsAndPoints()
    {
        Refused("Softmax", "'output'", () => cpu.Softmax(eight, 2, 4, four));
        Refused("L2Normalize", "'input'", () => cpu.L2Normalize(four, 2, 4, 1e-12f, eight));
        Refused("MeanRows", "'input'", () => cpu.MeanRows(four, 2, 4, four));
        Refused("SumRows", "'output'", () => cpu.SumRows(eight, 8, 1, four));
        Refused("ArgMaxRows", "no largest entry", () => cpu.ArgMaxRows(four, 2, 0, two));
        Refused("Activate", "'output'", () => cpu.Activate(Activation.Relu, eight, four));
        Refused("Add", "b has 3 elements, which does not divide the 8 of a", () => cpu.Add(eight, four.Slice(0, 3), eight));
        Refused("Subtract", "'output'", () => cpu.Subtract(eight, four, four));
        Refused("Multiply", "b has 0 elements", () => cpu.Multiply(eight, default, eight));
        Refused("Transpose", "'input'", () => cpu.Transpose(four, 1, 2, 4, eight));
        Refused("CopyRows", "strides 2 and 1", () => cpu.CopyRows(four, 2, 2, 2, 1, eight));
        Refused("CopyRows", "'destination'", () => cpu.CopyRows(eight, 4, 2, 4, 4, four));
        Assert.Throws<ArgumentOutOfRangeException>(() => cpu.Activate((Activation)99, four, four));
    }

    [Fact]
    public void PicturesAndCodes()
    {
        Refused("MaxPool2x2", "'output'", () => cpu.MaxPool2x2(eight, 1, 2, 2, 2, four.Slice(0, 1)));
        Refused("UpsampleNearest2x", "'output'", () => cpu.UpsampleNearest2x(four, 1, 2, 2, 1, eight));
        Refused("ResizeBilinear", "2x2 to 0x2", () => cpu.ResizeBilinear(four, 1, 2, 2, 1, 0, 2, false, four));
        Refused("Embedding", "index 2 at 1 is outside the table of 2 rows", () => cpu.Embedding(four, 2, 2, arrays.From(1, 2), four));
        Refused("Embedding", "index -1 at 0", () => cpu.Embedding(four, 2, 2, arrays.From(-1), four));
        Refused("NearestCode", "'codebook'", () => cpu.NearestCode(four, four, 1, 3, 2, two));
        Refused("NearestCode", "1 rows against 0 codes", () => cpu.NearestCode(four, four, 1, 0, 2, two));
        Assert.Throws<ArgumentOutOfRangeException>(() => cpu.FillUniform(default, -1, four));
    }

    [Fact]
    public void NormGradients()
    {
        const Activation none = Activation.None;
        Refused("LayerNormBackward", "'input'", () => cpu.LayerNormBackward(four, four, eight, 2, 4, 1e-5f, eight, four, four));
        Refused("LayerNormBackward", "'outputGradient'", () => cpu.LayerNormBackward(eight, four, four, 2, 4, 1e-5f, eight, four, four));
        Refused("LayerNormBackward", "'inputGradient'", () => cpu.LayerNormBackward(eight, four, eight, 2, 4, 1e-5f, four, four, four));
        Refused("LayerNormBackward", "'gamma'", () => cpu.LayerNormBackward(eight, four, eight, 1, 8, 1e-5f, eight, eight, eight));
        Refused("LayerNormBackward", "'gammaGradient'", () => cpu.LayerNormBackward(eight, eight, eight, 1, 8, 1e-5f, eight, four, eight));
        Refused("LayerNormBackward", "'betaGradient'", () => cpu.LayerNormBackward(eight, eight, eight, 1, 8, 1e-5f, eight, eight, default));
        Refused("LayerNormBackward", "2 rows of 0 channels", () => cpu.LayerNormBackward(eight, four, eight, 2, 0, 1e-5f, eight, four, four));
        Refused("GroupNormBackward", "3 channels in 2 groups", () => cpu.GroupNormBackward(eight, four, four, eight, 1, 2, 3, 2, 1e-5f, none, eight, four, four));
        Refused("GroupNormBackward", "over 0 positions", () => cpu.GroupNormBackward(eight, four, four, eight, 1, 0, 4, 2, 1e-5f, none, eight, four, four));
        Refused("GroupNormBackward", "'outputGradient'", () => cpu.GroupNormBackward(eight, four, four, four, 1, 2, 4, 2, 1e-5f, none, eight, four, four));
        Refused("GroupNormBackward", "'beta'", () => cpu.GroupNormBackward(eight, eight, four, eight, 1, 1, 8, 2, 1e-5f, none, eight, eight, eight));
        Refused("GroupNormBackward", "'gammaGradient'", () => cpu.GroupNormBackward(eight, eight, eight, eight, 1, 1, 8, 2, 1e-5f, none, eight, four, eight));
        Assert.Throws<ArgumentOutOfRangeException>(() => cpu.GroupNormBackward(eight, four, four, eight, 1, 2, 4, 2, 1e-5f, (Activation)99, eight, four, four));
        Refused("BatchNormTraining", "0 rows of 4 channels have no mean", () => cpu.BatchNormTraining(eight, four, four, 0, 4, 1e-5f, none, four, four, eight));
        Refused("BatchNormTraining", "'variance'", () => cpu.BatchNormTraining(eight, eight, eight, 1, 8, 1e-5f, none, eight, four, eight));
        Refused("BatchNormBackward", "0 rows of 4 channels have no mean", () => cpu.BatchNormBackward(eight, four, four, four, four, eight, 0, 4, 1e-5f, none, eight, four, four));
        Refused("BatchNormBackward", "'mean'", () => cpu.BatchNormBackward(eight, eight, eight, four, eight, eight, 1, 8, 1e-5f, none, eight, eight, eight));
        Refused("BatchNormBackward", "'inputGradient'", () => cpu.BatchNormBackward(eight, four, four, four, four, eight, 2, 4, 1e-5f, none, four, four, four));
        Refused("L2NormalizeBackward", "'outputGradient'", () => cpu.L2NormalizeBackward(eight, four, 2, 4, 1e-12f, eight));
        Refused("L2NormalizeBackward", "-1 rows", () => cpu.L2NormalizeBackward(eight, eight, -1, 4, 1e-12f, eight));
    }

    [Fact]
    public void PictureAndPointGradients()
    {
        Refused("MaxPool2x2Backward", "'inputGradient'", () => cpu.MaxPool2x2Backward(eight, eight, 1, 2, 2, 2, four));
        Refused("MaxPool2x2Backward", "'outputGradient'", () => cpu.MaxPool2x2Backward(eight, four.Slice(0, 1), 1, 2, 2, 2, eight));
        Refused("MaxPool2x2Backward", "1 pictures of -2x2x1", () => cpu.MaxPool2x2Backward(eight, eight, 1, -2, 2, 1, eight));
        Refused("UpsampleNearest2xBackward", "'outputGradient'", () => cpu.UpsampleNearest2xBackward(four, 1, 2, 1, 1, four));
        Refused("UpsampleNearest2xBackward", "'inputGradient'", () => cpu.UpsampleNearest2xBackward(eight, 1, 2, 1, 1, four.Slice(0, 1)));
        Refused("ResizeBilinearBackward", "2x2 to 0x2", () => cpu.ResizeBilinearBackward(four, 1, 2, 2, 1, 0, 2, false, four));
        Refused("ResizeBilinearBackward", "'outputGradient'", () => cpu.ResizeBilinearBackward(four, 1, 2, 2, 1, 4, 2, false, four));
        Refused("ActivateBackward", "'outputGradient'", () => cpu.ActivateBackward(Activation.Silu, eight, four, eight));
        Refused("ActivateBackward", "'inputGradient'", () => cpu.ActivateBackward(Activation.Silu, eight, eight, four));
        Refused("Absolute", "'output'", () => cpu.Absolute(eight, four));
        Refused("AbsoluteBackward", "'outputGradient'", () => cpu.AbsoluteBackward(eight, four, eight));
        Refused("ClampBackward", "'inputGradient'", () => cpu.ClampBackward(eight, 0, 1, eight, four));
        Refused("AddScaled", "'target'", () => cpu.AddScaled(eight, 2, four));
        Refused("ScaleRows", "'scale'", () => cpu.ScaleRows(eight, four, 8, 1, eight));
        Refused("ScaleRows", "'output'", () => cpu.ScaleRows(eight, four, 2, 4, four));
        Assert.Throws<ArgumentOutOfRangeException>(() => cpu.ActivateBackward((Activation)99, four, four, four));
    }

    [Fact]
    public void SamplingSettingsAndBrokenLogits()
    {
        foreach (var (filter, message) in new[]
            { (new SamplingFilter(0, 0, 1), "temperature 0"), (new(float.NaN, 0, 1), "temperature NaN"), (new(float.PositiveInfinity, 0, 1), "temperature"), (new(1, -1, 1), "top-k -1"), (new(1, 0, float.NaN), "top-p NaN"), (new(1, 0, -0.1f), "top-p -0.1") })
        {
            Refused("Sampling", message, () => cpu.FilterLogits(four, 1, 4, filter, four));
            Refused("Sampling", message, () => cpu.Sample(four, 1, 4, filter, four, two));
        }
        Refused("Sample", "'uniforms'", () => cpu.Sample(eight, 2, 4, new SamplingFilter(1, 0, 1), four.Slice(0, 1), two));
        Refused("FilterLogits", "'logits'", () => cpu.FilterLogits(four, 2, 4, new SamplingFilter(1, 0, 1), eight));
        // The same message from one row, which the caller computes, and from a row that a worker computes.
        float[] broken = [1, 2, 3, 4, 5, float.NaN, 6, 7];
        Refused("Sampling", "logit 5 of row 0 is NaN", () => cpu.Sample(arrays.From(broken), 1, 8, new SamplingFilter(1, 0, 1), four, two));
        Refused("Sampling", "logit 1 of row 1 is NaN", () => cpu.Sample(arrays.From(broken), 2, 4, new SamplingFilter(1, 0, 1), four, two));
        Refused("Sampling", "no finite", () => cpu.Sample(arrays.From(Enumerable.Repeat(float.NegativeInfinity, 4).ToArray()), 1, 4, new SamplingFilter(1, 0, 1), four, two));
        Refused("Sampling", "logit 2 of row 0 is ", () => cpu.Sample(arrays.From(0, 1, float.PositiveInfinity, 2), 1, 4, new SamplingFilter(1, 0, 1), four, two));
    }

    private static void Refused(string op, string part, Action call)
    {
        var error = Assert.ThrowsAny<ArgumentException>(call);
        Assert.StartsWith($"{op}: ", error.Message);
        Assert.Contains(part, error.Message);
    }
}
