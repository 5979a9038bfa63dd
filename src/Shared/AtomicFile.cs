namespace ClipGen.Files;

/// <summary>Replaces a file in one step: readers see the old content or the new one, whatever happens in between. Compiled into each library that writes files.</summary>
internal static class AtomicFile
{
    /// <summary>Writes a sibling, flushes it to the disk and renames it. The sibling is removed on any failure.</summary>
    /// <param name="path">The file.</param>
    /// <param name="write">Writes its content.</param>
    /// <param name="failure">Makes the library's own exception from the reason (with what to do, without the path) and its cause.</param>
    public static void Write(string path, Action<FileStream> write, Func<string, Exception?, Exception> failure)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (Directory.Exists(path)) throw failure("this is a folder; give a file name", null);
        string? temporary = null;
        try
        {
            var full = Path.GetFullPath(path);
            var sibling = $"{full}.{Guid.NewGuid():N}.tmp";
            using (var stream = new FileStream(sibling, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16))
            {
                temporary = sibling;
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(sibling, full, overwrite: true);
            temporary = null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException || (e is ArgumentException && temporary is null) || IsTooLong(e))
        {
            throw failure(e switch
            {
                _ when IsTooLong(e) => "the file is too large for its file system, or for the limit on the size of files (ulimit -f)",
                DirectoryNotFoundException => "its folder does not exist; create it first",
                ArgumentException => "not a usable path; give the path of a file",
                UnauthorizedAccessException => "no permission; choose another folder or change its permissions",
                _ => $"{e.Message.TrimEnd('.')}; check the path and the free space",
            }, e);
        }
        finally
        {
            if (temporary is not null) Remove(temporary);
        }
    }

    /// <summary>.NET's word for EFBIG, on writing as well.</summary>
    internal static bool IsTooLong(Exception e) => e is ArgumentOutOfRangeException { ParamName: "value" };

    // The failure that led here is the one to report, not that of tidying up.
    private static void Remove(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }
}
