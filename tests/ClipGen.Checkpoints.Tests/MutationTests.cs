using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using ClipGen.Testing;

namespace ClipGen.Checkpoints.Tests;

/// <summary>
/// Thousands of damaged files: each is read in full or refused with a <see cref="CheckpointException"/>, never anything else, and nothing
/// but the file itself is touched. Pickles are damaged inside a freshly made archive, so that its checksum does not stop them at the door.
/// </summary>
public class MutationTests
{
    private const int Rounds = 1000;

    [Fact]
    public void Damaged_pickles() => Run(1, Seeds("zip_*.pt").Select(Unpack).ToArray(), (random, seed) =>
        Zips.Of([("archive/data.pkl", Mutate(random, seed.Pickle)), .. seed.Storages]));

    [Fact]
    public void Damaged_archives() => Run(2, Seeds("zip_*.pt"), Mutate);

    [Fact]
    public void Damaged_legacy_files() => Run(3, Seeds("legacy_*.pt"), Mutate);

    [Fact]
    public void Damaged_safetensors() => Run(4, [SmallSafetensors()], Mutate);

    [Fact]
    public void Files_cut_anywhere_are_refused()
    {
        using var folder = new TemporaryFolder();
        var cuts = 0;
        foreach (var seed in (byte[][])[File.ReadAllBytes(RepositoryPaths.GoldenFile("checkpoints", "zip_nested.pt")), File.ReadAllBytes(RepositoryPaths.GoldenFile("checkpoints", "legacy_parameter.pt")), SmallSafetensors()])
            for (var length = 0; length < seed.Length; length++, cuts++)
            {
                var path = folder.Write("cut", seed[..length]);
                Assert.Throws<CheckpointException>(() => Checkpoint.Open(path).Dispose());
            }
        Assert.True(cuts > 2000);
    }

    private static void Run<T>(int seed, T[] seeds, Func<Random, T, byte[]> mutate)
    {
        Assert.NotEmpty(seeds);
        using var folder = new TemporaryFolder();
        var random = new Random(seed);
        int read = 0, refused = 0;
        for (var round = 0; round < Rounds; round++)
        {
            var bytes = mutate(random, seeds[round % seeds.Length]);
            var path = folder.Write("mutant", bytes);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using var checkpoint = Checkpoint.Open(path);
                Touch(checkpoint);
                read++;
            }
            catch (CheckpointException e)
            {
                refused++;
                Assert.DoesNotContain('\n', e.Message);
                Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
            }
            catch (Exception e) when (e is not Xunit.Sdk.IAssertionException)
            {
                Assert.Fail($"round {round}: {e}\n{Convert.ToBase64String(bytes)}");
            }
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated < 64 << 20, $"round {round}: {allocated:N0} bytes were allocated");
        }
        Assert.Equal(["mutant"], folder.Names);
        Assert.False(File.Exists("PWNED"));
        // Both outcomes must occur, or the damage is not where it should be.
        Assert.True(read > Rounds / 100, $"only {read} of {Rounds} were read");
        Assert.True(refused > Rounds / 10, $"only {refused} of {Rounds} were refused");
    }

    private static void Touch(Checkpoint checkpoint)
    {
        var bytes = new byte[1 << 12];
        foreach (var tensor in checkpoint.Tensors)
        {
            Assert.Equal(tensor, checkpoint.Find(tensor.Name));
            var count = (int)Math.Min(tensor.Count, bytes.Length / 8);
            tensor.ReadBytes(tensor.Count - count, bytes.AsSpan(0, count * tensor.Type.ByteSize()));
            tensor.ReadFloats(0, new float[count]);
        }
        checkpoint.Verify();
    }

    private static byte[] Mutate(Random random, byte[] seed)
    {
        var bytes = seed.ToList();
        for (var edits = random.Next(1, 4); edits > 0 && bytes.Count > 0; edits--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(7))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 2: bytes.Insert(at, (byte)random.Next(256)); break;
                case 3: bytes.RemoveAt(at); break;
                case 4: bytes.RemoveRange(at, Math.Min(random.Next(1, 20), bytes.Count - at)); break;
                case 5: bytes.InsertRange(at, bytes.GetRange(at, Math.Min(random.Next(1, 40), bytes.Count - at))); break;
                default:
                    byte[] extremes = [0, 1, 0x7F, 0x80, 0xFF];
                    for (var i = at; i < Math.Min(at + random.Next(1, 9), bytes.Count); i++) bytes[i] = extremes[random.Next(extremes.Length)];
                    break;
            }
        }
        return [.. bytes];
    }

    private static byte[][] Seeds(string pattern) =>
        [.. Directory.GetFiles(Path.GetDirectoryName(RepositoryPaths.GoldenFile("checkpoints", "valid.json"))!, pattern).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];

    private static (byte[] Pickle, (string, byte[])[] Storages) Unpack(byte[] archive)
    {
        using var zip = new ZipArchive(new MemoryStream(archive));
        var entries = zip.Entries.Select(entry =>
        {
            using var stream = entry.Open();
            var content = new MemoryStream();
            stream.CopyTo(content);
            return (Name: "archive" + entry.FullName[entry.FullName.IndexOf('/')..], Data: content.ToArray());
        }).ToArray();
        return (entries.Single(entry => entry.Name == "archive/data.pkl").Data, [.. entries.Where(entry => entry.Name != "archive/data.pkl")]);
    }

    private static byte[] SmallSafetensors()
    {
        var header = Encoding.UTF8.GetBytes("""{"__metadata__":{"format":"pt"},"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"a.bias":{"dtype":"BF16","shape":[2],"data_offsets":[24,28]},"empty":{"dtype":"I64","shape":[0],"data_offsets":[28,28]}}  """);
        var bytes = new byte[8 + header.Length + 28];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, header.Length);
        header.CopyTo(bytes, 8);
        return bytes;
    }
}
