using System.Globalization;
using System.Text.Json;
using ClipGen.Checkpoints;
using ClipGen.Data;
using ClipGen.Testing;

namespace ClipGen.Cli.Tests;

/// <summary><c>reconstruct</c>, <c>encode</c> and <c>decode</c> on the reference's tiny VQ-GAN.</summary>
public sealed class PictureCommandTests
{
    private static readonly string Model = RepositoryPaths.GoldenFile("vqgan", "vqgan_tiny.pt");
    private static readonly string Photo = RepositoryPaths.GoldenFile("images", "files", "rgb_300x200.png");
    private static readonly string Other = RepositoryPaths.GoldenFile("images", "files", "rgba_200x300.png");

    [Fact]
    public async Task ReconstructShowsTheReferencesCropBesideItsReconstruction()
    {
        using var folder = new TemporaryFolder();
        var run = await CliRun.Succeeds("reconstruct", Photo, "--vqgan", Model, "--out", folder["r.png"], "--json");
        var grid = PictureFile.Load(folder["r.png"]);
        Assert.Equal((2 * 258 + 2, 258 + 2), (grid.Width, grid.Height));
        var (left, right) = (Cell(grid, 0, 0, 256), Cell(grid, 1, 0, 256));
        Assert.Equal(GoldenTensors.Load("images", "images.safetensors")["rgb_300x200.crop256"].Bytes, left.Rgb);

        var traced = await Trace(folder, left);
        var original = PictureTransforms.ToVqGan(left);
        var painted = Transposed(traced["out"].Values, 3, 256 * 256);
        Assert.Equal(PictureTransforms.FromVqGan(painted, 256, 256).Rgb, right.Rgb);

        using var json = JsonDocument.Parse(run.Output);
        var only = Assert.Single(json.RootElement.GetProperty("pictures").EnumerateArray());
        Assert.Equal(Photo, only.GetProperty("image").GetString());
        // Sums of the same floats in double, in another order.
        Assert.Equal(original.Zip(painted, (a, b) => Math.Abs((double)a - b)).Average(), only.GetProperty("l1").GetDouble(), 9);
        var meanSquare = left.Rgb.Zip(right.Rgb, (a, b) => (double)(a - b) * (a - b)).Average();
        Assert.Equal(10 * Math.Log10(255 * 255 / meanSquare), only.GetProperty("psnr_db").GetDouble(), 9);
    }

    [Fact]
    public async Task ReconstructSeveralPicturesOneRowEach()
    {
        using var folder = new TemporaryFolder();
        var run = await CliRun.Succeeds("reconstruct", Photo, Other, "--vqgan", Model, "--out", folder["r.png"], "--size", "32");
        var grid = PictureFile.Load(folder["r.png"]);
        Assert.Equal((2 * 34 + 2, 2 * 34 + 2), (grid.Width, grid.Height));
        Assert.Equal(4, run.OutputLines.Length);
        Assert.Contains(Photo, run.OutputLines[1]);
        Assert.Contains(Other, run.OutputLines[2]);
        Assert.Equal(folder["r.png"], run.OutputLines[3]);
        foreach (var line in run.OutputLines[1..3])
        {
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            Assert.InRange(double.Parse(words[0], CultureInfo.InvariantCulture), 0.01, 2);
            Assert.InRange(double.Parse(words[1], CultureInfo.InvariantCulture), 1, 60);
        }
        var second = await CliRun.Succeeds("reconstruct", Other, "--vqgan", Model, "--out", folder["one.png"], "--size", "32", "--quiet", "--threads", "1");
        Assert.Equal("", second.Error);
        Assert.Equal(Cell(grid, 1, 1, 32).Rgb, Cell(PictureFile.Load(folder["one.png"]), 1, 0, 32).Rgb);
    }

    [Fact]
    public async Task EncodeWritesTheCodesOfEveryPicture()
    {
        using var folder = new TemporaryFolder();
        var run = await CliRun.Succeeds("encode", Photo, Other, "--vqgan", Model, "--out", folder["c.json"], "--size", "64", "--json");
        using var json = JsonDocument.Parse(File.ReadAllText(folder["c.json"]));
        Assert.Equal("codes", Assert.Single(json.RootElement.EnumerateObject()).Name);
        var codes = json.RootElement.GetProperty("codes").Deserialize<int[][][]>()!;
        Assert.Equal(2, codes.Length);
        Assert.All(codes, image => Assert.Equal(16, image.Length));
        Assert.All(codes.SelectMany(image => image), row => Assert.Equal(16, row.Length));

        var prepared = PictureTransforms.CenterCrop(PictureTransforms.ResizeShortSide(PictureFile.Load(Other), 64), 64);
        Assert.Equal((await Trace(folder, prepared))["indices"].Values.Select(code => (int)code), codes[1].SelectMany(row => row));

        using var report = JsonDocument.Parse(run.Output);
        Assert.Equal(2, report.RootElement.GetProperty("images").GetInt32());
        Assert.Equal(64, report.RootElement.GetProperty("codebook").GetInt32());
        Assert.Equal(["c.json", "in.safetensors", "out.safetensors"], folder.Names);
    }

    [Fact]
    public async Task DecodeOfEncodeIsTheReconstruction()
    {
        using var folder = new TemporaryFolder();
        await CliRun.Succeeds("encode", Photo, "--vqgan", Model, "--out", folder["c.json"], "--size", "64");
        var run = await CliRun.Succeeds("decode", folder["c.json"], "--vqgan", Model, "--out", folder["d.png"]);
        Assert.EndsWith(folder["d.png"], Assert.Single(run.OutputLines));
        await CliRun.Succeeds("reconstruct", Photo, "--vqgan", Model, "--out", folder["r.png"], "--size", "64");
        var decoded = PictureFile.Load(folder["d.png"]);
        var reconstructed = Cell(PictureFile.Load(folder["r.png"]), 1, 0, 64);
        Assert.Equal((64, 64), (decoded.Width, decoded.Height));
        // The straight-through value z + (e - z) differs from e by rounding, which can tip a byte by one.
        Assert.All(decoded.Rgb.Zip(reconstructed.Rgb), pair => Assert.InRange(pair.First - pair.Second, -1, 1));
    }

    [Fact]
    public async Task DecodeMakesAGridOfSeveral()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["c.json"], "\uFEFF{\"note\": 1, \"codes\": [[[0,1],[2,3]],[[63,62],[61,60]]]}");
        await CliRun.Succeeds("decode", folder["c.json"], "--vqgan", Model, "--out", folder["d.png"]);
        var grid = PictureFile.Load(folder["d.png"]);
        Assert.Equal((2 * 10 + 2, 10 + 2), (grid.Width, grid.Height));
        Assert.NotEqual(Cell(grid, 0, 0, 8).Rgb, Cell(grid, 1, 0, 8).Rgb);
    }

    public static TheoryData<string, string> HostileCodes => new()
    {
        { "", "not JSON" },
        { "<html>", "not JSON" },
        { "{\"codes\": [[[0,1],[2,3]]]", "not JSON" },
        { "{\"codes\": [[[0,1],[2,3]]]} trailing", "not JSON" },
        { new string('[', 100_000), "not JSON" },
        { "[[[0]]]", "holds no codes" },
        { "{\"kodes\": [[[0]]]}", "holds no codes" },
        { "{\"codes\": 7}", "holds no codes" },
        { "{\"codes\": []}", "no image" },
        { "{\"codes\": [7]}", "image 0 is not a list" },
        { "{\"codes\": [[]]}", "image 0 has 0 entries" },
        { "{\"codes\": [[7]]}", "image 0, row 0 is not a list" },
        { "{\"codes\": [[[]]]}", "row 0 has 0 entries" },
        { "{\"codes\": [[[0,1],[2]]]}", "row 1 has 1 codes, row 0 has 2" },
        { "{\"codes\": [[[0]],[[0,1]]]}", "image 1 has 1 x 2 codes, image 0 has 1 x 1" },
        { "{\"codes\": [[[64]]]}", "column 0 is 64, expected a code from 0 to 63" },
        { "{\"codes\": [[[0,-1]]]}", "column 1 is -1" },
        { "{\"codes\": [[[0.5]]]}", "is 0.5" },
        { "{\"codes\": [[[1e99]]]}", "is 1e99" },
        { "{\"codes\": [[[99999999999999999999999999999999999]]]}", "is 99999999999999999999..." },
        { "{\"codes\": [[[\"a\\nb\"]]]}", "is \"a\\nb\"" },
        { "{\"codes\": [[[null]]]}", "is null" },
        { "{\"codes\": [[[[0]]]]}", "a list or object" },
        { $"{{\"codes\": [[[{string.Join(",", new int[65])}]]]}}", "has 65 entries, expected 1 to 64" },
    };

    [Theory]
    [MemberData(nameof(HostileCodes))]
    public async Task HostileCodesAreRefused(string content, string reason)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["c.json"], content);
        var line = await CliRun.Fails(1, folder["c.json"], "decode", folder["c.json"], "--vqgan", Model, "--out", folder["d.png"]);
        Assert.Contains(reason, line);
        Assert.Equal(["c.json"], folder.Names);
    }

    [Fact]
    public async Task HugeFilesOfCodesAreNotRead()
    {
        using var folder = new TemporaryFolder();
        using (var file = File.Create(folder["c.json"])) file.SetLength((64 << 20) + 1);
        Assert.Contains("at most", await CliRun.Fails(1, folder["c.json"], "decode", folder["c.json"], "--vqgan", Model, "--out", folder["d.png"]));
        Assert.Contains("no such file", await CliRun.Fails(1, folder["x.json"], "decode", folder["x.json"], "--vqgan", Model, "--out", folder["d.png"]));
        Assert.Contains("folder", await CliRun.Fails(1, folder.Path, "decode", folder.Path, "--vqgan", Model, "--out", folder["d.png"]));
    }

    [Fact]
    public async Task GridsHigherThanAFileCanBeAreRefusedBeforeTheWork()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["c.json"], $"{{\"codes\":[{string.Join(",", Enumerable.Repeat("[[0]]", 4 * 10_917))}]}}");
        Assert.Contains("higher than 65,500", await CliRun.Fails(1, folder["c.json"], "decode", folder["c.json"], "--vqgan", Model, "--out", folder["d.png"]));
        await CliRun.Fails(1, "--out", ["reconstruct", .. Enumerable.Repeat(Photo, 32), "--size", "2048", "--vqgan", Model, "--out", folder["r.png"]]);
        Assert.Equal(["c.json"], folder.Names);
    }

    private static Picture Cell(Picture grid, int column, int row, int size) => PictureTransforms.Crop(grid, 2 + column * (size + 2), 2 + row * (size + 2), size, size);

    private static async Task<Dictionary<string, (long[] Shape, float[] Values)>> Trace(TemporaryFolder folder, Picture picture)
    {
        var channels = Transposed(PictureTransforms.ToVqGan(picture), picture.Width * picture.Height, 3);
        SafetensorsWriter.Write(folder["in.safetensors"], [TensorSource.From("image", channels, 1, 3, picture.Height, picture.Width)]);
        await CliRun.Succeeds("trace", "vqgan", "--checkpoint", Model, "--input", folder["in.safetensors"], "--out", folder["out.safetensors"]);
        return TensorFiles.Read(folder["out.safetensors"]);
    }

    /// <summary>[rows, columns] -> [columns, rows].</summary>
    private static float[] Transposed(float[] values, int rows, int columns)
    {
        Assert.Equal(rows * columns, values.Length);
        var result = new float[values.Length];
        for (var r = 0; r < rows; r++)
            for (var c = 0; c < columns; c++)
                result[c * rows + r] = values[r * columns + c];
        return result;
    }
}
