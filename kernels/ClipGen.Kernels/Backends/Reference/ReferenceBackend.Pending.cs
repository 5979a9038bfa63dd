#pragma warning disable CS1591
namespace ClipGen.Kernels;

public sealed partial class ReferenceBackend
{
    public void MatMulPlain(in MatMulShape shape, View<float> a, View<float> b, in Epilogue epilogue, View<float> output) => throw new NotImplementedException();
    public void Conv2dPlain(View<float> input, in Conv2dShape shape, View<float> filter, in Epilogue epilogue, View<float> output) => throw new NotImplementedException();
    public void Conv2dBackwardInput(View<float> outputGradient, in Conv2dShape shape, View<float> filter, View<float> inputGradient) => throw new NotImplementedException();
    public void Conv2dBackwardFilter(View<float> input, in Conv2dShape shape, View<float> outputGradient, View<float> filterGradient) => throw new NotImplementedException();
    public void SumColumns(View<float> input, int rows, int columns, View<float> output) => throw new NotImplementedException();
    public void SumOfSquares(View<float> input, View<float> output) => throw new NotImplementedException();
    public void EmbeddingBackward(View<int> indices, View<float> outputGradient, int tableRows, int width, View<float> tableGradient) => throw new NotImplementedException();
}
