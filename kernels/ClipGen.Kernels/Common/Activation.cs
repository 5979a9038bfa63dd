namespace ClipGen.Kernels;

/// <summary>Pointwise functions that the models use, alone or fused into the op in front of them.</summary>
public enum Activation
{
    /// <summary>y = x.</summary>
    None,

    /// <summary>max(0, x).</summary>
    Relu,

    /// <summary>x where x &gt; 0, else 0.2 x (the PatchGAN discriminator's slope).</summary>
    LeakyRelu,

    /// <summary>x / (1 + exp(-x)).</summary>
    Silu,

    /// <summary>x (1 + erf(x / sqrt 2)) / 2, exact form.</summary>
    Gelu,

    /// <summary>x / (1 + exp(-1.702 x)): CLIP's approximation of GELU.</summary>
    QuickGelu,
}
