using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace ClipGen.Kernels;

/// <summary>A piece of parallel work: a struct with its arguments and one method.</summary>
public interface IParallelBody
{
    /// <summary>Does part <paramref name="index"/> of the work.</summary>
    void Execute(int index);
}

/// <summary>
/// Threads that wait for work by spinning briefly, then sleeping: a fork-join costs microseconds while ops follow each other,
/// and nothing while the program does something else. Parts are handed out one by one from a shared ticket, so a slow core takes fewer,
/// and a thread that wakes too late for a job is not waited for.
/// </summary>
public sealed unsafe class WorkerPool : IDisposable
{
    private const int SpinsBeforeSleep = 4000;

    // Half a millisecond or so. Whoever yields while others want the processor gives them a whole slice of it, milliseconds, however unimportant they are: with two processes of the lowest
    // importance beside, jobs of 105 us took 180 to 590 when the wait yielded at once, and 109 with this; with two of equal importance 370, and 220.
    private const int SpinsBeforeYield = 2000;
    private readonly Worker[] workers;
    private readonly Lock oneJobAtATime = new();
    private delegate*<void*, int, void> invoke;
    private void* state;
    private int partCount;
    private volatile bool stopping;
    private PaddedCounters counters;
    private Exception? failure;

    [ThreadStatic]
    private static bool insidePart;

    /// <summary>Starts <paramref name="threads"/> − 1 workers; the caller of <see cref="Run"/> is the last one.</summary>
    public WorkerPool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        workers = new Worker[threads - 1];
        for (var i = 0; i < workers.Length; i++)
        {
            var worker = workers[i] = new Worker();
            worker.Thread = new Thread(() => Loop(worker)) { IsBackground = true, Name = $"clipgen-worker-{i + 1}" };
            worker.Thread.Start();
        }
    }

    /// <summary>Threads that share the work, the caller's included.</summary>
    public int Threads { get; }

    /// <summary>Runs parts 0 … count − 1 of <paramref name="body"/> on all threads and returns when all are done. Parts may run in any order, so they must not depend on each other.</summary>
    /// <exception cref="InvalidOperationException">Called from inside a part.</exception>
    /// <exception cref="Exception">A part threw: its own exception, the first one if there were several, whatever the number of threads. Parts not yet begun were left out.</exception>
    public void Run<TBody>(int count, ref TBody body) where TBody : struct, IParallelBody
    {
        if (count <= 0) return;
        if (count == 1 || workers.Length == 0)
        {
            for (var i = 0; i < count; i++) body.Execute(i);
            return;
        }
        // The lock below would let the same thread in again, and the inner job would overwrite the outer one.
        if (insidePart) throw new InvalidOperationException("a part of a parallel job may not start another one");
        lock (oneJobAtATime)
        {
            // The body stays on this stack frame until every part is done. Whoever holds a part of this job may read these fields:
            // the next job is not published before that part is finished.
            invoke = &Invoke<TBody>;
            state = Unsafe.AsPointer(ref body);
            partCount = count;
            failure = null;
            counters.Done = 0;
            counters.Generation++;
            Interlocked.Exchange(ref counters.Ticket, ((long)counters.Generation << 32) | (uint)count);
            for (var i = 0; i < Math.Min(workers.Length, count - 1); i++) workers[i].Wake();
            Work();
            WaitForTheRest(count);
            if (failure is not null) ExceptionDispatchInfo.Throw(failure);
        }
    }

    /// <summary>Runs a delegate for parts 0 … count − 1; see <see cref="Run"/>.</summary>
    public void For(int count, Action<int> part)
    {
        var body = new DelegateBody(part);
        Run(count, ref body);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (stopping) return;
        stopping = true;
        Interlocked.MemoryBarrier();
        foreach (var worker in workers)
        {
            worker.Wake();
            worker.Thread!.Join();
            worker.Dispose();
        }
    }

    private static void Invoke<TBody>(void* state, int index) where TBody : struct, IParallelBody =>
        Unsafe.AsRef<TBody>(state).Execute(index);

    private void WaitForTheRest(int count)
    {
        for (var spins = 0; spins < SpinsBeforeYield; spins++)
        {
            if (Volatile.Read(ref counters.Done) == count) return;
            Thread.SpinWait(8);
        }
        // The thread with the last part is not running; what is in its place needs this processor or another.
        var spinner = new SpinWait();
        while (Volatile.Read(ref counters.Done) != count) spinner.SpinOnce(sleep1Threshold: -1);
    }

    private void Work()
    {
        while (true)
        {
            var ticket = Volatile.Read(ref counters.Ticket);
            var left = (int)ticket;
            if (left == 0) return;
            // The upper half counts jobs, so a ticket read during an earlier job can't be taken in a later one.
            if (Interlocked.CompareExchange(ref counters.Ticket, ticket - 1, ticket) != ticket) continue;
            insidePart = true;
            try
            {
                if (Volatile.Read(ref failure) is null) invoke(state, partCount - left);
            }
            catch (Exception exception)
            {
                Interlocked.CompareExchange(ref failure, exception, null);
            }
            insidePart = false;
            Interlocked.Increment(ref counters.Done);
        }
    }

    private void Loop(Worker worker)
    {
        while (!stopping)
        {
            for (var spins = 0; spins < SpinsBeforeSleep && !HasWork; spins++) Thread.SpinWait(8);
            if (HasWork) Work();
            else worker.SleepUnless(this);
        }
    }

    private bool HasWork => (int)Volatile.Read(ref counters.Ticket) != 0 || stopping;

    private readonly struct DelegateBody(Action<int> part) : IParallelBody
    {
        public void Execute(int index) => part(index);
    }

    /// <summary>One thread and what wakes it: its own semaphore, so that no other worker can take the signal meant for it.</summary>
    private sealed class Worker : IDisposable
    {
        private readonly SemaphoreSlim signal = new(0);
        private int asleep;

        public Thread? Thread { get; set; }

        public void Wake()
        {
            if (Volatile.Read(ref asleep) != 0 && Interlocked.Exchange(ref asleep, 0) != 0) signal.Release();
        }

        /// <summary>Announces the sleep first, then looks again: either this thread sees the new job, or the job's owner sees the sleeper.</summary>
        public void SleepUnless(WorkerPool pool)
        {
            Interlocked.Exchange(ref asleep, 1);
            // When the flag was taken meanwhile, a signal is there or on its way: it is consumed here.
            if (pool.HasWork && Interlocked.Exchange(ref asleep, 0) != 0) return;
            signal.Wait();
        }

        public void Dispose() => signal.Dispose();
    }

    /// <summary>The counters on cache lines of their own.</summary>
    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit, Size = 256)]
    private struct PaddedCounters
    {
        /// <summary>Lower half: parts not yet handed out. Upper half: number of the job.</summary>
        [System.Runtime.InteropServices.FieldOffset(64)] public long Ticket;
        [System.Runtime.InteropServices.FieldOffset(72)] public int Generation;
        [System.Runtime.InteropServices.FieldOffset(128)] public int Done;
    }
}
