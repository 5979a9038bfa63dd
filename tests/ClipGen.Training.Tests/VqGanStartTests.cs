using ClipGen.Kernels;
using ClipGen.Models;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Training.VqGan;

namespace ClipGen.Training.Tests;

/// <summary>What of a VQ-GAN takes part from when on.</summary>
public sealed class VqGanStartTests
{
    [Fact]
    public void LatentsBecomeCodesFromTheGivenStep()
    {
        using var device = Device.Cpu(1);
        using var trainer = TinyRuns.New("vqgan", device, options: new TinyOptions { QuantizeFrom = 3, RestartEvery = 3, DiscriminatorStart = -1 });
        var codebook = trainer.State.Parameters.Single(p => p.Name == "quantizer.embedding.weight").Value;
        var before = codebook.ToFloats();
        for (var step = 0; step < 3; step++)
        {
            Assert.Equal(0, trainer.Step(0, step, TestContext.Current.CancellationToken)["loss_quant"]);
            Assert.All(trainer.State.Counters.Values, counts => Assert.All(counts, count => Assert.Equal(0, count)));
            if (step < 2) Assert.Equal(before, codebook.ToFloats());
        }
        // The restart behind the third step laid every code, all of them dead, onto a latent: an initial code is within 1/32 of 0 in all its channels.
        Assert.All(codebook.ToFloats().Chunk(codebook.Shape[1]), code => Assert.Contains(code, value => Math.Abs(value) > 1f / 32));
        Assert.NotEqual(0, trainer.Step(0, 3, TestContext.Current.CancellationToken)["loss_quant"]);
        Assert.Contains(trainer.State.Counters.Values, counts => counts.Sum() > 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ADiscriminatorThatNeverTakesPartIsNotRun(bool discriminates)
    {
        using var device = Device.Cpu(1);
        // Without a step or an epoch to begin at: epoch 1, which is not reached.
        using var trainer = TinyRuns.New("vqgan", device, options: new TinyOptions { DiscriminatorStart = -1, Discriminates = discriminates });
        var statistics = trainer.State.Parameters.Where(p => p.Name.StartsWith("discriminator.", StringComparison.Ordinal) && p.IsBuffer).Select(p => p.Value).ToArray();
        Assert.NotEmpty(statistics);
        var before = statistics.Select(value => value.ToFloats()).ToArray();
        trainer.Step(0, 0, TestContext.Current.CancellationToken);
        Assert.Equal(discriminates, !statistics.Select(value => value.ToFloats()).Zip(before).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second)));
    }

    [Fact]
    public void AFrozenEncoderKeepsTheCodes()
    {
        using var device = Device.Cpu(1);
        using var trainer = TinyRuns.New("vqgan", device, options: new TinyOptions { FreezeEncoder = true, RestartEvery = 0, QuantizeFrom = 0, DiscriminatorStart = 1 });
        var before = trainer.State.Parameters.ToDictionary(p => p.Name, p => p.Value.ToFloats());
        for (var step = 0; step < 3; step++) Assert.True(double.IsFinite(trainer.Step(0, step, TestContext.Current.CancellationToken)["loss_g"]));
        foreach (var parameter in trainer.State.Parameters.Where(p => !p.IsBuffer))
        {
            var stays = parameter.Name == VqGanModel.CodebookName || parameter.Name.StartsWith("encoder.", StringComparison.Ordinal);
            // The gradient of the discriminator's last bias may be exactly 0, that of the decoder is not.
            if (stays || parameter.Name.StartsWith("decoder.", StringComparison.Ordinal)) Assert.True(stays == before[parameter.Name].AsSpan().SequenceEqual(parameter.Value.ToFloats()), parameter.Name);
        }
    }

    [Fact]
    public void DeadCodesGoToLatentsThatAreBadlyRepresented()
    {
        using var device = Device.Cpu(1);
        var config = new VqGanConfig { Channels = 4, Multipliers = [1, 2], ResidualBlocks = [1], AttentionLevels = [], Codes = 60, CodeSize = 3, DiscriminatorChannels = 2 };
        using var model = VqGanModel.Load(device, new InitialWeights(ModelKind.VqGan, StateDicts.VqGan(config), 1, new Dictionary<string, int> { ["groups"] = 2 }), WeightForm.Trainable);
        using var training = new VqGanTraining(model, null, new VqGanRecipe { LearningRate = 1, PerceptualWeight = 0, Discriminates = false });
        using var scope = new TensorScope();
        // 6 x 6 latents. The right half of the picture is flat, so that many of them are all but equal.
        var values = new float[12 * 12 * 3];
        for (var i = 0; i < values.Length; i++) values[i] = i / 3 % 12 < 6 ? (float)Math.Sin(i * 12.9898) : 0.5f;
        var pictures = device.From(values, new Shape(1, 12, 12, 3));
        var latents = model.Encode(pictures).ToFloats().Chunk(3).ToArray();
        double Error() => latents.Zip(model.Embed(model.Quantize(model.Encode(pictures))).ToFloats().Chunk(3), (a, b) => a.Zip(b, (x, y) => Math.Pow(x - y, 2)).Sum()).Max();

        var before = model.Codebook.ToFloats().Chunk(3).ToArray();
        var dead = Enumerable.Range(0, 60).Select(code => code is >= 10 and < 20).ToArray();
        var worst = Error();
        Assert.Equal(10, training.RestartCodes(pictures, dead, new RandomKey(1, 2, 3)));
        var after = model.Codebook.ToFloats().Chunk(3).ToArray();
        for (var code = 0; code < 60; code++)
        {
            if (dead[code]) Assert.Contains(latents, latent => latent.AsSpan().SequenceEqual(after[code]));
            else Assert.Equal(before[code], after[code]);
        }
        Assert.Equal(10, after[10..20].Select(code => string.Join(' ', code)).Distinct().Count());
        Assert.True(Error() < worst / 2, $"the worst latent was {worst} away from its code and is {Error()}");

        // With a code on every latent there is no place left.
        Assert.Equal(latents.Select(latent => string.Join(' ', latent)).Distinct().Count(), training.RestartCodes(pictures, Enumerable.Repeat(true, 60).ToArray(), new RandomKey(1, 2, 4)));
        Assert.Equal(0, Error(), 1e-12);
    }
}
