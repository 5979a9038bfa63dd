using ClipGen.Training.Reporting;

namespace ClipGen.Training.Tests;

public sealed class TrainingLogTests
{
    private static readonly Setting[] Settings = [new("bs", "8", SettingOrigin.Option), new("lr", "4.5e-06", SettingOrigin.Default), new("codes", "16384", SettingOrigin.Checkpoint), new("out", "[red]a\u001b[2J\nb[/]", SettingOrigin.Option)];

    [Fact]
    public void LinesHaveTheirColumns()
    {
        var (log, time, text) = Log();
        log.Start(["loss", "weight_d", "lr"], epochs: 200, doneSteps: 1000, steps: 40000);
        time.Passed += TimeSpan.FromSeconds(10);
        log.Interval(3, 1050, 800, Values(("loss", 1.2341), ("lr", 4.5e-6)));
        time.Passed += TimeSpan.FromSeconds(11);
        log.Interval(104, 11100, 1600, Values(("loss", -0.0123456), ("weight_d", 9999.9), ("lr", 0), ("unshown", 1)));
        Assert.Equal(
            [
                "epoch   3  step  1050/40000  loss      1.234  weight_d          -  lr    4.5e-06     200 ms      80.0 images/s   2h 09m left",
                "epoch 104  step 11100/40000  loss   -0.01235  weight_d      10000  lr          0    2.08 ms      76.2 images/s       1m left",
            ], text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void SpeedIsThatOfTheLastMinute()
    {
        var (log, time, text) = Log();
        log.Start([], 1, 0, 1000);
        // Slow to begin with, a hundred seconds for ten steps; then a second each.
        for (var step = 10; step <= 110; step += 10)
        {
            time.Passed += TimeSpan.FromSeconds(step == 10 ? 100 : 10);
            log.Interval(0, step, step * 4, Values());
        }
        var lines = text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.EndsWith("10000 ms       0.4 images/s   2h 45m left", lines[0]);
        Assert.EndsWith("  1000 ms       4.0 images/s      14m left", lines[^1]);
    }

    [Fact]
    public void WhatHappensAsideIsNotStepTime()
    {
        var (log, time, text) = Log();
        log.Start([], 1, 0, 100);
        time.Passed += TimeSpan.FromSeconds(1);
        using (var aside = log.Aside())
        {
            Assert.Throws<InvalidOperationException>(() => log.Aside());
            time.Passed += TimeSpan.FromSeconds(50);
            aside.Dispose();
        }
        time.Passed += TimeSpan.FromSeconds(1);
        log.Interval(0, 10, 40, Values());
        Assert.Contains("  200 ms      20.0 images/s      18s left", text.ToString());
        Assert.Equal(52, log.Elapsed.TotalSeconds);
        log.Aside().Dispose();
    }

    [Fact]
    public void NothingMeasuredIsADash()
    {
        var (log, _, text) = Log();
        log.Start(["loss"], 1, 0, 100);
        log.Interval(0, 0, 0, Values(("loss", double.NaN)));
        Assert.Equal("epoch 0  step   0/100  loss        NaN       - ms         - images/s        - left\n", text.ToString());
    }

    [Fact]
    public void DescriptionIsPlainTextWhereThereIsNoTerminal()
    {
        var (log, _, text) = Log();
        log.Describe(Samples.Run(Settings));
        log.Memory([new("weights", 315_621_376), new("activations", 3L << 30)], 16L << 30);
        Assert.Equal(
            """
            train vqgan: VQ-GAN, 16384 codes, 78.8 M parameters, seed 18446744073709551615
              bs     8                     option
              lr     4.5e-06               default
              codes  16384                 checkpoint
              out    [red]a\u001b[2J b[/]  option
            memory: about 3.3 GiB of 16.0 GiB (weights 301 MiB + activations 3.0 GiB)

            """, text.ToString());
    }

    [Fact]
    public void DescriptionIsATableOnATerminal()
    {
        var (log, _, text) = Log(terminal: true);
        log.Describe(Samples.Run(Settings));
        var shown = text.ToString();
        Assert.Contains("│ setting │", shown);
        Assert.Contains(@"│ out     │ [red]a\u001b[2J b[/] │ option     │", shown);
        Assert.DoesNotContain('\u001b', shown);
    }

    [Fact]
    public void WarningsAreOneLine()
    {
        var (log, _, text) = Log();
        log.Warn("a\nb\u001b[2J");
        Assert.Equal("warning: a b\\u001b[2J\n", text.ToString());
    }

    [Fact]
    public void QuietSaysOnlyTheEnd()
    {
        var (log, time, text) = Log(quiet: true);
        log.Describe(Samples.Run(Settings));
        log.Memory([new("weights", 1)], 2);
        log.Start(["loss"], 2, 1000, 4000);
        time.Passed += TimeSpan.FromMinutes(65);
        log.Interval(1, 4000, 39000, Values(("loss", 1)));
        log.Warn("never mind");
        Assert.Equal("", text.ToString());
        log.End("finished", 4000, "output/vqgan/shapes");
        Assert.Equal("finished: step 4000/4000, 3000 steps in 1h 05m, 10.0 images/s; output/vqgan/shapes\n", text.ToString());
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(1.23456, "1.235")]
    [InlineData(12345.6, "12346")]
    [InlineData(123456, "1.235e05")]
    [InlineData(0.001, "0.001000")]
    [InlineData(-0.00012, "-1.2e-04")]
    [InlineData(1e-300, "1.0e-300")]
    [InlineData(double.NegativeInfinity, "-inf")]
    public void NumbersAreShort(double value, string expected)
    {
        Assert.Equal(expected, NumberText.Of(value));
        Assert.InRange(NumberText.Of(value).Length, 1, NumberText.Width);
    }

    private static (TrainingLog Log, FakeTime Time, StringWriter Text) Log(bool quiet = false, bool terminal = false)
    {
        var (time, text) = (new FakeTime(), new StringWriter { NewLine = "\n" });
        return (new TrainingLog(text, quiet, terminal, time), time, text);
    }

    private static Dictionary<string, double> Values(params (string Name, double Value)[] values) => values.ToDictionary(pair => pair.Name, pair => pair.Value);
}
