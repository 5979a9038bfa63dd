using System.Text.Json;
using ClipGen.Checkpoints;
using ClipGen.Data;
using ClipGen.Testing;

namespace ClipGen.Cli.Tests;

/// <summary><c>train</c> from beginning to end, and what it refuses.</summary>
public sealed class TrainTests : IDisposable
{
    private const int Job = 1, Usage = 2;
    private readonly TemporaryFolder place = new();

    public void Dispose() => place.Dispose();

    [Fact]
    public async Task ThreeModelsOneAfterAnother()
    {
        var vqgan = await CliRun.Succeeds(TinyTraining.VqGan(place["vqgan"], "--epochs", "1", "--log-every", "8"));
        Assert.Equal(["loss_recon", "loss_perceptual", "psnr", "codes_used", "perplexity", place["vqgan"]], vqgan.OutputLines.Select(line => line.Split(' ')[0]));
        Assert.StartsWith($"finished: step 16/16", vqgan.ErrorLines[^1]);
        var clip = await CliRun.Succeeds(TinyTraining.Clip(place["clip"], "--epochs", "1"));
        Assert.Equal(["val_loss", "accuracy", place["clip"]], clip.OutputLines.Select(line => line.Split(' ')[0]));
        var gpt = await CliRun.Succeeds(TinyTraining.Gpt(place["gpt"], Path.Combine(place["vqgan"], "best.pt"), Path.Combine(place["clip"], "best.pt"), "--epochs", "1", "--json"));
        using (var json = JsonDocument.Parse(gpt.Output))
        {
            Assert.True(json.RootElement.GetProperty("finished").GetBoolean());
            Assert.InRange(json.RootElement.GetProperty("validation").GetProperty("val_loss").GetDouble(), 0, 10);
            Assert.Equal(place["gpt"], json.RootElement.GetProperty("folder").GetString());
        }
        // A GPT of the synthetic world notes that rare codes matter, and is sampled from unfiltered unless told otherwise.
        string[] paint = ["generate", "--text", "a large red circle", "--clip", Path.Combine(place["clip"], "best.pt"), "--vqgan", Path.Combine(place["vqgan"], "best.pt"), "--gpt", Path.Combine(place["gpt"], "best.pt"), "--candidates", "2", "--out", place["out.png"]];
        await CliRun.Succeeds(paint);
        Assert.Contains(" top_k=0 top_p=1 ", PictureFile.ReadMetadata(place["out.png"])["settings"]);
        await CliRun.Succeeds([.. paint, "--top-p", "0.5"]);
        Assert.Contains(" top_k=0 top_p=0.5 ", PictureFile.ReadMetadata(place["out.png"])["settings"]);
        // Finished runs stay finished, and can be measured again.
        Assert.StartsWith("finished: step 16/16, 0 steps", (await CliRun.Succeeds(TinyTraining.VqGan(place["vqgan"], "--epochs", "1"))).ErrorLines[^1]);
        Assert.Equal(vqgan.OutputLines, (await CliRun.Succeeds(TinyTraining.VqGan(place["vqgan"], "--epochs", "1", "--eval-only"))).OutputLines);
        Assert.Contains("loss_recon", (await CliRun.Succeeds(TinyTraining.VqGan(place["elsewhere"], "--eval-only", "--resume", Path.Combine(place["vqgan"], "best.pt")))).Output);
        Assert.False(Directory.Exists(place["elsewhere"]));
    }

    [Fact]
    public async Task ClipLearnsFromTextsBesidePictures()
    {
        Directory.CreateDirectory(place["photos"]);
        void Add(int n, string sentence)
        {
            PictureFile.Save(Data.Shapes.ShapesWorld.Picture(1, Data.Shapes.ShapesSplit.Train, n), place[$"photos/{n:D3}.png"]);
            if (sentence.Length > 0) File.WriteAllText(place[$"photos/{n:D3}.txt"], sentence);
        }
        for (var n = 0; n < 24; n++) Add(n, n == 3 ? "" : $"the {(n % 2 == 0 ? "first" : "second")} kind of picture\n");
        string[] job = ["train", "clip", "--ds", place["photos"], "--val-share", "0.2", "--bs", "4", "--size", "24", "--patch", "12", "--embedding", "16", "--vision-width", "32", "--vision-layers", "1", "--text-width", "32", "--text-layers", "1", "--out", place["clip"], "--words", "5", "--context", "8"];
        var run = await CliRun.Succeeds([.. job, "--max-steps", "2"]);
        Assert.Contains("1 pictures of", run.Error);
        var model = Path.Combine(place["clip"], "latest.pt");
        Assert.Equal("kind of picture the first", Models.ModelConfiguration.TextOf(Checkpoint.Open(model), Models.ModelConfiguration.VocabularyKey));
        // What a run was begun with stays, whatever else there is to read by now.
        for (var n = 0; n < 24; n++) if (n != 3) File.WriteAllText(place[$"photos/{n:D3}.txt"], "other words altogether");
        await CliRun.Succeeds([.. job, "--max-steps", "3"]);
        using (var checkpoint = Checkpoint.Open(model)) Assert.Equal("kind of picture the first", Models.ModelConfiguration.TextOf(checkpoint, Models.ModelConfiguration.VocabularyKey));
        await CliRun.Fails(Usage, "--words 6", [.. job[..^4], "--words", "6", "--context", "8", "--quiet"]);
        var embedded = await CliRun.Succeeds("embed", "--text", "the first picture", "--clip", model, "--json");
        Assert.Contains("\"text\":[[", embedded.Output);

        foreach (var file in Directory.EnumerateFiles(place["photos"], "*.txt")) File.Delete(file);
        Assert.Contains("expected NAME.txt beside NAME.jpg", await CliRun.Fails(Job, "clipgen train clip:", [.. job.Select(word => word == place["clip"] ? place["none"] : word), "--quiet"]));
        Assert.False(Directory.Exists(place["none"]));
    }

    [Fact]
    public async Task EncodedPicturesAreKept()
    {
        await CliRun.Succeeds(TinyTraining.VqGan(place["vqgan"], "--max-steps", "1"));
        await CliRun.Succeeds(TinyTraining.VqGan(place["other"], "--max-steps", "2"));
        await CliRun.Succeeds(TinyTraining.Clip(place["clip"], "--max-steps", "1"));
        string[] Encoding(string folder, string codec, params string[] more) =>
            TinyTraining.Gpt(place[folder], Path.Combine(place[codec], "latest.pt"), Path.Combine(place["clip"], "latest.pt"), ["--cache-codes", "--log-every", "1", .. more]);
        const string once = "encoding 64 pictures once", kept = "64 encoded pictures from ";
        static bool Says(CliRun run, string text) => run.ErrorLines.Any(line => line.Contains(text, StringComparison.Ordinal));

        Assert.True(Says(await CliRun.Succeeds(Encoding("parts", "vqgan", "--max-steps", "3")), once));
        var second = await CliRun.Succeeds(Encoding("parts", "vqgan", "--max-steps", "6"));
        Assert.True(Says(second, kept) && !Says(second, once), second.Error);
        await CliRun.Succeeds(Encoding("whole", "vqgan", "--max-steps", "6"));
        double[] Losses(string folder) => [.. Training.Reporting.MetricsTable.Read(place[$"{folder}/metrics.csv"]).Series("train/loss").Select(point => point.Value)];
        Assert.Equal(6, Losses("whole").Length);
        Assert.Equal(Losses("whole"), Losses("parts"));
        // Scenes have no other crop than the whole: encoded in every step they give the same.
        await CliRun.Succeeds(TinyTraining.Gpt(place["plain"], Path.Combine(place["vqgan"], "latest.pt"), Path.Combine(place["clip"], "latest.pt"), ["--log-every", "1", "--max-steps", "6"]));
        Assert.Equal(Losses("whole"), Losses("plain"));

        // Those of another model are not taken for this one's.
        await CliRun.Succeeds(Encoding("again", "other", "--max-steps", "1"));
        File.Copy(place["whole/encoded.safetensors"], place["again/encoded.safetensors"], true);
        Assert.True(Says(await CliRun.Succeeds(Encoding("again", "other", "--max-steps", "2")), once));
        Assert.NotEqual(File.ReadAllBytes(place["whole/encoded.safetensors"]), File.ReadAllBytes(place["again/encoded.safetensors"]));

        // Half a file.
        var path = place["whole/encoded.safetensors"];
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..5000]);
        await CliRun.Fails(Job, path, Encoding("whole", "vqgan", "--max-steps", "7", "--quiet"));
    }

    [Fact]
    public async Task OneBatchIsLearntByHeart()
    {
        await CliRun.Succeeds(TinyTraining.Clip(place["run"], "--overfit-one-batch", "--epochs", "4", "--lr-schedule", "constant", "--lr", "3e-3", "--log-every", "1"));
        var loss = Training.Reporting.MetricsTable.Read(place["run/metrics.csv"]).Series("train/loss");
        Assert.Equal(64, loss.Count);
        // Four pictures of which each step sees the same: without the option, every step has others and the loss stays near ln 4.
        Assert.True(loss[^1].Value < 0.3 * loss[0].Value, $"from {loss[0].Value} to {loss[^1].Value}");
    }

    [Fact]
    public async Task SimilaritiesAreMultipliedByNoMoreThanMaxScale()
    {
        await CliRun.Succeeds(TinyTraining.Clip(place["run"], "--max-scale", "4", "--max-steps", "3", "--log-every", "1"));
        var scale = Training.Reporting.MetricsTable.Read(place["run/metrics.csv"]).Series("train/scale").Select(point => point.Value).ToArray();
        // CLIP begins at 1 / 0.07; the limit holds from the first update on.
        Assert.Equal(1 / 0.07, scale[0], 0.01);
        Assert.All(scale[1..], value => Assert.Equal(4, value, 1e-3));
    }

    [Fact]
    public async Task AFolderOfPhotosWithTheReferencesRecipe()
    {
        // Photographs of many sizes and kinds, damaged ones among them.
        var photos = Path.Combine(RepositoryPaths.Golden, "images", "files");
        string[] job =
        [
            "train", "vqgan", "--ds", photos, "--size", "64", "--channels", "32", "--multipliers", "1,1", "--blocks", "1", "--attention-levels", "none", "--codes", "64", "--code-size", "16",
            "--disc-channels", "8", "--perceptual-weight", "0", "--disc-start", "2steps", "--epochs", "1", "--val-share", "0.2", "--bs", "8", "--log-every", "1", "--out", place["run"],
        ];
        var run = await CliRun.Succeeds(job);
        var broken = Directory.GetFiles(photos, "bad_*").Select(file => Path.GetFileName(file)).ToArray();
        Assert.True(broken.Length > 3);
        var warnings = run.ErrorLines.Where(line => line.StartsWith($"warning: {photos}", StringComparison.Ordinal)).ToArray();
        Assert.Equal(warnings.Distinct(), warnings);
        Assert.All(warnings, line => Assert.Contains("bad_", line));
        Assert.Contains(run.ErrorLines, line => line == $"warning: {warnings.Length} pictures could not be read; others took their places");
        Assert.InRange(warnings.Length, broken.Length / 2, broken.Length);
        // lr = 4.5e-6 per picture, as in the reference.
        Assert.Contains(run.ErrorLines, line => line.StartsWith("  lr ", StringComparison.Ordinal) && line.Contains("3.6E-05", StringComparison.Ordinal) && line.EndsWith("default", StringComparison.Ordinal));
    }

    [Fact]
    public async Task DataThatCannotBeUsed()
    {
        Directory.CreateDirectory(place["empty"]);
        Directory.CreateDirectory(place["words"]);
        File.WriteAllText(place["words/notes.txt"], "there.png\n");
        Put("broken", "bad_truncated.jpg", "bad_crc.png");
        Put("single", "gray4.png");
        Put("few", "gray4.png", "gray1.png");
        foreach (var (ds, reason) in new[]
        {
            ("none", "there is no such dataset"), ("empty", "the folder is empty"), ("words", "none of the 1 files in the folder is a picture"), ("words/notes.txt", "there is no file"),
            ("broken", "can be read; the first of them"), ("single", "nothing to validate on"), ("few/gray4.png", "this is a picture"),
        }) Assert.Contains(reason, await Refused(Job, place[ds], ["train", "vqgan", "--ds", place[ds], "--perceptual-weight", "0", "--bs", "1"]));
        Assert.Contains("give --bs 1 or less", await Refused(Job, "the dataset has 1 picture", ["train", "vqgan", "--ds", place["few"], "--perceptual-weight", "0", "--bs", "2"]));
        Assert.Contains("there is none about any of the 2 pictures", await Refused(Job, place["few"], ["train", "clip", "--ds", place["few"], "--bs", "1"]));
    }

    [Theory]
    [InlineData(Usage, "--bs 0", "--bs", "0")]
    [InlineData(Usage, "--epochs -1", "--epochs", "-1")]
    [InlineData(Usage, "--lr 0", "--lr", "0")]
    [InlineData(Usage, "--lr NaN", "--lr", "NaN")]
    [InlineData(Usage, "--val-share 1", "--val-share", "1")]
    [InlineData(Usage, "--clip-norm -1", "--clip-norm", "-1")]
    [InlineData(Usage, "--save-every never", "--save-every", "never")]
    [InlineData(Usage, "--keep 0", "--keep", "0")]
    [InlineData(Usage, "--log-every 0", "--log-every", "0")]
    [InlineData(Usage, "--val-every 0", "--val-every", "0")]
    [InlineData(Usage, "--max-steps", "--max-steps", "-1")]
    [InlineData(Usage, "--warmup-epochs and --min-lr", "--lr-schedule", "constant", "--warmup-epochs", "1")]
    [InlineData(Usage, "--lr-schedule linear", "--lr-schedule", "linear")]
    [InlineData(Usage, "--warmup-epochs 4", "--epochs", "4", "--warmup-epochs", "4")]
    [InlineData(Usage, "--min-lr 1", "--min-lr", "1")]
    [InlineData(Usage, "--eval-only", "--eval-only")]
    [InlineData(Usage, "--eval-only", "--eval-only", "--resume", "none")]
    [InlineData(Usage, "--accumulate", "--accumulate", "0")]
    [InlineData(Job, "--accumulate 16 or less", "--accumulate", "17")]
    [InlineData(Usage, "--disc-start soon", "--disc-start", "soon")]
    [InlineData(Usage, "--lpips-ckpt", "--lpips-ckpt", "vgg.pt")]
    [InlineData(Usage, "--groups", "--groups", "3")]
    [InlineData(Usage, "--blocks", "--blocks", "1,1,1")]
    [InlineData(Usage, "--multipliers", "--multipliers", "1,x")]
    [InlineData(Usage, "--attention-levels 2", "--attention-levels", "2")]
    [InlineData(Usage, "--codes 0", "--codes", "0")]
    [InlineData(Job, "--size 24 or more", "--size", "22")]
    [InlineData(Job, "multiple of 2", "--size", "25")]
    [InlineData(Job, "no such file", "--resume", "nothing.pt")]
    public async Task OptionsThatDoNotFit(int code, string culprit, params string[] more) => await Refused(code, culprit, TinyTraining.VqGan(place["run"], more));

    [Fact]
    public async Task OptionsOfOtherKinds()
    {
        await Refused(Usage, "--patch 7", TinyTraining.Clip(place["run"], "--patch", "7"));
        await Refused(Usage, "--hard-negatives", TinyTraining.Clip(place["run"], "--hard-negatives", "9"));
        await Refused(Usage, "--arranged 1.5", TinyTraining.Clip(place["run"], "--arranged", "1.5"));
        await Refused(Usage, "--arranged NaN", TinyTraining.Clip(place["run"], "--arranged", "NaN"));
        await Refused(Usage, "--partial 2", TinyTraining.Clip(place["run"], "--partial", "2"));
        await Refused(Usage, "--max-scale 0.5", TinyTraining.Clip(place["run"], "--max-scale", "0.5"));
        await Refused(Usage, "--max-scale NaN", TinyTraining.Clip(place["run"], "--max-scale", "NaN"));
        await Refused(Usage, "--bs 6", TinyTraining.Clip(place["run"], "--bs", "6"));
        await Refused(Usage, "--vision-width 48", TinyTraining.Clip(place["run"], "--vision-width", "48"));
        string[] pictures = ["--ds", Path.Combine(RepositoryPaths.Golden, "images", "files")];
        await Refused(Usage, "--hard-negatives 9", TinyTraining.Gpt(place["run"], place["nothing.pt"], place["nothing.pt"], "--hard-negatives", "9"));
        await Refused(Usage, "--contrast -1", TinyTraining.Gpt(place["run"], place["nothing.pt"], place["nothing.pt"], "--contrast", "-1"));
        await Refused(Usage, "--contrast NaN", TinyTraining.Gpt(place["run"], place["nothing.pt"], place["nothing.pt"], "--contrast", "NaN"));
        await Refused(Usage, "--hard-negatives: belongs to --ds shapes", ["train", "gpt", .. pictures, "--hard-negatives", "2"]);
        await Refused(Usage, "--partial: belongs to --ds shapes", ["train", "clip", .. pictures, "--partial", "0.5"]);
        await Refused(Usage, "--scenes", ["train", "vqgan", "--ds", Path.Combine(RepositoryPaths.Golden, "images", "files"), "--scenes", "10"]);
        await Refused(Job, "nothing.pt", TinyTraining.Gpt(place["run"], place["nothing.pt"], place["nothing.pt"]));
        await Refused(Job, "--lpips-ckpt", ["train", "vqgan", "--ds", Path.Combine(RepositoryPaths.Golden, "images", "files"), "--bs", "1", "--size", "32", "--val-share", "0.2"]);
    }

    [Fact]
    public async Task RunsThatCannotGoOnThisWay()
    {
        await CliRun.Succeeds(TinyTraining.VqGan(place["vqgan"], "--max-steps", "2"));
        await CliRun.Succeeds(TinyTraining.Clip(place["clip"], "--max-steps", "1"));
        var (vqgan, clip) = (Path.Combine(place["vqgan"], "latest.pt"), Path.Combine(place["clip"], "latest.pt"));
        (string, string) Files() => (File.ReadAllText(Path.Combine(place["vqgan"], "metrics.csv")), Convert.ToHexString(File.ReadAllBytes(vqgan)));
        var before = Files();
        foreach (var (culprit, more) in new (string, string[])[]
        {
            ("--bs 2: ", ["--bs", "2"]),
            ("--seed 1: ", ["--seed", "1"]),
            ("--size 32: ", ["--size", "32"]),
            ("--scenes 63: ", ["--scenes", "63"]),
            ("--accumulate 2: ", ["--accumulate", "2"]),
            ("--channels 16: the model in ", ["--channels", "16"]),
            ("--multipliers 1,4: the model in ", ["--multipliers", "1,4"]),
            ("--resume none: ", ["--resume", "none"]),
        }) await CliRun.Fails(Usage, culprit, TinyTraining.VqGan(place["vqgan"], more));
        Assert.Contains("expected a VQ-GAN", await CliRun.Fails(Job, clip, TinyTraining.VqGan(place["vqgan"], "--resume", clip)));
        Assert.Contains("expected a VQ-GAN", await CliRun.Fails(Job, clip, TinyTraining.Gpt(place["gpt"], clip, clip)));
        Assert.Contains("expected a CLIP model", await CliRun.Fails(Job, vqgan, TinyTraining.Gpt(place["gpt"], vqgan, vqgan)));
        Assert.Contains("expected a GPT", await CliRun.Fails(Job, clip, TinyTraining.Gpt(place["gpt"], vqgan, clip, "--resume", clip)));
        // A model of other sizes: the golden one has 16 codes of a picture, these have 144.
        Assert.Contains("give another --size", await CliRun.Fails(Job, "this GPT writes", TinyTraining.Gpt(place["gpt"], RepositoryPaths.GoldenFile("vqgan", "vqgan_tiny.pt"), RepositoryPaths.GoldenFile("clip", "clip_tiny.pt"), "--resume", RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"), "--quiet")));
        Assert.False(Directory.Exists(place["gpt"]));

        using (Training.Reporting.RunFolder.Open(place["vqgan"]))
            Assert.Contains("another training is writing into this folder", await CliRun.Fails(Job, place["vqgan"], TinyTraining.VqGan(place["vqgan"])));
        Assert.Equal(before, Files());

        File.WriteAllText(place["file"], "");
        await CliRun.Fails(Job, Path.Combine(place["file"], "run"), TinyTraining.VqGan(Path.Combine(place["file"], "run")));
        var bytes = File.ReadAllBytes(vqgan);
        File.WriteAllBytes(vqgan, bytes[..(bytes.Length / 2)]);
        Assert.Contains("is damaged", await CliRun.Fails(Job, vqgan, TinyTraining.VqGan(place["vqgan"])));
    }

    [Fact]
    public async Task TheReferencesCheckpointIsGoneOnWith()
    {
        // It says nothing about its run: sizes come from its tensors, the place from its epoch.
        string[] job = ["train", "vqgan", "--ds", "shapes", "--scenes", "8", "--bs", "2", "--size", "32", "--resume", RepositoryPaths.GoldenFile("vqgan", "vqgan_tiny.pt"), "--epochs", "4", "--max-steps", "9", "--log-every", "1", "--channels", "64", "--out", place["run"]];
        var run = await CliRun.Succeeds(job);
        Assert.Contains(run.ErrorLines, line => line.StartsWith("warning: --channels 64 has no effect", StringComparison.Ordinal));
        Assert.Contains(run.ErrorLines, line => line.StartsWith("epoch 2  step 9/9  ", StringComparison.Ordinal));
        using var checkpoint = Checkpoint.Open(Path.Combine(place["run"], "latest.pt"));
        Assert.Equal((2L, 1L), (checkpoint.FindInteger("epoch"), checkpoint.FindInteger("step")));
        // One step more than the reference's moments had.
        using var reference = Checkpoint.Open(RepositoryPaths.GoldenFile("vqgan", "vqgan_tiny.pt"));
        Assert.Equal(Number(reference) + 1, Number(checkpoint));

        static float Number(Checkpoint of)
        {
            var step = new float[1];
            of.Find("opt_g.state.0.step")!.ReadFloats(0, step);
            return step[0];
        }
    }

    [Fact]
    public async Task AVqGanWithoutItsDiscriminatorGetsANewOne()
    {
        await CliRun.Succeeds(TinyTraining.VqGan(place["vqgan"], "--max-steps", "1"));
        var weights = place["weights.safetensors"];
        await CliRun.Succeeds("convert", Path.Combine(place["vqgan"], "latest.pt"), weights, "--weights-only");
        var run = await CliRun.Succeeds(TinyTraining.VqGan(place["run"], "--resume", weights, "--max-steps", "3", "--log-every", "1"));
        Assert.Contains($"warning: {weights} has no discriminator; a new one begins", run.ErrorLines);
        using Checkpoint before = Checkpoint.Open(Path.Combine(place["vqgan"], "latest.pt")), after = Checkpoint.Open(Path.Combine(place["run"], "latest.pt"));
        // Of the same size as the one that was left out.
        string[] Shapes(Checkpoint of) => [.. of.Tensors.Where(tensor => tensor.Name.Contains("discriminator.", StringComparison.Ordinal)).Select(tensor => $"{tensor.Name} {string.Join(' ', tensor.Shape)}")];
        Assert.NotEmpty(Shapes(before));
        Assert.Equal(Shapes(before), Shapes(after));
        // Nobody is told of one that takes no part.
        Assert.DoesNotContain((await CliRun.Succeeds(TinyTraining.VqGan(place["never"], "--resume", weights, "--max-steps", "1", "--disc-start", "never"))).ErrorLines, line => line.Contains("discriminator", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AGptLearnsFromHardNegatives()
    {
        await CliRun.Succeeds(TinyTraining.VqGan(place["vqgan"], "--max-steps", "1"));
        await CliRun.Succeeds(TinyTraining.Clip(place["clip"], "--max-steps", "1"));
        string[] Contrast(params string[] more) => TinyTraining.Gpt(place["gpt"], Path.Combine(place["vqgan"], "latest.pt"), Path.Combine(place["clip"], "latest.pt"), ["--contrast", "0.5", "--log-every", "1", "--cache-codes", .. more]);
        var run = await CliRun.Succeeds(Contrast("--hard-negatives", "2", "--max-steps", "2"));
        // A GPT that has hardly begun guesses which of the two it is.
        var line = Assert.Single(run.ErrorLines, line => line.StartsWith("epoch 0  step 2/2  ", StringComparison.Ordinal));
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        double Of(string name) => double.Parse(words[Array.IndexOf(words, name) + 1], System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(Of("loss_contrast"), 0.5, 1);
        Assert.Equal(Of("loss_gpt") + 0.5 * Of("loss_contrast"), Of("loss"), 2e-3);
        Assert.Contains("--hard-negatives 2", await CliRun.Fails(Usage, "--hard-negatives 4", Contrast("--hard-negatives", "4", "--max-steps", "3")));
        Assert.Contains("give --bs 2 or more", await CliRun.Fails(Job, "the contrastive loss", TinyTraining.Gpt(place["one"], Path.Combine(place["vqgan"], "latest.pt"), Path.Combine(place["clip"], "latest.pt"), "--contrast", "1", "--bs", "1")));
    }

    [Fact]
    public async Task AGptGoesOnWithAnotherVqGan()
    {
        await CliRun.Succeeds(TinyTraining.VqGan(place["old"], "--max-steps", "1"));
        await CliRun.Succeeds(TinyTraining.VqGan(place["new"], "--max-steps", "1", "--codes", "16", "--seed", "1"));
        await CliRun.Succeeds(TinyTraining.Clip(place["clip"], "--max-steps", "1"));
        string Of(string folder) => Path.Combine(place[folder], "latest.pt");
        await CliRun.Succeeds(TinyTraining.Gpt(place["gpt"], Of("old"), Of("clip"), "--max-steps", "1"));
        var weights = place["gpt.safetensors"];
        await CliRun.Succeeds("convert", Of("gpt"), weights, "--weights-only");
        string[] On(string resume, params string[] more) => TinyTraining.Gpt(place["run"], Of("new"), Of("clip"), ["--resume", resume, "--log-every", "1", .. more]);
        await CliRun.Fails(Job, "this GPT writes 32 different codes, the VQ-GAN has 16", On(weights, "--quiet"));
        Assert.Contains("--weights-only", await CliRun.Fails(Usage, "--from-vqgan", On(Of("gpt"), "--from-vqgan", Of("old"), "--quiet")));
        Assert.Contains("--resume", await CliRun.Fails(Usage, "--from-vqgan", TinyTraining.Gpt(place["run"], Of("new"), Of("clip"), "--from-vqgan", Of("old"), "--quiet")));
        Assert.Contains("expected 16 rows", await CliRun.Fails(Job, weights, On(weights, "--from-vqgan", Of("new"), "--quiet")));
        var run = await CliRun.Succeeds(On(weights, "--from-vqgan", Of("old"), "--max-steps", "2"));
        Assert.Contains(run.ErrorLines, line => line.StartsWith($"codes of {Of("old")} are carried over: ", StringComparison.Ordinal));
        // The same command goes on, and carries nothing over again.
        run = await CliRun.Succeeds(On("auto", "--from-vqgan", Of("old"), "--max-steps", "3"));
        Assert.DoesNotContain(run.ErrorLines, line => line.Contains("carried over", StringComparison.Ordinal));
        Assert.Contains(run.ErrorLines, line => line.StartsWith("epoch 0  step 3/3  ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ABranchMayHaveDataOfItsOwn()
    {
        await CliRun.Succeeds(TinyTraining.Clip(place["clip"], "--max-steps", "2"));
        var latest = Path.Combine(place["clip"], "latest.pt");
        var branch = await CliRun.Succeeds(TinyTraining.Clip(place["branch"], "--resume", latest, "--hard-negatives", "2", "--max-steps", "3", "--log-every", "1"));
        // Its first validation is its best so far, whatever the other run's was.
        await CliRun.Succeeds(TinyTraining.Clip(place["branch"], "--hard-negatives", "2", "--epochs", "1"));
        Assert.True(File.Exists(Path.Combine(place["branch"], "best.pt")));
        Assert.Contains($"warning: --hard-negatives 2: {latest} was begun with --hard-negatives 4", branch.ErrorLines);
        Assert.Contains(branch.ErrorLines, line => line.StartsWith("epoch 0  step 3/3  ", StringComparison.Ordinal));
        Assert.Contains("--hard-negatives 4", await CliRun.Fails(Usage, "--hard-negatives 2", TinyTraining.Clip(place["clip"], "--hard-negatives", "2", "--max-steps", "3")));
        Assert.Contains("--seed 0", await CliRun.Fails(Usage, "--seed 7", TinyTraining.Clip(place["other"], "--resume", latest, "--seed", "7")));
    }

    // One line, and no folder of a run.
    private async Task<string> Refused(int code, string culprit, string[] job)
    {
        var line = await CliRun.Fails(code, culprit, Array.IndexOf(job, "--out") < 0 ? [.. job, "--out", place["run"]] : job);
        Assert.False(Directory.Exists(place["run"]));
        Assert.StartsWith($"clipgen train {job[1]}: ", line);
        return line;
    }

    private void Put(string folder, params string[] names)
    {
        Directory.CreateDirectory(place[folder]);
        foreach (var name in names) File.Copy(RepositoryPaths.GoldenFile("images", "files", name), Path.Combine(place[folder], name));
    }
}
