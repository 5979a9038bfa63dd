using ClipGen.Data;
using ClipGen.Data.Shapes;
using ClipGen.Models.Evaluation;
using ClipGen.Models.Lpips;
using ClipGen.Models.Pipeline;
using ClipGen.Tensors;

namespace ClipGen.Models.Tests.Evaluation;

/// <summary>Reconstructions in numbers.</summary>
public sealed class ReconstructionEvaluationTests
{
    [Fact]
    public void MeansOverThePicturesWhateverTheBatches()
    {
        using var device = Device.Cpu(2);
        using var shapes = new ShapesPipeline(device);
        var vqgan = shapes.Models.VqGan;
        var pictures = Enumerable.Range(0, 19).Select(n => ShapesWorld.Picture(1, ShapesSplit.Train, n)).ToArray();
        var report = ReconstructionEvaluation.Run(vqgan, null, pictures, pictures.Length, new RecordedProgress(), TestContext.Current.CancellationToken);
        var single = pictures.Select(picture => PictureCodec.Reconstruct(vqgan, picture)).ToArray();
        Assert.Equal(19, report.Pictures);
        // One by one the decoder sees latents rounded as in training, z + (e − z), which differ from the codes' in the last bit.
        Assert.Equal(single.Average(r => r.L1), report.L1, 1e-5);
        Assert.Equal(single.Average(r => r.Psnr), report.Psnr, 1e-2);
        Assert.Null(report.Lpips);
        Assert.Equal(pictures.SelectMany(picture => PictureCodec.Encode(vqgan, picture).SelectMany(row => row)).Distinct().Count(), report.CodesUsed);
        Assert.Throws<EvaluationException>(() => ReconstructionEvaluation.Run(vqgan, null, [], 0, new RecordedProgress(), TestContext.Current.CancellationToken));
    }

    [Fact]
    public void PerceptualDistanceOfEachPair()
    {
        using var device = Device.Cpu(2);
        using var shapes = new ShapesPipeline(device);
        using var lpips = LpipsModel.Load(device, new ComputedWeights("lpips", ReleasedModels.Vgg16Lpips));
        var vqgan = shapes.Models.VqGan;
        Picture[] pictures = [.. Enumerable.Range(0, 2).Select(n => PictureTransforms.Crop(ShapesWorld.Picture(1, ShapesSplit.Train, n), 16, 16, 16, 16))];
        var report = ReconstructionEvaluation.Run(vqgan, lpips, pictures, 2, new RecordedProgress(), TestContext.Current.CancellationToken);
        double expected = 0;
        foreach (var picture in pictures)
        {
            using var scope = new TensorScope();
            var input = device.From(PictureTransforms.ToVqGan(picture), new Shape(1, 16, 16, 3));
            expected += lpips.Distance(vqgan.DecodeCodes(vqgan.Quantize(vqgan.Encode(input))), input)[0] / 2;
        }
        // Sums of the same numbers in another order.
        Assert.Equal(expected, report.Lpips!.Value, 1e-6 * expected);
    }
}
