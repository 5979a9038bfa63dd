using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using ClipGen.Data;
using ClipGen.Data.Datasets;
using ClipGen.Data.Records;
using ClipGen.Models.Pipeline;
using ClipGen.Tensors;

namespace ClipGen.Benchmarks;

/// <summary>How fast files are read: checkpoints beside a plain read of their bytes, pictures as crops, records beside a plain read of the file.</summary>
internal static class ReadingSpeed
{
    private const int Rounds = 5, Pictures = 400, Width = 640, Height = 480, Crop = 256, Batch = 8;

    /// <summary>Measures and prints tables.</summary>
    /// <param name="models">Folder with files as <see cref="ReleasedFiles"/> writes them.</param>
    /// <param name="output">Where to print.</param>
    public static void Run(string models, TextWriter output)
    {
        Checkpoints(models, output);
        var scratch = Directory.CreateTempSubdirectory("clipgen-reading").FullName;
        try
        {
            Records(scratch, output);
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    private static void Checkpoints(string folder, TextWriter output)
    {
        string[] names = ["clip_vit_b32.pt", "gpt_coco.pt", "vqgan_coco.pt"];
        string[] paths = [.. names.Select(name => Path.Combine(folder, name))];
        foreach (var path in paths)
            if (!File.Exists(path)) throw new FileNotFoundException($"{path} is missing; `ClipGen.Benchmarks files {folder}` writes it");
        var bytes = paths.Sum(path => new FileInfo(path).Length);
        var (plain, kept, load) = (new List<double>(), new List<double>(), new List<double>());
        // All read from the page cache after the first round, which does not count.
        for (var round = 0; round <= Rounds; round++)
        {
            var (read, readAndKept, loaded) = (Seconds(() => paths.Sum(PlainRead)), Seconds(() => ReadAndKeep(paths)), Seconds(() => Load(paths)));
            if (round == 0) continue;
            plain.Add(read);
            kept.Add(readAndKept);
            load.Add(loaded);
        }
        output.WriteLine("| reading | bytes | time | of a plain read |");
        output.WriteLine("| --- | --- | --- | --- |");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| the bytes of {string.Join(", ", names)}, one thread, a MiB at a time | {bytes:N0} | {ResultTable.Time(Median(plain))} | 1 |"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| the same bytes into new memory that holds all of them, one thread | {bytes:N0} | {ResultTable.Time(Median(kept))} | {Median(kept) / Median(plain):F2} |"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| the three models, ready to run | {bytes:N0} | {ResultTable.Time(Median(load))} | {Median(load) / Median(plain):F2} |"));
        output.WriteLine();
    }

    private static void Load(string[] paths)
    {
        using var device = Device.Cpu();
        using var models = PipelineModels.FromFiles(device, paths[0], paths[1], paths[2]);
        // Models are read when they are first used.
        _ = (models.Clip, models.Gpt, models.VqGan);
    }

    private static void Records(string folder, TextWriter output)
    {
        var photographs = Directory.CreateDirectory(Path.Combine(folder, "photographs")).FullName;
        for (var n = 0; n < Pictures; n++) PictureFile.Save(Photograph(n), Path.Combine(photographs, string.Create(CultureInfo.InvariantCulture, $"{n:D4}.jpg")));
        var files = new FolderDataset(photographs);
        string ffr = Path.Combine(folder, "photographs.ffr"), tar = Path.Combine(folder, "photographs.tar");
        foreach (var path in new[] { ffr, tar }) DatasetWriter.Write(files, 0, Pictures, path, () => { }, CancellationToken.None);

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Pictures} computed JPEGs of {Width} x {Height} ({new FileInfo(ffr).Length / Pictures / 1024} KiB each), short side resized to {Crop}, cropped, two worker threads:"));
        output.WriteLine();
        output.WriteLine("| from | crops/s | raw records, MB/s | of a plain read of the file |");
        output.WriteLine("| --- | --- | --- | --- |");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| a folder | {Crops(files):F0} | | |"));
        using (var records = new FFRecordDataset(ffr)) Row("FFRecord, checksums compared", records, ffr);
        using (var archive = new TarDataset("tar", [tar])) Row("tar", archive, tar);

        void Row(string name, IStoredDataset dataset, string path)
        {
            var crops = Crops(dataset);
            var (plain, raw) = (new List<double>(), new List<double>());
            for (var round = 0; round <= Rounds; round++)
            {
                var (read, records) = (Seconds(() => PlainRead(path)), Seconds(() => Enumerable.Range(0, Pictures).Sum(n => (long)dataset.Stored(n).Length)));
                if (round == 0) continue;
                plain.Add(read);
                raw.Add(records);
            }
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {crops:F0} | {new FileInfo(path).Length / Median(raw) / 1e6:F0} | {Median(plain) / Median(raw):F2} |"));
        }
    }

    /// <summary>Median rate over rounds of all pictures.</summary>
    private static double Crops(IPictureDataset dataset)
    {
        var plan = new BatchPlan(dataset.Count, Batch, seed: 0);
        using var loader = new BatchLoader(dataset, plan, PictureCrop.Random(Crop, 0));
        List<double> rates = [];
        for (var round = 0; round <= Rounds; round++)
        {
            var seconds = Seconds(() =>
            {
                for (var step = 0L; step < plan.StepsPerEpoch; step++) loader.Next();
            });
            if (round > 0) rates.Add(plan.StepsPerEpoch * Batch / seconds);
        }
        return Median(rates);
    }

    /// <summary>Smooth areas, edges and grain, so that a JPEG of it has about the size of a photograph's.</summary>
    private static Picture Photograph(int n)
    {
        var random = new Random(n);
        var pixels = new byte[Width * Height * 3];
        double fx = 0.01 + 0.03 * random.NextDouble(), fy = 0.01 + 0.03 * random.NextDouble();
        for (var y = 0; y < Height; y++)
            for (var x = 0; x < Width; x++)
                for (var c = 0; c < 3; c++)
                {
                    var smooth = Math.Sin(fx * x + c) + Math.Cos(fy * y - c) + ((x / 40 + y / 30) % 3 == 0 ? 0.7 : 0);
                    pixels[(y * Width + x) * 3 + c] = (byte)Math.Clamp(128 + 50 * smooth + 16 * (random.NextDouble() - 0.5), 0, 255);
                }
        return new Picture(Width, Height, pixels);
    }

    private static long PlainRead(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        var buffer = new byte[1 << 20];
        var sum = 0L;
        int read;
        while ((read = file.Read(buffer)) > 0) sum += read;
        return sum;
    }

    /// <summary>Reads files into new memory, a file's in one block, and frees it when all are read: what any program does that keeps what it read.</summary>
    private static unsafe void ReadAndKeep(string[] paths)
    {
        List<nint> blocks = [];
        try
        {
            foreach (var path in paths)
            {
                using var file = File.OpenHandle(path);
                var length = RandomAccess.GetLength(file);
                var block = NativeMemory.Alloc((nuint)length);
                blocks.Add((nint)block);
                for (long at = 0; at < length;)
                {
                    var read = RandomAccess.Read(file, new Span<byte>((byte*)block + at, (int)Math.Min(1 << 20, length - at)), at);
                    if (read == 0) throw new EndOfStreamException($"{path} became shorter while it was read");
                    at += read;
                }
            }
        }
        finally
        {
            foreach (var block in blocks) NativeMemory.Free((void*)block);
        }
    }

    private static double Seconds(Action action)
    {
        var start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double Seconds<T>(Func<T> action) => Seconds(() => { _ = action(); });

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
