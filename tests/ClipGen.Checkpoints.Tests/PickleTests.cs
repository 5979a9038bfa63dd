using System.Diagnostics;
using System.Numerics;
using System.Text;

namespace ClipGen.Checkpoints.Tests;

/// <summary>The restricted pickle machine, opcode by opcode where the golden files do not reach, and its bounds.</summary>
public class PickleTests
{
    private const string Storage = "(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\00X\x03\0\0\0cpuK\x04tQ";
    private const string Hooks = "ccollections\nOrderedDict\n)R";

    [Theory]
    [InlineData("K\x07", "7")]
    [InlineData("M\x34\x12", "4660")]
    [InlineData("J\u00fe\u00ff\u00ff\u00ff", "-2")]
    [InlineData("\u008a\0", "0")]
    [InlineData("\u008b\x09\0\0\0\0\0\0\0\0\0\0\0\x01", "18446744073709551616")]
    public void Integers(string opcodes, string value) => Assert.Equal(BigInteger.Parse(value), Root(opcodes).Int);

    [Fact]
    public void Text_and_bytes()
    {
        Assert.Equal("abc", Root("U\x03" + "abc").String);
        Assert.Equal("abc", Root("T\x03\0\0\0abc").String);
        Assert.Equal("abc", Root("\u008d\x03\0\0\0\0\0\0\0abc").String);
        Assert.Equal("ab"u8.ToArray(), Root("C\x02" + "ab").Bytes.ToArray());
        Assert.Equal("ab"u8.ToArray(), Root("B\x02\0\0\0ab").Bytes.ToArray());
        Assert.Equal([0xE9], Root("c_codecs\nencode\nX\x02\0\0\0\u00c3\u00a9X\x06\0\0\0latin1\u0086R").Bytes.ToArray());
        var text = new string('x', 100_000);
        Assert.Equal(text, Root("X\u00a0\u0086\x01\0" + text).String);
    }

    [Fact]
    public void Sets_sizes_devices_and_types_are_data()
    {
        Assert.Equal([1, 2], Root("\u008f(K\x01K\x02\u0090").Items.Select(item => (int)item.Int));
        Assert.Equal(NodeKind.Set, Root("(K\x01\u0091").Kind);
        Assert.Equal(NodeKind.Set, Root("c__builtin__\nset\n](K\u0001e\u0085R").Kind);
        Assert.Equal(NodeKind.Tuple, Root("ctorch\nSize\n(K\x02K\x03t\u0085R").Kind);
        Assert.Equal("cuda:1", Root("ctorch\ndevice\nX\x04\0\0\0cudaK\x01\u0086R").String);
        Assert.Equal("torch.bfloat16", Root("ctorch\nbfloat16\n").String);
        Assert.Equal("a", Root("ccollections\nOrderedDict\n](](X\x01\0\0\0aK\u0001ee\u0085R").Entries[0].Key.String);
    }

    [Fact]
    public void Lightning_files_notes_under_the_names_of_classes() =>
        Assert.Equal("pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint", Root("}cpytorch_lightning.callbacks.model_checkpoint\nModelCheckpoint\nK\x01s").Entries[0].Key.String);

    [Fact]
    public void Older_and_newer_tensor_functions_are_known()
    {
        var old = Root($"ctorch._utils\n_rebuild_tensor\n({Storage}K\x01(K\x03t(K\x01ttR").Tensor;
        Assert.Equal((ElementType.F32, 1L, 3L), (old.Type, old.StorageOffset, old.Count));
        var untyped = Root($"ctorch._utils\n_rebuild_tensor_v3\n((X\x07\0\0\0storagectorch\nUntypedStorage\nX\x01\0\0\00X\x03\0\0\0cpuK\x10tQK\0(K\x02t(K\x01t\u0089{Hooks}ctorch\nfloat64\ntR").Tensor;
        Assert.Equal((ElementType.F64, 2L), (untyped.Type, untyped.Count));
        var withMetadata = Root($"ctorch._utils\n_rebuild_tensor_v2\n({Storage}K\0(K\x02t(K\x01t\u0088{Hooks}}}tR").Tensor;
        Assert.True(withMetadata.RequiresGrad);
    }

    [Theory]
    [InlineData("", "takes more", "K\x01\u0086")]
    [InlineData("marks hide what is below them", "takes more objects", "K\x01(a")]
    [InlineData("unmatched", "did not begin", "t")]
    [InlineData("left over", "objects at its end", "K\x01K\x02")]
    [InlineData("nothing", "objects at its end", "")]
    [InlineData("calls data", "not a known class", "K\x01)R")]
    [InlineData("list as key", "dict key", "}]K\x01s")]
    [InlineData("class as key", "dict key", "}ctorch\nSize\nK\x01s")]
    [InlineData("class as value", "bare class", "}K\u0001ctorch\nSize\ns")]
    [InlineData("odd", "without a value", "}(K\x01u")]
    [InlineData("twice", "'True' twice", "}(K\x01K\x02\u0088K\x03u")]
    [InlineData("same name", "same dotted name 'a.b'", "}(X\x03\0\0\0a.bK\x01X\x01\0\0\0a}X\x01\0\0\0bK\x02su")]
    [InlineData("state of a list", "should have none", "]}b")]
    [InlineData("module outside of TorchScript", "outside a TorchScript archive", "c__torch__.a\nB\n)\u0081}b")]
    [InlineData("not UTF-8", "not UTF-8", "X\x01\0\0\0\u00ff")]
    [InlineData("long name", "longer than 256", "cLONG")]
    [InlineData("storage alone", "bare storage", Storage)]
    [InlineData("wrong persistent id", "not a storage", "X\x06\0\0\0moduleQ")]
    [InlineData("numpy", "NumPy", "cnumpy.core.multiarray\nscalar\n")]
    [InlineData("second protocol", "twice", "\u0080\x02N")]
    [InlineData("long integer", "integer of 2000 bytes", "\u008b\u00d0\x07\0\0")]
    public void Refusals(string what, string reason, string opcodes)
    {
        Assert.NotNull(what);
        Assert.Contains(reason, Refusal(opcodes.Replace("LONG", new string('a', 300))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_opcode_outside_of_the_list_is_refused()
    {
        var allowed = Encoding.Latin1.GetBytes(".()t]ae}suNJKMGXTUBCcRbQhjqr\u0080\u0081\u0085\u0086\u0087\u0088\u0089\u008a\u008b\u008c\u008d\u008e\u008f\u0090\u0091\u0093\u0094\u0095");
        var refused = 0;
        for (var opcode = 0; opcode < 256; opcode++)
        {
            if (allowed.Contains((byte)opcode)) continue;
            Assert.Contains($"0x{opcode:x2}", Refusal(((char)opcode).ToString()).Message, StringComparison.Ordinal);
            refused++;
        }
        Assert.Equal(256 - allowed.Length, refused);
    }

    [Fact]
    public void Names_in_messages_cannot_break_the_line()
    {
        var message = Refusal("\u008c\x04os\n\x1b\u008c\x03\r\nx\u0093").Message;
        Assert.Contains("os\\u000a\\u001b", message, StringComparison.Ordinal);
        Assert.DoesNotContain(message, char.IsControl);
    }

    [Fact]
    public void Shared_lists_cannot_grow_into_a_huge_tree()
    {
        // Each tuple holds the one before it ten times: 10^40 leaves, all of it one well-formed object.
        var opcodes = new StringBuilder("K\x01q\0");
        for (var level = 1; level <= 40; level++) opcodes.Append("(").Insert(opcodes.Length, $"h{(char)(level - 1)}", 10).Append($"tq{(char)level}");
        var body = new StringBuilder("(").Append(opcodes).Append('t');
        AssertBounded(body.ToString(), "share their members");
    }

    [Fact]
    public void Long_names_cannot_be_repeated_without_end()
    {
        var opcodes = new StringBuilder($"}}X\u00a0\x0f\0\0{new string('k', 4000)}](").Insert(0, "");
        for (var i = 0; i < 60_000; i++) opcodes.Append('N');
        AssertBounded(opcodes.Append("es").ToString(), "names in it are far longer");
    }

    [Fact]
    public void A_large_argument_cannot_be_copied_without_end()
    {
        var opcodes = new StringBuilder("(](").Append('N', 50_000).Append("eq\0ctorch\nSize\nq\x01");
        for (var i = 0; i < 50_000; i++) opcodes.Append("h\x01h\0\u0085R");
        AssertBounded(opcodes.Append('t').ToString(), "more than 2,000,000 objects");
    }

    private static void AssertBounded(string opcodes, string reason)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var watch = Stopwatch.StartNew();
        Assert.Contains(reason, Refusal(opcodes).Message, StringComparison.Ordinal);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(2), $"took {watch.Elapsed}");
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated < 64 << 20, $"{allocated:N0} bytes were allocated");
    }

    private static CheckpointException Refusal(string opcodes) => Assert.Throws<CheckpointException>(() => Root(opcodes));

    private static CheckpointNode Root(string opcodes)
    {
        using var folder = new TemporaryFolder();
        using var checkpoint = Checkpoint.Open(folder.Write("a.pt", Zips.WithPickle(Zips.Pickle(opcodes))));
        return checkpoint.Root;
    }
}
