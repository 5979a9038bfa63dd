namespace ClipGen.Kernels.Tests;

/// <summary>A leg that switches an instruction set off must really run without it, else it would test the same code again.</summary>
public sealed class SimdLevelTests
{
    [Fact]
    public void SwitchedOffLevelsAreNotAvailable()
    {
        if (Environment.GetEnvironmentVariable("DOTNET_EnableAVX512") == "0")
            Assert.DoesNotContain(SimdLevel.Avx512, SimdLevels.Available);
        if (Environment.GetEnvironmentVariable("DOTNET_EnableAVX2") == "0")
            Assert.Equal([SimdLevel.Vector128], SimdLevels.Available);
        Assert.Contains(SimdLevel.Vector128, SimdLevels.Available);
    }

    [Fact]
    public void UnavailableLevelIsRefusedByName()
    {
        var missing = Enum.GetValues<SimdLevel>().Except(SimdLevels.Available).ToArray();
        foreach (var level in missing)
        {
            var error = Assert.Throws<PlatformNotSupportedException>(() => new CpuBackend(1, level));
            Assert.Contains(level.ToString(), error.Message);
        }
        Assert.Throws<PlatformNotSupportedException>(() => SimdLevels.Require((SimdLevel)99));
    }
}
