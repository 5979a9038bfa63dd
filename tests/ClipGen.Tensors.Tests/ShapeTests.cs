namespace ClipGen.Tensors.Tests;

public sealed class ShapeTests
{
    [Fact]
    public void AxesCountAndRows()
    {
        var shape = new Shape(2, 16, 3);
        Assert.Equal((3, 96L, 32), (shape.Rank, shape.Count, shape.Rows));
        Assert.Equal((2, 3, 16), (shape[0], shape[^1], shape[^2]));
        Assert.Equal([2, 16, 3], shape.Axes.ToArray());
        Assert.Equal("[2, 16, 3]", shape.ToString());
        Assert.Equal(new Shape(2, 16, 5), shape.WithLast(5));
        Assert.Equal(1, new Shape(7).Rows);
        Assert.Equal(0, new Shape(0, 4).Rows);
        Assert.Throws<IndexOutOfRangeException>(() => shape[3]);
    }

    [Fact]
    public void ASingleValueHasNoAxes()
    {
        foreach (var shape in new[] { default, new Shape(), new Shape([]) })
        {
            Assert.Equal((0, 1L, 1), (shape.Rank, shape.Count, shape.Rows));
            Assert.Equal("[]", shape.ToString());
            Assert.Equal(default, shape);
            Assert.Equal(default(Shape).GetHashCode(), shape.GetHashCode());
        }
    }

    [Fact]
    public void EqualityIsByAxes()
    {
        Assert.True(new Shape(2, 3) == new Shape(2, 3));
        Assert.Equal(new Shape(2, 3).GetHashCode(), new Shape(2, 3).GetHashCode());
        Assert.True(new Shape(2, 3) != new Shape(3, 2));
        Assert.True(new Shape(6) != new Shape(6, 1));
        Assert.False(new Shape(2).Equals("[2]"));
    }

    [Fact]
    public void TheGivenArrayIsCopied()
    {
        int[] axes = [2, 3];
        var shape = new Shape(axes);
        axes[0] = 9;
        Assert.Equal(2, shape[0]);
    }

    [Fact]
    public void IllegalAxesAreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new Shape(2, -1));
        Assert.Throws<OverflowException>(() => new Shape(int.MaxValue, int.MaxValue, int.MaxValue).Count);
        Assert.Throws<OverflowException>(() => new Shape(1 << 20, 1 << 20, 3).Rows);
    }
}
