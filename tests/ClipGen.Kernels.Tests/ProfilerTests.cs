namespace ClipGen.Kernels.Tests;

/// <summary>What a profile must get right: who is charged for what, and that nothing is charged twice or while nobody asked.</summary>
public sealed class ProfilerTests
{
    [Fact]
    public void ChargesOpsToThePlaceTheyWereCalledFrom()
    {
        using var backend = new ProfilingBackend(new CpuBackend(1));
        using var arrays = new DeviceArrays(backend);
        var x = arrays.From(new float[96]);
        var y = arrays.Empty<float>(96);
        Add();
        Assert.Null(Profiler.Current);
        Assert.Null(Profiler.Place);

        var profiler = new Profiler();
        using (profiler.Start())
        {
            Assert.Same(profiler, Profiler.Current);
            Add();
            using (Profiler.Enter("outer"))
            {
                Add();
                for (var i = 0; i < 3; i++)
                {
                    using var inner = Profiler.Enter("inner");
                    Assert.Equal("inner", Profiler.Place);
                    Add();
                    Add();
                }
                Assert.Equal("outer", Profiler.Place);
            }
        }
        Add();

        var root = Assert.Single(profiler.Tracks).Root;
        Assert.Equal(1, Assert.Single(root.Ops).Calls);
        var outer = Assert.Single(root.Children);
        var within = Assert.Single(outer.Children);
        Assert.Equal(("outer", 1L, "inner", 3L), (outer.Name, outer.Calls, within.Name, within.Calls));
        Assert.Equal(1, Assert.Single(outer.Ops).Calls);
        var op = Assert.Single(within.Ops);
        Assert.Equal(("Add", 6L, 6 * 96.0, 6 * 4.0 * 3 * 96), (op.Op, op.Calls, op.Flops, op.Bytes));
        Assert.True(op.Ticks > 0 && op.CallTicks > 0 && op.CallTicks <= op.Ticks);
        // What is inside is part of what is around it, and the rest is the host's.
        Assert.Equal(outer.Ticks, outer.HostTicks + within.Ticks + outer.Ops.Sum(total => total.Ticks));
        Assert.True(within.Ticks >= op.Ticks);
        Assert.True(outer.Ticks <= profiler.Ended - profiler.Started);

        var events = profiler.Tracks[0].Events.ToList();
        Assert.Equal(1 + 1 + 6 + 3 + 1, events.Count);
        Assert.Equal(events.Select(happened => happened.End).Order(), events.Select(happened => happened.End));
        Assert.All(events, happened => Assert.InRange(happened.Start, profiler.Started, happened.End));
        Assert.Equal(8, events.Count(happened => happened.Op == "Add" && happened.LiveBytes == backend.Memory.LiveBytes));

        void Add() => backend.Add(x, x, y);
    }

    [Fact]
    public void CopiesAndPackedWeightsCountTheirBytes()
    {
        using var backend = new ProfilingBackend(new CpuBackend(1));
        using var arrays = new DeviceArrays(backend);
        var x = arrays.Empty<float>(64);
        using var packed = backend.AllocatePacked(5, 12);
        var profiler = new Profiler();
        using (profiler.Start())
        {
            backend.Upload<float>(new float[64], x);
            backend.Copy(x.Slice(0, 16), x.Slice(32, 16));
            backend.Download(x.Slice(0, 8), new float[8]);
            backend.PackRows(new float[60], 0, 5, packed);
        }
        Assert.Equal([("Copy", 128.0), ("Download", 32.0), ("PackRows", 8.0 * 60), ("Upload", 256.0)], profiler.Tracks[0].Root.Ops.Select(op => (op.Op, op.Bytes)).Order());
    }

    [Fact]
    public void ThreadsOfTheJobHaveTracksOfTheirOwnAndOthersAreLeftAlone()
    {
        using var backend = new ProfilingBackend(new CpuBackend(1));
        using var arrays = new DeviceArrays(backend);
        var x = arrays.From(new float[16]);
        using var stranger = new ManualResetEventSlim();
        using var begun = new ManualResetEventSlim();
        // Started before the profile, so it belongs to no job.
        var other = new Thread(() =>
        {
            begun.Wait(CancellationToken.None);
            backend.Fill(1, x);
            using (Profiler.Enter("stranger")) backend.Fill(1, x);
            stranger.Set();
        });
        other.Start();
        var profiler = new Profiler();
        using (profiler.Start())
        {
            begun.Set();
            stranger.Wait(TestContext.Current.CancellationToken);
            using (Profiler.Enter("main")) backend.Fill(2, x);
            var thread = new Thread(() =>
            {
                using (Profiler.Enter("beside")) backend.Fill(3, x);
            });
            thread.Start();
            thread.Join();
        }
        other.Join();
        Assert.Equal(["main", "beside"], profiler.Tracks.Select(track => Assert.Single(track.Root.Children).Name));
        Assert.All(profiler.Tracks, track => Assert.Equal(1, Assert.Single(track.Root.Children.Single().Ops).Calls));
    }

    [Fact]
    public void EventsBeyondTheLimitAreCountedAndStayInTheTotals()
    {
        using var backend = new ProfilingBackend(new CpuBackend(1));
        using var arrays = new DeviceArrays(backend);
        var x = arrays.From(new float[16]);
        var profiler = new Profiler(mostEvents: 20_000);
        using (profiler.Start())
            for (var i = 0; i < 20_010; i++) backend.Fill(1, x);
        Assert.Equal(20_000, profiler.Tracks[0].Events.Count());
        Assert.Equal(10, profiler.DroppedEvents);
        Assert.Equal(20_010, Assert.Single(profiler.Tracks[0].Root.Ops).Calls);
    }

    [Fact]
    public void OneProfilerRecordsOneJobAndAnInnerOneGivesWayAgain()
    {
        Profiler outer = new(), inner = new();
        using (outer.Start())
        {
            using (inner.Start()) Assert.Same(inner, Profiler.Current);
            Assert.Same(outer, Profiler.Current);
            using (Profiler.Enter("place")) Assert.Equal("place", Profiler.Place);
        }
        Assert.Empty(inner.Tracks);
        Assert.Single(outer.Tracks);
        Assert.Throws<InvalidOperationException>(outer.Start);
        Assert.Throws<ArgumentOutOfRangeException>(() => new Profiler(-1));
    }

    [Fact]
    public void ResultsAreThoseOfTheBackendInside()
    {
        using var plain = new CpuBackend(1);
        using var wrapped = new ProfilingBackend(new CpuBackend(1));
        Assert.IsType<CpuBackend>(WrappingBackend.Innermost(new TimingBackend(wrapped)));
        float[] input = [.. Enumerable.Range(0, 24).Select(i => MathF.Sin(i))];
        using (new Profiler().Start()) Assert.Equal(Softmax(plain), Softmax(wrapped));

        float[] Softmax(IBackend backend)
        {
            using var arrays = new DeviceArrays(backend);
            var y = arrays.Empty<float>(24);
            backend.Softmax(arrays.From(input), 4, 6, y);
            var result = new float[24];
            backend.Download(y, result);
            return result;
        }
    }

    [ThreadStatic]
    private static List<string>? ranges;

    /// <summary>What a profile enters is opened and closed in NVIDIA's tools, in order, an op that fails too; names are cut where the buffer ends, between two characters.</summary>
    [Fact]
    public unsafe void PlacesAndOpsAreRangesOfNvtx()
    {
        ranges = [];
        var nvtx = new NvtxRanges(&Push, &Pop);
        using var backend = new ProfilingBackend(new CpuBackend(1), nvtx);
        using var arrays = new DeviceArrays(backend);
        var x = arrays.From(new float[8]);
        var profiler = new Profiler(ranges: nvtx);
        using (profiler.Start())
        {
            using var place = Profiler.Enter("décodeur");
            backend.Add(x, x, x);
            Assert.Throws<ArgumentException>(() => backend.Add(x, x, x.Slice(0, 4)));
        }
        using (new Profiler().Start()) Profiler.Enter("unseen").Dispose();
        nvtx.Push(new string('é', 200));
        Assert.Equal(["décodeur", "Add", "-", "Add", "-", "-", new string('é', 127)], ranges);
    }

    [System.Runtime.InteropServices.UnmanagedCallersOnly]
    private static unsafe int Push(byte* name)
    {
        ranges!.Add(System.Runtime.InteropServices.Marshal.PtrToStringUTF8((nint)name)!);
        return 0;
    }

    [System.Runtime.InteropServices.UnmanagedCallersOnly]
    private static int Pop()
    {
        ranges!.Add("-");
        return 0;
    }
}
