using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace ClipGen.Kernels;

/// <summary>What a kernel takes of a multiprocessor.</summary>
/// <param name="Registers">Registers of a thread.</param>
/// <param name="SharedBytes">Static shared memory of a group.</param>
/// <param name="StackBytes">Stack of a thread: arrays and spills, in slow memory.</param>
/// <param name="SpillBytes">Stores and loads of registers that did not fit.</param>
public sealed record KernelResources(int Registers, int SharedBytes, int StackBytes, int SpillBytes);

/// <summary>NVIDIA's assembler, where the CUDA toolkit is installed: from PTX to machine code, and what that takes.</summary>
public static partial class PtxAssembler
{
    private static readonly Lazy<string?> Found = new(() => Find("ptxas"));

    /// <summary>Path of <c>ptxas</c>, from PATH or CUDA_HOME; null without a toolkit.</summary>
    public static string? Path => Found.Value;

    /// <summary>Assembles PTX and says what the kernel takes.</summary>
    /// <param name="ptx">The text.</param>
    /// <param name="capability">80 or 90.</param>
    /// <exception cref="InvalidOperationException">There is no assembler, or it refused.</exception>
    public static KernelResources Assemble(string ptx, int capability) => WithCode(ptx, capability, (report, _) =>
        new KernelResources(Number(Registers(), report), Number(Shared(), report), Number(Stack(), report), Number(SpillStores(), report) + Number(SpillLoads(), report)));

    /// <summary>How often each machine instruction stands in a kernel, with its modifiers (<c>LDG.E.128</c>), most frequent first.</summary>
    /// <inheritdoc cref="Assemble"/>
    public static IReadOnlyList<(string Instruction, int Count)> Instructions(string ptx, int capability) => WithCode(ptx, capability, (_, code) =>
        Instruction().Matches(Run("cuobjdump", Require("cuobjdump"), ["--dump-sass", code])).GroupBy(match => match.Groups[1].Value).Select(group => (group.Key, group.Count()))
            .OrderByDescending(pair => pair.Item2).ThenBy(pair => pair.Key, StringComparer.Ordinal).ToArray());

    /// <summary>A kernel's machine code as text, one instruction a line.</summary>
    /// <inheritdoc cref="Assemble"/>
    public static string Disassemble(string ptx, int capability) => WithCode(ptx, capability, (_, code) => Run("cuobjdump", Require("cuobjdump"), ["--dump-sass", code]));

    private static T WithCode<T>(string ptx, int capability, Func<string, string, T> use)
    {
        var assembler = Require("ptxas");
        var folder = Directory.CreateTempSubdirectory("clipgen-ptx-");
        try
        {
            string text = System.IO.Path.Combine(folder.FullName, "kernel.ptx"), code = System.IO.Path.Combine(folder.FullName, "kernel.cubin");
            File.WriteAllText(text, ptx);
            return use(Run("ptxas", assembler, [$"-arch=sm_{capability.ToString(CultureInfo.InvariantCulture)}", "-v", text, "-o", code]), code);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string Run(string name, string path, IEnumerable<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(path, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var text = process.StandardError.ReadToEnd() + output.Result;
        process.WaitForExit();
        return process.ExitCode == 0 ? text : throw new InvalidOperationException($"{name}: {text.Trim()}");
    }

    private static string Require(string tool) => Find(tool) ?? throw new InvalidOperationException($"{tool} was not found; install the CUDA toolkit, or set CUDA_HOME");

    private static string? Find(string tool)
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(System.IO.Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries).ToList();
        if (Environment.GetEnvironmentVariable("CUDA_HOME") is { Length: > 0 } home) folders.Insert(0, System.IO.Path.Combine(home, "bin"));
        folders.Add("/usr/local/cuda/bin");
        return folders.Select(folder => System.IO.Path.Combine(folder, tool)).FirstOrDefault(File.Exists);
    }

    private static int Number(Regex pattern, string text) => pattern.Match(text) is { Success: true } match ? int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : 0;

    // "/*0010*/  @P0 LDG.E R2, [R4.64] ;": an address, perhaps a condition, the name.
    [GeneratedRegex(@"^\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\d+\s+)?([A-Z][A-Z0-9_.]*)", RegexOptions.Multiline)]
    private static partial Regex Instruction();

    [GeneratedRegex(@"Used (\d+) registers")]
    private static partial Regex Registers();

    [GeneratedRegex(@"(\d+) bytes smem")]
    private static partial Regex Shared();

    [GeneratedRegex(@"(\d+) bytes stack frame")]
    private static partial Regex Stack();

    [GeneratedRegex(@"(\d+) bytes spill stores")]
    private static partial Regex SpillStores();

    [GeneratedRegex(@"(\d+) bytes spill loads")]
    private static partial Regex SpillLoads();
}
