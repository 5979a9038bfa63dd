namespace ClipGen.Tensors.Tests;

public sealed class TensorTests : TensorTest
{
    [Fact]
    public void HoldsWhatItWasGiven()
    {
        using var floats = Device.From([1f, 2, 3, 4, 5, 6], new Shape(2, 3));
        Assert.Equal([1, 2, 3, 4, 5, 6], floats.ToFloats());
        Assert.Equal((6L, DType.Float32, new Shape(2, 3)), (floats.Count, floats.Type, floats.Shape));
        Assert.Equal("Float32 [2, 3] on cpu", floats.ToString());
        using var longs = Device.From([1L, -2], new Shape(2));
        Assert.Equal([1L, -2], longs.ToArray<long>());
        Assert.Equal(DType.Int64, longs.Type);
        using var zeros = Device.Zeros(new Shape(3));
        Assert.Equal([0, 0, 0], zeros.ToFloats());
        Assert.Equal("3 values given for shape [2, 2], which has 4", Assert.Throws<ArgumentException>(() => Device.From([1f, 2, 3], new Shape(2, 2))).Message);
    }

    [Fact]
    public void TheElementTypeIsChecked()
    {
        using var tensor = Device.Empty(new Shape(2, 2), DType.Int32);
        Assert.Equal("tensor [2, 2] holds Int32, not Float32", Assert.Throws<InvalidOperationException>(() => tensor.Floats).Message);
        Assert.Equal(4, tensor.Ints.Length);
    }

    [Fact]
    public void ReshapeSharesMemoryUntilTheLastIsFreed()
    {
        var tensor = Counting(2, 6);
        var same = tensor.Reshape(3, 4);
        Assert.Equal(1, Device.Memory.LiveBlocks);
        Device.Backend.Fill(7, same.Floats);
        Assert.DoesNotContain(tensor.ToFloats(), value => value != 7);
        tensor.Dispose();
        Assert.Equal(1, Device.Memory.LiveBlocks);
        Assert.Equal(12, same.ToFloats().Length);
        same.Dispose();
        Assert.Equal(0, Device.Memory.LiveBlocks);
        Assert.Throws<ObjectDisposedException>(() => same.Reshape(12));
    }

    [Fact]
    public void ReshapeKeepsTheCount()
    {
        using var tensor = Counting(2, 6);
        Assert.Equal("cannot reshape [2, 6] (12 elements) to [5] (5)", Assert.Throws<ArgumentException>(() => tensor.Reshape(5)).Message);
    }

    [Fact]
    public void UseAfterFreeIsRefused()
    {
        var tensor = Counting(3);
        tensor.Dispose();
        tensor.Dispose();
        Assert.Throws<ObjectDisposedException>(() => tensor.Floats);
        Assert.Throws<ObjectDisposedException>(() => tensor.ToFloats());
        Assert.Equal(0, Device.Memory.LiveBlocks);
    }

    [Fact]
    public void IntoFreesTheTensorUnlessTheStepReturnsIt()
    {
        var x = Device.From([1f, 2f], new Shape(2));
        var same = x.Into(t => t);
        Assert.Same(x, same);
        Assert.Equal([1f, 2f], same.ToFloats());
        using var next = x.Into(t => t.Affine(2, 0));
        Assert.Equal([2f, 4f], next.ToFloats());
        Assert.Throws<ObjectDisposedException>(() => x.Floats);
        Assert.Equal(1, Device.Memory.LiveBlocks);
    }
}
