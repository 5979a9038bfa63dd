using System.Diagnostics;
using System.Text.Json;
using ClipGen.Testing;

namespace ClipGen.Checkpoints.Tests;

/// <summary>Every file of <c>refuse.json</c> ends in one clear line: quickly, with little memory, and without a trace on the disk.</summary>
public class GoldenRefuseTests
{
    private const long MemoryLimit = 64 << 20;
    private static readonly JsonDocument Expected = JsonDocument.Parse(File.ReadAllBytes(RepositoryPaths.GoldenFile("checkpoints", "refuse.json")));

    // What the message must mention, so that a refusal for the wrong reason does not count.
    private static readonly Dictionary<string, string> Reasons = new()
    {
        ["evil_reduce_os_system.pt"] = "'os.system'",
        ["evil_reduce_posix_system.pt"] = "'posix.system'",
        ["evil_global_build.pt"] = "'argparse.Namespace'",
        ["evil_inst.pt"] = "INST",
        ["evil_obj.pt"] = "'subprocess.Popen'",
        ["evil_newobj_popen.pt"] = "'subprocess.Popen'",
        ["evil_stack_global.pt"] = "'os.system'",
        ["evil_builtins_eval.pt"] = "'builtins.eval'",
        ["evil_getattr_chain.pt"] = "'builtins.getattr'",
        ["evil_python2_builtin.pt"] = "'__builtin__.eval'",
        ["evil_torch_function.pt"] = "'torch.hub.load'",
        ["evil_dotted_name.pt"] = "'torch.serialization.os.system'",
        ["evil_hidden_after_tensor.pt"] = "'os.system'",
        ["evil_dict_key.pt"] = "'os.system'",
        ["evil_legacy_reduce.pt"] = "'os.system'",
        ["bad_absurd_size.pt"] = "16 bytes",
        ["bad_size_overflow.pt"] = "64 bits",
        ["bad_size_huge_int.pt"] = "64 bits",
        ["bad_short_storage.pt"] = "past the end",
        ["bad_short_file.pt"] = "7 bytes",
        ["bad_negative_stride.pt"] = "negative stride",
        ["bad_negative_offset.pt"] = "negative offset",
        ["bad_offset_past_end.pt"] = "past the end",
        ["bad_negative_size.pt"] = "negative size",
        ["bad_stride_overflow.pt"] = "past the end",
        ["bad_zero_stride_bomb.pt"] = "1,099,511,627,776 elements",
        ["bad_rank_mismatch.pt"] = "2 sizes but 1 strides",
        ["bad_missing_storage.pt"] = "no entry 'data/0'",
        ["bad_unknown_storage_type.pt"] = "MysteryStorage",
        ["bad_truncated_zip.pt"] = "truncated",
        ["bad_truncated_pickle.pt"] = "truncated",
        ["bad_no_data_pkl.pt"] = "data.pkl",
        ["bad_path_traversal.pt"] = "leave the archive",
        ["bad_crc.pt"] = "checksum",
        ["bad_empty.pt"] = "empty",
        ["bad_text.pt"] = "text file",
        ["bad_html.pt"] = "this is an HTML page; the download was probably an error page",
        ["bad_lfs_pointer.pt"] = "this is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`",
        ["bad_deep_lists.pt"] = "deeper than",
        ["bad_deep_tuples.pt"] = "deeper than",
        ["bad_self_reference.pt"] = "contains itself",
        ["bad_memo_bomb.pt"] = "objects at its end",
        ["bad_stack_underflow.pt"] = "more objects than there are",
        ["bad_unknown_opcode.pt"] = "0xff",
        ["bad_protocol9.pt"] = "protocol 9",
        ["bad_memo_missing.pt"] = "never stored",
        ["bad_long_string.pt"] = "4,294,967,295 bytes more",
        ["bad_long1.pt"] = "integer of -5 bytes",
        ["bad_frame.pt"] = "frame",
        ["bad_zip_size_lie.pt"] = "4,294,967,294",
        ["bad_legacy_magic.pt"] = "magic number",
        ["bad_legacy_truncated.pt"] = "truncated",
        ["bad_whole_module.pt"] = "state_dict()",
        ["bad_complex.pt"] = "ComplexFloat",
        ["bad_big_endian.pt"] = "'big'-endian",
    };

    // Its tensors are harmless; what is hostile in it is never looked at.
    private const string Harmless = "evil_torchscript_code.pt";

    public static TheoryData<string> Files => [.. Expected.RootElement.EnumerateArray().Select(entry => entry.GetProperty("file").GetString()!)];

    [Fact]
    public void Every_file_has_its_reason() => Assert.Equal(Files.Select(row => row.Data).Order(), Reasons.Keys.Append(Harmless).Order());

    [Theory]
    [MemberData(nameof(Files))]
    public void Is_refused_with_one_clear_line(string name)
    {
        var path = RepositoryPaths.GoldenFile("checkpoints", name);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var watch = Stopwatch.StartNew();
        var error = Record.Exception(() =>
        {
            using var checkpoint = Checkpoint.Open(path);
            foreach (var tensor in checkpoint.Tensors) tensor.ReadBytes(0, new byte[tensor.Count * tensor.Type.ByteSize()]);
        });
        var elapsed = watch.Elapsed;
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated < MemoryLimit, $"{allocated:N0} bytes were allocated");
        Assert.True(elapsed < TimeSpan.FromSeconds(1), $"took {elapsed}");
        Assert.False(File.Exists("PWNED"));
        Assert.False(File.Exists(RepositoryPaths.Golden + "/checkpoints/PWNED"));
        Assert.False(File.Exists("/tmp/PWNED3"));
        if (name == Harmless)
        {
            Assert.Null(error);
            return;
        }
        var refusal = Assert.IsType<CheckpointException>(error);
        Assert.Equal(path, refusal.Path);
        Assert.StartsWith(path + ": ", refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refusal.Message);
        Assert.Contains(Reasons[name], refusal.Message, StringComparison.Ordinal);
    }
}
