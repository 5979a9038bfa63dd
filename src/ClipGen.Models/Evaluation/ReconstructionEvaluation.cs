using ClipGen.Data;
using ClipGen.Models.Lpips;
using ClipGen.Models.Pipeline;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;

namespace ClipGen.Models.Evaluation;

/// <summary>How well a VQ-GAN keeps pictures.</summary>
/// <param name="Pictures">How many were measured.</param>
/// <param name="L1">Mean absolute difference of the values in [−1, 1]: the reconstruction loss of training.</param>
/// <param name="Psnr">Mean over the pictures of the peak signal-to-noise ratio of the 8-bit pictures, in decibels; infinite when one is kept exactly.</param>
/// <param name="Lpips">Mean perceptual distance; null when it was not measured.</param>
/// <param name="CodesUsed">How many different codes stand for the pictures.</param>
/// <param name="Codes">Size of the codebook.</param>
public sealed record ReconstructionReport(int Pictures, double L1, double Psnr, double? Lpips, int CodesUsed, int Codes);

/// <summary>Pictures through a VQ-GAN and back, in numbers.</summary>
public static class ReconstructionEvaluation
{
    /// <summary>Measures reconstructions.</summary>
    /// <param name="vqgan">The model.</param>
    /// <param name="lpips">For the perceptual distance, or null.</param>
    /// <param name="pictures">Square pictures of one size, a multiple of the model's factor.</param>
    /// <param name="count">How many there are, for the progress.</param>
    /// <param name="progress">Is told how far it is.</param>
    /// <param name="cancellation">Ends the work between batches.</param>
    /// <param name="seen">Is given each reconstruction, in the pictures' order.</param>
    /// <exception cref="EvaluationException">There are none.</exception>
    /// <exception cref="DataException">A reconstruction holds a value that is not a number.</exception>
    public static ReconstructionReport Run(VqGanModel vqgan, LpipsModel? lpips, IEnumerable<Picture> pictures, long count, IEvaluationProgress progress, CancellationToken cancellation = default, Action<Picture>? seen = null)
    {
        ArgumentNullException.ThrowIfNull(pictures);
        var used = new bool[vqgan.Codes];
        double l1 = 0, psnr = 0, distance = 0;
        var done = 0;
        progress.Begin("reconstructions", count, "pictures");
        foreach (var batch in PictureCodec.Batches(vqgan, pictures))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = new TensorScope();
            int side = batch[0].Width, size = side * side * 3;
            var values = batch.SelectMany(PictureTransforms.ToVqGan).ToArray();
            var input = vqgan.Device.From(values, new Shape(batch.Count, side, side, 3));
            var codes = vqgan.Quantize(vqgan.Encode(input));
            foreach (var code in codes.ToArray<int>()) used[code] = true;
            var output = vqgan.DecodeCodes(codes);
            var results = PictureCodec.Pictures(output);
            var painted = output.ToFloats();
            for (var n = 0; n < batch.Count; n++)
            {
                double difference = 0;
                for (var i = n * size; i < (n + 1) * size; i++) difference += Math.Abs((double)painted[i] - values[i]);
                l1 += difference / size;
                psnr += PictureCodec.Psnr(batch[n], results[n]);
                seen?.Invoke(results[n]);
            }
            if (lpips is not null) distance += lpips.Distance(output, input).Sum(value => (double)value);
            progress.Report(done += batch.Count);
        }
        if (done == 0) throw new EvaluationException("there are no pictures to reconstruct");
        return new ReconstructionReport(done, l1 / done, psnr / done, lpips is null ? null : distance / done, used.Count(code => code), used.Length);
    }
}
