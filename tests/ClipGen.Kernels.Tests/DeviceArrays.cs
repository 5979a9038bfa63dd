namespace ClipGen.Kernels.Tests;

/// <summary>Host arrays on a backend for the length of a test.</summary>
internal sealed class DeviceArrays(IDeviceAllocator backend) : IDisposable
{
    private readonly List<DeviceMemory> blocks = [];

    public View<T> From<T>(params T[] values) where T : unmanaged
    {
        var view = Empty<T>(values.Length);
        backend.Upload<T>(values, view);
        return view;
    }

    public unsafe View<T> Empty<T>(long length) where T : unmanaged
    {
        var block = backend.Allocate(length * sizeof(T));
        blocks.Add(block);
        return new View<T>(block, 0, length);
    }

    public T[] Read<T>(View<T> view) where T : unmanaged
    {
        var values = new T[view.Length];
        backend.Download(view, values);
        return values;
    }

    public void Dispose()
    {
        foreach (var block in blocks) block.Dispose();
    }
}
