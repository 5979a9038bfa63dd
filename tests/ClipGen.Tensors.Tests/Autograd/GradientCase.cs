namespace ClipGen.Tensors.Tests.Autograd;

/// <summary>An input whose gradient is checked.</summary>
/// <param name="Shape">Its axes.</param>
/// <param name="Values">Its values, away from the op's kinks by more than a step of the differences.</param>
internal sealed record GradientInput(Shape Shape, float[] Values)
{
    /// <summary>Uniform values in ±1.5.</summary>
    public static GradientInput Random(int seed, params int[] axes)
    {
        var shape = new Shape(axes);
        return new GradientInput(shape, Uniform(seed, shape.Count, 1.5));
    }

    /// <summary>The same values, pushed at least 0.05 away from a kink.</summary>
    public GradientInput AwayFrom(float kink) => this with { Values = [.. Values.Select(value => Math.Abs(value - kink) >= 0.05f ? value : kink + (value < kink ? -0.05f : 0.05f))] };

    /// <summary>Distinct values at least 0.01 apart, in random order: nothing is nearly as large as the largest.</summary>
    public static GradientInput Distinct(int seed, params int[] axes)
    {
        var shape = new Shape(axes);
        float[] values = [.. Enumerable.Range(0, checked((int)shape.Count)).Select(i => 0.01f * i - 0.5f)];
        new Random(seed).Shuffle(values);
        return new GradientInput(shape, values);
    }

    /// <summary>Uniform values in ±<paramref name="range"/>.</summary>
    public static float[] Uniform(int seed, long count, double range)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, checked((int)count)).Select(_ => (float)(range * (2 * random.NextDouble() - 1)))];
    }
}

/// <summary>An op in one of its forms, with inputs.</summary>
/// <param name="Name">Its name in test results.</param>
/// <param name="Op">Signature of the method that it is there for, as <see cref="OpMethods"/> writes it.</param>
/// <param name="Forward">From the inputs to the output; a function, the same each time.</param>
/// <param name="Inputs">All differentiable inputs.</param>
internal sealed record GradientCase(string Name, string Op, Func<Tensor[], Tensor> Forward, params GradientInput[] Inputs)
{
    /// <summary>Step of the central differences.</summary>
    // Their error is h²/6 · f''' = 2e-11 of a third derivative, and the rounding of the sum, 1e-16/h = 1e-11 of it.
    public double Step { get; init; } = 1e-5;

    /// <summary>Accepted difference from them, times one plus the largest gradient of the input.</summary>
    // Factors that are stored as floats (1/C of a mean) are off by up to 6e-8 of the gradient; the differences themselves by far less.
    public double Tolerance { get; init; } = 2e-7;
}
