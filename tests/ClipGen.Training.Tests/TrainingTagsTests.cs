using ClipGen.Tensors;
using ClipGen.Training.Reporting;

namespace ClipGen.Training.Tests;

/// <summary>Curves and pictures have the reference's names, so that both can be laid over each other in TensorBoard.</summary>
public sealed class TrainingTagsTests
{
    [Theory]
    [InlineData("vqgan", "train/loss_g train/loss_recon train/loss_perceptual train/loss_quant train/weight_d val/loss_recon val/loss_perceptual", "train/img-recon val/img-recon")]
    [InlineData("gpt", "train/loss train/loss_gpt train/loss_clip train/lr val/val_loss", "train/from-images val/from-images")]
    [InlineData("clip", "train/loss train/lr val/val_loss", "")]
    public void AreTheReferences(string kind, string scalars, string pictures)
    {
        using var place = new TemporaryFolder();
        using (var device = Device.Cpu(2))
        using (var trainer = TinyRuns.New(kind, device, options: new TinyOptions { ClipWeight = kind == "gpt" ? 0.5f : 0, DiscriminatorStart = 2 }))
        using (var folder = RunFolder.Open(place.Path)) TinyRuns.Run(trainer, folder, resumed: false, 5);
        var events = Directory.GetFiles(place["runs"]).SelectMany(EventRecords.Read).ToArray();
        var numbers = events.Where(e => e.Scalar is not null).ToLookup(e => e.Tag);
        Assert.All(scalars.Split(' '), tag => Assert.All(numbers[tag].Select(e => e.Scalar!.Value).DefaultIfEmpty(float.NaN), value => Assert.True(float.IsFinite(value), tag)));
        Assert.Equal(pictures.Split(' ', StringSplitOptions.RemoveEmptyEntries), events.Where(e => e.Image is not null).Select(e => e.Tag!));
        if (kind == "vqgan") Assert.Equal([0, 0, 1, 1, 1], numbers["train/weight_d"].Select(e => e.Scalar > 0 ? 1 : 0));
        Assert.Contains("<svg", File.ReadAllText(place["report.html"]));
    }
}
