namespace ClipGen.Kernels.Tests;

/// <summary>The fork-join under every op: complete, exact in what it reports, and never stuck. Every test runs under a watchdog, because a lost wake-up shows as a hang.</summary>
public sealed class WorkerPoolTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void EveryPartRunsExactlyOnce(int threads) => Watched(() =>
    {
        using var pool = new WorkerPool(threads);
        foreach (var count in new[] { 0, 1, 2, 3, threads, threads + 1, 1000, 100_000 })
        {
            var runs = new int[count];
            pool.For(count, part => Interlocked.Increment(ref runs[part]));
            Assert.DoesNotContain(runs, times => times != 1);
        }
        pool.For(-3, _ => Assert.Fail("there is no part"));
    });

    [Fact]
    public void BodiesAreSharedNotCopied() => Watched(() =>
    {
        using var pool = new WorkerPool(3);
        var body = new Summing { Total = [0] };
        pool.Run(1000, ref body);
        Assert.Equal(499_500, body.Total[0]);
    });

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void AFailureSurfacesAsItself(int threads) => Watched(() =>
    {
        using var pool = new WorkerPool(threads);
        foreach (var count in new[] { 1, 2, 500 })
        {
            // The same exception whatever the number of threads and parts: callers catch by type.
            var error = Assert.Throws<ArgumentException>(() => pool.For(count, part => Fail(part, count - 1)));
            Assert.Equal($"part {count - 1}", error.Message);
            Assert.Contains(nameof(Fail), error.StackTrace);
        }
        // All parts fail at once: one of them is reported, and the pool lives on.
        Assert.StartsWith("part ", Assert.Throws<ArgumentException>(() => pool.For(200, part => Fail(part, part))).Message);
        var done = 0;
        pool.For(50, _ => Interlocked.Increment(ref done));
        Assert.Equal(50, done);
    });

    [Fact]
    public void PartsNotYetBegunAreLeftOutAfterAFailure() => Watched(() =>
    {
        using var pool = new WorkerPool(2);
        var begun = 0;
        Assert.Throws<ArgumentException>(() => pool.For(1_000_000, part =>
        {
            Interlocked.Increment(ref begun);
            Fail(part, part);
        }));
        Assert.InRange(begun, 1, 2);
    });

    [Fact]
    public void TinyJobsBetweenSleepsNeverHang() => Watched(() =>
    {
        // Workers spin for a fraction of a millisecond and then sleep: bursts after pauses of 0 to 3 ms catch them spinning, falling asleep and sleeping.
        using var pool = new WorkerPool(3);
        var done = 0L;
        for (var burst = 0; burst < 400; burst++)
        {
            for (var job = 0; job < 10; job++) pool.For(3, _ => Interlocked.Increment(ref done));
            Thread.Sleep(burst % 4);
        }
        Assert.Equal(400 * 10 * 3, done);
    });

    [Fact]
    public void JobsAtTheMomentOfFallingAsleepNeverHang() => Watched(() =>
    {
        // Busy pauses of growing length sweep over the moment at which a worker announces its sleep.
        using var pool = new WorkerPool(2);
        var done = 0;
        for (var job = 0; job < 5000; job++)
        {
            pool.For(2, _ => Interlocked.Increment(ref done));
            Thread.SpinWait(job * 2 % 20_000 / 4);
        }
        Assert.Equal(10_000, done);
    });

    [Fact]
    public void DisposeWakesSleepersAndIsIdempotent() => Watched(() =>
    {
        for (var round = 0; round < 20; round++)
        {
            var pool = new WorkerPool(4);
            var done = 0;
            if (round % 2 == 0) pool.For(8, _ => Interlocked.Increment(ref done));
            if (round % 3 == 0) Thread.Sleep(10);
            pool.Dispose();
            pool.Dispose();
            // What is left is the calling thread.
            pool.For(5, _ => Interlocked.Increment(ref done));
            Assert.Equal(round % 2 == 0 ? 13 : 5, done);
        }
    });

    [Fact]
    public void TwoCallersTakeTurns() => Watched(() =>
    {
        using var pool = new WorkerPool(3);
        var sums = new long[2];
        var callers = Enumerable.Range(0, 2).Select(caller => Watch(() =>
        {
            for (var job = 0; job < 2000; job++) pool.For(5, part => Interlocked.Add(ref sums[caller], part + 1));
        })).ToArray();
        foreach (var caller in callers) caller();
        Assert.Equal([2000 * 15, 2000 * 15], sums);
    });

    [Fact]
    public void APartMayNotStartAJob() => Watched(() =>
    {
        using var pool = new WorkerPool(2);
        Assert.Throws<InvalidOperationException>(() => pool.For(4, _ => pool.For(4, _ => { })));
        // The refusal leaves the pool usable.
        var runs = 0;
        pool.For(10, _ => Interlocked.Increment(ref runs));
        Assert.Equal(10, runs);
    });

    [Fact]
    public void NoThreadsIsRefused() => Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerPool(0));

    private static void Fail(int part, int failing)
    {
        if (part == failing) throw new ArgumentException($"part {part}");
    }

    private static void Watched(Action test) => Watch(test)();

    /// <summary>Starts a thread; the returned action waits for it, fails when it is stuck and passes its exception on.</summary>
    private static Action Watch(Action test)
    {
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                test();
            }
            catch (Exception exception)
            {
                failure = exception;
            }
        })
        { IsBackground = true };
        thread.Start();
        return () =>
        {
            Assert.True(thread.Join(Patience), $"still running after {Patience}: a worker or its caller waits for a signal that never comes");
            if (failure is not null) throw new AggregateException(failure);
        };
    }

    private struct Summing : IParallelBody
    {
        public long[] Total;

        public readonly void Execute(int index) => Interlocked.Add(ref Total[0], index);
    }
}
