#pragma warning disable CS1591
namespace ClipGen.Kernels;

public sealed partial class CpuBackend
{
    public void MatMulPlain(in MatMulShape shape, View<float> a, View<float> b, in Epilogue epilogue, View<float> output) => throw new NotImplementedException();
    public void Conv2dPlain(View<float> input, in Conv2dShape shape, View<float> filter, in Epilogue epilogue, View<float> output) => throw new NotImplementedException();
    public void Conv2dBackwardInput(View<float> outputGradient, in Conv2dShape shape, View<float> filter, View<float> inputGradient) => throw new NotImplementedException();
    public void Conv2dBackwardFilter(View<float> input, in Conv2dShape shape, View<float> outputGradient, View<float> filterGradient) => throw new NotImplementedException();
    public void AttentionTraining(in AttentionShape shape, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output) => throw new NotImplementedException();
    public void AttentionBackward(in AttentionShape shape, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output, View<float> outputGradient, View<float> queryGradient, View<float> keyGradient, View<float> valueGradient) => throw new NotImplementedException();
    public void LayerNormBackward(View<float> input, View<float> gamma, View<float> outputGradient, int rows, int channels, float eps, View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient) => throw new NotImplementedException();
    public void GroupNormBackward(View<float> input, View<float> gamma, View<float> beta, View<float> outputGradient, int batch, int spatial, int channels, int groups, float eps, Activation activation, View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient) => throw new NotImplementedException();
    public void BatchNormTraining(View<float> input, View<float> gamma, View<float> beta, int rows, int channels, float eps, Activation activation, View<float> mean, View<float> variance, View<float> output) => throw new NotImplementedException();
    public void BatchNormBackward(View<float> input, View<float> gamma, View<float> beta, View<float> mean, View<float> variance, View<float> outputGradient, int rows, int channels, float eps, Activation activation, View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient) => throw new NotImplementedException();
    public void SoftmaxBackward(View<float> output, View<float> outputGradient, int rows, int columns, View<float> inputGradient) => throw new NotImplementedException();
    public void CrossEntropy(View<float> logits, View<int> targets, int rows, int classes, View<float> losses, View<float> logSumExp) => throw new NotImplementedException();
    public void CrossEntropyBackward(View<float> logits, View<int> targets, View<float> logSumExp, View<float> lossGradient, int rows, int classes, View<float> logitsGradient) => throw new NotImplementedException();
    public void L2NormalizeBackward(View<float> input, View<float> outputGradient, int rows, int columns, float eps, View<float> inputGradient) => throw new NotImplementedException();
    public void MaxPool2x2Backward(View<float> input, View<float> outputGradient, int batch, int height, int width, int channels, View<float> inputGradient) => throw new NotImplementedException();
    public void UpsampleNearest2xBackward(View<float> outputGradient, int batch, int height, int width, int channels, View<float> inputGradient) => throw new NotImplementedException();
    public void ResizeBilinearBackward(View<float> outputGradient, int batch, int height, int width, int channels, int outHeight, int outWidth, bool antialias, View<float> inputGradient) => throw new NotImplementedException();
    public void SumColumns(View<float> input, int rows, int columns, View<float> output) => throw new NotImplementedException();
    public void SumOfSquares(View<float> input, View<float> output) => throw new NotImplementedException();
    public void ActivateBackward(Activation activation, View<float> input, View<float> outputGradient, View<float> inputGradient) => throw new NotImplementedException();
    public void Absolute(View<float> input, View<float> output) => throw new NotImplementedException();
    public void AbsoluteBackward(View<float> input, View<float> outputGradient, View<float> inputGradient) => throw new NotImplementedException();
    public void ClampBackward(View<float> input, float low, float high, View<float> outputGradient, View<float> inputGradient) => throw new NotImplementedException();
    public void AddScaled(View<float> input, float scale, View<float> target) => throw new NotImplementedException();
    public void ScaleRows(View<float> input, View<float> scale, int rows, int columns, View<float> output) => throw new NotImplementedException();
    public void EmbeddingBackward(View<int> indices, View<float> outputGradient, int tableRows, int width, View<float> tableGradient) => throw new NotImplementedException();
    public void Dropout(in DropoutMask mask, View<float> input, View<float> output) => throw new NotImplementedException();
    public void Adam(in AdamStep step, IReadOnlyList<AdamTensor> tensors) => throw new NotImplementedException();
}
