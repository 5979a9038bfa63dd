namespace ClipGen.Tensors.Tests;

public sealed class TensorScopeTests : TensorTest
{
    [Fact]
    public void FreesWhatWasMadeInside()
    {
        using var outside = Counting(2);
        using (var scope = new TensorScope())
        {
            var tensor = Counting(5);
            Counting(3).Reshape(1, 3);
            Assert.Equal(3, scope.Count);
            Assert.Equal(3, Device.Memory.LiveBlocks);
            tensor.Dispose();
            Assert.Equal(2, scope.Count);
        }
        Assert.Equal(1, Device.Memory.LiveBlocks);
        Assert.Equal([0, 1], outside.ToFloats());
    }

    [Fact]
    public void KeepHandsToTheEnclosingScopeThenToTheCaller()
    {
        Tensor kept;
        using (var outer = new TensorScope())
        {
            using (var inner = new TensorScope())
            {
                kept = inner.Keep(Counting(4));
                Counting(9);
            }
            Assert.Equal((1, 1L), (outer.Count, Device.Memory.LiveBlocks));
            Assert.Same(kept, outer.Keep(kept));
        }
        Assert.Equal([0, 1, 2, 3], kept.ToFloats());
        kept.Dispose();
    }

    [Fact]
    public void KeepOfAnothersTensorChangesNothing()
    {
        using var outside = Counting(1);
        using var outer = new TensorScope();
        var mine = Counting(2);
        using (var inner = new TensorScope())
        {
            inner.Keep(mine);
            inner.Keep(outside);
        }
        Assert.Equal(1, outer.Count);
        Assert.Equal(2, mine.ToFloats().Length);
    }

    [Fact]
    public void DetachedTensorsOutliveAllScopes()
    {
        Tensor parameter;
        using (new TensorScope())
        {
            using var inner = new TensorScope();
            parameter = TensorScope.Detach(Counting(3));
            Assert.Equal(0, inner.Count);
        }
        Assert.Equal([0, 1, 2], parameter.ToFloats());
        parameter.Dispose();
    }

    [Fact]
    public void ScopesEndInReverseOrder()
    {
        var outer = new TensorScope();
        var inner = new TensorScope();
        Counting(2);
        Assert.Contains("reverse order", Assert.Throws<InvalidOperationException>(outer.Dispose).Message);
        // The refused call freed nothing and may be repeated at the right time.
        Assert.Equal(1, inner.Count);
        inner.Dispose();
        inner.Dispose();
        outer.Dispose();
        using var after = Counting(1);
        Assert.Equal(0, outer.Count);
    }

    [Fact]
    public void EachThreadHasItsOwn()
    {
        using var scope = new TensorScope();
        Exception? error = null;
        Tensor? foreign = null;
        var thread = new Thread(() =>
        {
            foreign = Counting(2);
            error = Record.Exception(scope.Dispose);
        });
        thread.Start();
        thread.Join();
        Assert.Equal(0, scope.Count);
        Assert.IsType<InvalidOperationException>(error);
        foreign!.Dispose();
    }

    [Fact]
    public void AnExceptionStillFrees()
    {
        Assert.Throws<ShapeException>(() =>
        {
            using var scope = new TensorScope();
            Counting(2, 3).MatMulTransposed(Counting(4, 5));
        });
        Assert.Equal(0, Device.Memory.LiveBlocks);
    }
}
