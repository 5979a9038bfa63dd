namespace ClipGen.Tensors.Tests;

public sealed class TraceTests : TensorTest
{
    [Fact]
    public void RecordsOnlyWhileItIsOn()
    {
        using var scope = new TensorScope();
        var x = Counting(2, 2);
        Assert.False(Trace.IsOn);
        Assert.Same(x, Trace.Record("early", x));
        var trace = new Trace();
        Assert.True(Trace.IsOn);
        Assert.Same(x, Trace.Record("a.b", x));
        trace.Dispose();
        Assert.False(Trace.IsOn);
        Trace.Record("late", x);
        var (path, shape, values) = Assert.Single(trace.Activations);
        Assert.Equal(("a.b", new Shape(2, 2)), (path, shape));
        Assert.Equal([0, 1, 2, 3], values);
    }

    [Fact]
    public void PicturesAreStoredChannelsFirst()
    {
        using var scope = new TensorScope();
        using var trace = new Trace();
        Trace.Record("conv", Counting(1, 1, 2, 3));
        var (_, shape, values) = Assert.Single(trace.Activations);
        Assert.Equal(new Shape(1, 3, 1, 2), shape);
        Assert.Equal([0, 3, 1, 4, 2, 5], values);
        // The rearranged copy is gone: what is live is the recorded tensor itself.
        Assert.Equal(1, Device.Memory.LiveBlocks);
    }

    [Fact]
    public void APathThatOccursAgainReplacesTheEarlierValue()
    {
        using var scope = new TensorScope();
        using var trace = new Trace();
        foreach (var (path, count) in new[] { ("a", 1), ("b", 2), ("a", 3) }) Trace.Record(path, Counting(count));
        Assert.Equal([("b", 2), ("a", 3)], trace.Activations.Select(activation => (activation.Path, activation.Values.Length)));
    }

    [Fact]
    public void TheInnermostTraceRecords()
    {
        using var scope = new TensorScope();
        using var outer = new Trace();
        using (var inner = new Trace())
        {
            Trace.Record("inside", Counting(1));
            Assert.Single(inner.Activations);
        }
        Trace.Record("outside", Counting(1));
        Assert.Equal("outside", Assert.Single(outer.Activations).Path);
    }

    [Fact]
    public void AnotherThreadIsNotRecorded()
    {
        using var trace = new Trace();
        var on = true;
        var thread = new Thread(() => on = Trace.IsOn);
        thread.Start();
        thread.Join();
        Assert.False(on);
        Assert.True(Trace.IsOn);
    }
}
