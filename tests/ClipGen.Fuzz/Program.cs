using System.CommandLine;
using System.Globalization;
using ClipGen.Fuzz;

// Damaged files, by the thousand: a parser reads them or refuses them, within a second, with little memory, and touches nothing else. Exit code 1 if one does otherwise.
Option<long> inputs = new("--inputs") { Description = "Damaged files in all, shared out among the parsers", DefaultValueFactory = _ => 100_000 };
Option<string?> parser = new("--parser") { Description = "Only this one" };
Option<int> seed = new("--seed") { Description = "Seed of the damage", DefaultValueFactory = _ => 1 };
Option<int> threads = new("--threads") { Description = "Parsers under fire at the same time; 0 for as many as there are processors", DefaultValueFactory = _ => 0 };
Option<string> findings = new("--findings") { Description = "Folder for files that a parser did not stand", DefaultValueFactory = _ => Path.Combine("artifacts", "fuzz") };
var root = new RootCommand("Fuzzes ClipGen's parsers with damaged files.") { inputs, parser, seed, threads, findings };
root.SetAction(parsed =>
{
    var all = Target.All();
    var targets = parsed.GetValue(parser) is { } name ? all.Where(target => target.Name == name).ToList() : all;
    if (targets.Count == 0)
    {
        Console.Error.WriteLine($"--parser {parsed.GetValue(parser)}: expected {string.Join(", ", all.Select(target => target.Name))}");
        return 2;
    }
    Console.WriteLine("parser       seeds      inputs        read     refused  answers   slowest    most memory  findings");
    var together = parsed.GetValue(threads) is var given && given > 0 ? given : Environment.ProcessorCount;
    // Each campaign is a function of the seed alone, whatever runs beside it.
    var results = targets.AsParallel().AsOrdered().WithDegreeOfParallelism(together).WithMergeOptions(ParallelMergeOptions.NotBuffered)
        .Select(target => new Campaign(target, parsed.GetValue(seed), parsed.GetValue(findings)!).Run(parsed.GetValue(inputs) / targets.Count, Console.WriteLine)).ToList();
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{results.Sum(result => result.Inputs):N0} inputs, {results.Sum(result => result.Findings)} findings"));
    // A campaign of which one side was hardly seen proves little.
    return results.Any(result => result.Findings > 0 || result.Read == 0 || result.Refused == 0) ? 1 : 0;
});
return root.Parse(args).Invoke();
