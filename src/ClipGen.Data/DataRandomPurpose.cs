namespace ClipGen.Data;

/// <summary>What this library draws random numbers for. A number is never given to another use, for it decides what every seed makes.</summary>
internal static class DataRandomPurpose
{
    /// <summary>The choices of a scene: what is in it and where.</summary>
    public const uint Scene = 0x100;

    /// <summary>The wording of a caption.</summary>
    public const uint Caption = 0x101;

    /// <summary>The texture of a background.</summary>
    public const uint BackgroundTexture = 0x102;

    /// <summary>Which scenes evaluation prompts describe.</summary>
    public const uint Prompt = 0x103;

    /// <summary>The order of pictures in an epoch.</summary>
    public const uint Order = 0x104;

    /// <summary>Where a training crop lies.</summary>
    public const uint Crop = 0x105;

    /// <summary>Which pictures of a folder are kept for validation.</summary>
    public const uint Validation = 0x106;

    /// <summary>Scenes that differ from another in one thing.</summary>
    public const uint HardNegative = 0x107;
}
