using System.Text.Json;
using ClipGen.Kernels;
using ClipGen.Tensors.Nn;
using ClipGen.Testing;

namespace ClipGen.Tensors.Tests;

/// <summary>
/// Every forward op against PyTorch's own output (<c>tests/golden/ops</c>), on the reference and on the CPU at every level.
/// Accepted: ‖found − expected‖ &lt; 1e-5 ‖expected‖, several times what float32 itself costs; indices and moved data exactly.
/// </summary>
public sealed class GoldenOpsTests : IDisposable
{
    private static readonly IReadOnlyDictionary<string, GoldenTensor> Golden = GoldenTensors.Load("ops", "ops.safetensors");

    // How each golden op is called: given the op's name and a loader at its path, the output in PyTorch's layout.
    private static readonly Dictionary<string, Func<GoldenCall, Tensor>> Calls = new()
    {
        ["conv3x3"] = op => op.Conv(3, 1, 1, 1),
        ["conv4x4_s2"] = op => op.Conv(4, 2, 1, 1),
        ["conv4x4_s1"] = op => op.Conv(4, 1, 1, 1, bias: false),
        ["patch_conv"] = op => op.Conv(4, 4, 0, 0, bias: false),
        ["downsample_even"] = op => op.Conv(3, 2, 0, 1),
        ["downsample_odd"] = op => op.Conv(3, 2, 0, 1),
        ["group_norm"] = op => op.Picture.GroupNorm(op["weight"], op["bias"]).ToChannelsFirst(),
        ["layer_norm"] = op => op["x"].LayerNorm(op["weight"], op["bias"]),
        ["batch_norm_eval"] = op => op.Picture.BatchNormInference(op["weight"], op["bias"], op["running_mean"], op["running_var"]).ToChannelsFirst(),
        ["gelu"] = op => op["x"].Activate(Activation.Gelu),
        ["quick_gelu"] = op => op["x"].Activate(Activation.QuickGelu),
        ["silu"] = op => op["x"].Activate(Activation.Silu),
        ["leaky_relu"] = op => op["x"].Activate(Activation.LeakyRelu),
        ["softmax"] = op => op["x"].Softmax(),
        ["embedding"] = op => op.Indices("idx").Embedding(op["weight"]),
        ["normalise"] = op => op.Picture.L2Normalize().ToChannelsFirst(),
        ["max_pool2"] = op => op.Picture.MaxPool2x2().ToChannelsFirst(),
        ["nearest_x2"] = op => op.Picture.UpsampleNearest2x().ToChannelsFirst(),
        ["bilinear_256_224"] = op => op.Bilinear(),
        ["bilinear_down"] = op => op.Bilinear(),
        ["bilinear_up"] = op => op.Bilinear(),
        ["mha_1_head"] = op => op.SelfAttention(1, causal: false),
        ["mha_4_heads"] = op => op.SelfAttention(4, causal: true),
        ["quantizer"] = op => op.Quantize(),
    };

    // Composed elsewhere (grids, losses) or part of training.
    private static readonly string[] NotOfThisLibrary =
        ["make_grid_nrow4", "make_grid_5_nrow4", "make_grid_3_nrow4", "make_grid_1", "make_grid_default", "cross_entropy", "batch_norm_train", "adam", "adamw"];

    // Ops that only move values: no rounding to allow for.
    private static readonly string[] Exact = ["embedding", "max_pool2", "nearest_x2"];

    private Device? device;

    public static MatrixTheoryData<string, string> OpsOnDevices() => new(Calls.Keys, GoldenDevices.Names);

    [Theory]
    [MemberData(nameof(OpsOnDevices))]
    public void MatchesPyTorch(string name, string deviceName)
    {
        device = new Device(GoldenDevices.Create(deviceName));
        var expected = Golden[$"{name}.out"];
        using (new TensorScope())
        {
            using var call = new GoldenCall(device, name);
            var found = Calls[name](call);
            Assert.Equal(new Shape(expected.Axes), found.Shape);
            if (Exact.Contains(name)) Assert.Equal(expected.Floats, found.ToFloats());
            var error = GoldenTensors.RelativeError(expected.Floats, found.ToFloats());
            Assert.True(error < 1e-5, $"{name} on {deviceName}: relative error {error:G3}");
        }
        Assert.Equal(0, device.Memory.LiveBlocks);
    }

    [Fact]
    public void EveryGoldenOpIsAccountedFor()
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(RepositoryPaths.GoldenFile("ops", "ops.json")));
        Assert.Equal(document.RootElement.EnumerateObject().Select(op => op.Name).Order(), Calls.Keys.Concat(NotOfThisLibrary).Order());
    }

    public void Dispose() => device?.Dispose();

    /// <summary>One golden op's inputs on a device, and the modules that read its weights.</summary>
    private sealed class GoldenCall(Device device, string name) : IDisposable
    {
        private readonly WeightLoader weights = new WeightLoader(device, new GoldenWeights(Golden)).In(name);
        private readonly List<IDisposable> modules = [];

        public Tensor this[string input] => device.From(Golden[$"{name}.{input}"].Floats, new Shape(Golden[$"{name}.{input}"].Axes));

        public Tensor Picture => this["x"].ToChannelsLast();

        public Tensor Indices(string input) => device.From(Golden[$"{name}.{input}"].Ints, new Shape(Golden[$"{name}.{input}"].Axes));

        public Tensor Conv(int kernel, int stride, int padBefore, int padAfter, bool bias = true) =>
            Loaded(new Nn.Conv2d(weights, kernel, stride, padBefore, padAfter, bias)).Forward(Picture).ToChannelsFirst();

        public Tensor Bilinear()
        {
            var shape = Golden[$"{name}.out"].Axes;
            return Picture.ResizeBilinear(shape[2], shape[3], antialias: false).ToChannelsFirst();
        }

        public Tensor SelfAttention(int heads, bool causal)
        {
            var x = this["x"];
            var width = x.Shape[2];
            var project = Loaded(new Linear(weights, width, 3 * width, weightName: "in_proj_weight", biasName: "in_proj_bias"));
            var output = Loaded(new Linear(weights, width, width, weightName: "out_proj__weight", biasName: "out_proj__bias"));
            return output.Forward(project.Forward(x).SelfAttention(heads, causal));
        }

        public Tensor Quantize()
        {
            var indices = Picture.NearestCode(this["codebook"]);
            Assert.Equal(Golden[$"{name}.indices"].Ints, indices.ToArray<int>());
            return indices.Embedding(this["codebook"]).ToChannelsFirst();
        }

        public void Dispose()
        {
            foreach (var module in modules) module.Dispose();
        }

        private T Loaded<T>(T module) where T : Module
        {
            modules.Add(module);
            return module;
        }
    }
}
