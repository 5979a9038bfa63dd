namespace ClipGen.Testing;

/// <summary>
/// Keeps apart, over all test processes, what needs the machine for itself: emulated kernels, which run on hundreds of threads, and tests of processes, which are to answer in time. A lock on a file, which the system lets go of
/// when a process ends, however it ends.
/// </summary>
public sealed class MachineLock : IDisposable
{
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(15);
    private readonly FileStream file;

    /// <summary>Waits until nobody else has it.</summary>
    /// <exception cref="TimeoutException">Somebody keeps it for a quarter of an hour.</exception>
    public MachineLock()
    {
        var path = Path.Combine(Path.GetTempPath(), "clipgen-tests.lock");
        for (var clock = System.Diagnostics.Stopwatch.StartNew(); ;)
        {
            try
            {
                file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
                return;
            }
            catch (IOException) when (clock.Elapsed < Longest)
            {
                Thread.Sleep(200);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();
}
