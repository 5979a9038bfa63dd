using ClipGen.Data;
using ClipGen.Data.Datasets;
using ClipGen.Models;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;

namespace ClipGen.Training.Gpt;

/// <summary>Finds out what the codes of one VQ-GAN are to another.</summary>
public static class CodeCorrespondence
{
    private const int Batch = 64;

    /// <summary>Encodes the first pictures with both and counts which codes stand at the same places.</summary>
    /// <param name="from">The one.</param>
    /// <param name="to">The other.</param>
    /// <param name="data">The pictures, as centre crops.</param>
    /// <param name="pictures">How many, rounded up to a whole batch; all where there are fewer.</param>
    /// <param name="cancellation">Ends waiting.</param>
    /// <exception cref="DataException">Their codes stand for squares of different sizes.</exception>
    public static CodeCounts Count(VqGanModel from, VqGanModel to, TrainingData data, int pictures, CancellationToken cancellation)
    {
        if (from.Factor != to.Factor) throw new DataException($"a code of the one VQ-GAN stands for {from.Factor} x {from.Factor} pixels, of the other for {to.Factor} x {to.Factor}; their codes have nothing to do with each other");
        var counts = new CodeCounts(from.Codes, to.Codes);
        var plan = BatchPlan.Sequential(data.Train.Count, Batch);
        using var loader = data.All(plan);
        for (long step = 0; step < plan.StepsPerEpoch && step * Batch < pictures; step++)
        {
            using var scope = new TensorScope();
            using var pause = Tape.Pause();
            var batch = loader.Next(cancellation);
            var input = to.Device.From(batch.ToVqGan(), new Shape(batch.Pictures.Length, data.Side, data.Side, 3));
            foreach (var (old, now) in from.Quantize(from.Encode(input)).ToArray<int>().Zip(to.Quantize(to.Encode(input)).ToArray<int>())) counts.Add(old, now);
        }
        return counts;
    }
}
