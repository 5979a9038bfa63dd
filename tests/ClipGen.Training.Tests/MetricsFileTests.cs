using ClipGen.Training.Reporting;

namespace ClipGen.Training.Tests;

public sealed class MetricsFileTests
{
    private static readonly string[] Columns = ["train/loss", "lr", "val/loss"];

    [Fact]
    public void RowsAreReadableAtOnceAndReadBackExactly()
    {
        using var folder = new TemporaryFolder();
        using var file = MetricsFile.Open(folder["metrics.csv"], Columns);
        file.Append(0, 10, Values(("train/loss", 0.1), ("lr", 4.5e-6)));
        file.Append(1, 20, Values(("train/loss", double.NaN), ("lr", double.PositiveInfinity), ("val/loss", double.NegativeInfinity)));
        file.Append(1, 30, Values(("train/loss", 1.0 / 3)));
        Assert.Equal("epoch,step,train/loss,lr,val/loss\n0,10,0.1,4.5E-06,\n1,20,NaN,Infinity,-Infinity\n1,30,0.3333333333333333,,\n", Text(folder["metrics.csv"]));
        var table = MetricsTable.Read(folder["metrics.csv"]);
        Assert.Equal(Columns, table.Columns);
        Assert.Equal([(0, 10L), (1, 20L), (1, 30L)], table.Rows.Select(row => (row.Epoch, row.Step)));
        Assert.Equal([(10L, 0.1), (20L, double.NaN), (30L, 1.0 / 3)], table.Series("train/loss"));
        Assert.Equal([(20L, double.NegativeInfinity)], table.Series("val/loss"));
        Assert.Empty(table.Series("nothing"));
    }

    [Fact]
    public void TheSameStepCompletesItsRow()
    {
        using var folder = new TemporaryFolder();
        using var file = MetricsFile.Open(folder["m.csv"], Columns);
        file.Append(0, 10, Values(("train/loss", 1)));
        file.Append(0, 20, Values(("train/loss", 0.123456789), ("lr", 2)));
        file.Append(1, 20, Values(("val/loss", 3), ("train/loss", 4)));
        file.Append(1, 30, Values(("lr", 5)));
        Assert.Equal("epoch,step,train/loss,lr,val/loss\n0,10,1,,\n0,20,4,2,3\n1,30,,5,\n", Text(folder["m.csv"]));
        Assert.Contains("step 29 comes after step 30", Assert.Throws<ArgumentException>(() => file.Append(1, 29, Values())).Message);
        Assert.Contains("\"weight_d\" is not a column", Assert.Throws<ArgumentException>(() => file.Append(1, 40, Values(("weight_d", 1)))).Message);
        Assert.Equal(3, MetricsTable.Read(folder["m.csv"]).Rows.Count);
    }

    [Fact]
    public void ResumingDropsWhatCameAfterTheStep()
    {
        using var folder = new TemporaryFolder();
        using (var file = MetricsFile.Open(folder["m.csv"], Columns))
            for (var step = 10; step <= 50; step += 10) file.Append(0, step, Values(("train/loss", step)));
        using (var file = MetricsFile.Open(folder["m.csv"], Columns, resumedStep: 30))
        {
            file.Append(0, 30, Values(("val/loss", 7)));
            file.Append(0, 40, Values(("train/loss", 41)));
        }
        Assert.Equal("epoch,step,train/loss,lr,val/loss\n0,10,10,,\n0,20,20,,\n0,30,30,,7\n0,40,41,,\n", Text(folder["m.csv"]));
        Assert.Equal(["m.csv"], folder.Names);
    }

    [Fact]
    public void BeginningAnewReplacesTheFile()
    {
        using var folder = new TemporaryFolder();
        using (var file = MetricsFile.Open(folder["m.csv"], Columns)) file.Append(0, 10, Values(("lr", 1)));
        MetricsFile.Open(folder["m.csv"], ["other"]).Dispose();
        Assert.Equal("epoch,step,other\n", Text(folder["m.csv"]));
    }

    [Fact]
    public void ResumingKeepsOldColumnsAndAddsNewOnes()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["m.csv"], "epoch,step,old,lr\n0,10,1,2\n");
        using (var file = MetricsFile.Open(folder["m.csv"], ["lr", "new"], resumedStep: 10))
        {
            Assert.Equal(["old", "lr", "new"], file.Columns);
            file.Append(0, 20, Values(("new", 3)));
        }
        Assert.Equal("epoch,step,old,lr,new\n0,10,1,2,\n0,20,,,3\n", Text(folder["m.csv"]));
    }

    [Theory]
    [InlineData("0,20,2.71")]
    [InlineData("0,2")]
    [InlineData("\0\0\0\0")]
    public void TornLastLineDoesNotCount(string torn)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["m.csv"], "epoch,step,a\n0,10,1\n" + torn);
        Assert.Equal([10L], MetricsTable.Read(folder["m.csv"]).Rows.Select(row => row.Step));
        using (var file = MetricsFile.Open(folder["m.csv"], ["a"], resumedStep: 20)) file.Append(0, 20, Values(("a", 2.718)));
        Assert.Equal("epoch,step,a\n0,10,1\n0,20,2.718\n", Text(folder["m.csv"]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("epoch,st")]
    [InlineData(null)]
    public void NothingToContinueBeginsAnew(string? content)
    {
        using var folder = new TemporaryFolder();
        if (content is not null) File.WriteAllText(folder["m.csv"], content);
        MetricsFile.Open(folder["m.csv"], ["a"], resumedStep: 20).Dispose();
        Assert.Equal("epoch,step,a\n", Text(folder["m.csv"]));
    }

    [Fact]
    public void LinesOfAnEditorWithCarriageReturnsAreRead()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["m.csv"], "epoch,step,a\r\n0,10,1\r\n");
        Assert.Equal([(10L, 1.0)], MetricsTable.Read(folder["m.csv"]).Series("a"));
    }

    [Theory]
    [InlineData("name,value\n1,2\n", "line 1: expected \"epoch,step,NAME,...\", found \"name,value\"")]
    [InlineData("epoch,step,a,a\n", "line 1: expected")]
    [InlineData("epoch,step,a\n0,10\n0,20,1\n", "line 2: expected 3 cells as in the heading, found 2")]
    [InlineData("epoch,step,a\n0,x,1\n", "line 2: expected a step, found \"x\"")]
    [InlineData("epoch,step,a\n-1,1,1\n", "line 2: expected an epoch, found \"-1\"")]
    [InlineData("epoch,step,a\n0,10,1,5\n", "line 2: expected 3 cells as in the heading, found 4")]
    [InlineData("epoch,step,a\n0,10,one\n", "line 2: expected a number or nothing, found \"one\"")]
    [InlineData("epoch,step,a\n0,10,1\n0,10,2\n", "line 3: expected a step above 10, found 10")]
    public void DamageNamesTheLine(string content, string expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["m.csv"], content);
        var failure = Assert.Throws<RunFolderException>(() => MetricsFile.Open(folder["m.csv"], ["a"], resumedStep: 99));
        Assert.StartsWith($"{folder["m.csv"]}: {expected}", failure.Message);
        Assert.DoesNotContain('\n', failure.Message);
        Assert.Equal(content, Text(folder["m.csv"]));
    }

    [Theory]
    [InlineData("a,b")]
    [InlineData("")]
    [InlineData("step")]
    [InlineData("a b")]
    [InlineData("=1+1")]
    public void ColumnNamesNeverNeedQuotes(string name)
    {
        using var folder = new TemporaryFolder();
        Assert.Throws<ArgumentException>(() => MetricsFile.Open(folder["m.csv"], ["fine", name]));
        Assert.Throws<ArgumentException>(() => MetricsFile.Open(folder["m.csv"], ["twice", "twice"]));
        Assert.Empty(folder.Names);
    }

    [Fact]
    public void MissingFolderIsOneLine()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder["none"], "m.csv");
        Assert.Equal($"{path}: can't be written: its folder does not exist; create it first", Assert.Throws<RunFolderException>(() => MetricsFile.Open(path, ["a"])).Message);
    }

    private static Dictionary<string, double> Values(params (string Name, double Value)[] values) => values.ToDictionary(pair => pair.Name, pair => pair.Value);

    private static string Text(string path)
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd();
    }
}
