using System.CommandLine;
using ClipGen.Benchmarks;

var folder = new Argument<string>("folder") { Description = "Where to write" };
var files = new Command("files", "Writes clip_vit_b32.pt, vqgan_coco.pt and gpt_coco.pt as the release has them (names, shapes, containers), with computed weights: 2.3 GB") { folder };
files.SetAction(parsed => ReleasedFiles.Write(parsed.GetRequiredValue(folder), Console.Error));

var filter = new Argument<string>("filter") { Description = "Part of a case's name", DefaultValueFactory = _ => "" };
var threads = new Option<int>("--threads") { Description = "Threads; 0 for all processors" };
var repeat = new Option<int>("--repeat") { Description = "Runs that count", DefaultValueFactory = _ => 7 };
var json = new Option<bool>("--json") { Description = "One line of JSON per case and instruction set" };
var ops = new Command("ops", "Times the large op cases of tests/ClipGen.OpCases at every instruction set, against the machine's measured peaks") { filter, threads, repeat, json };
ops.SetAction(parsed => OpLadder.Run(parsed.GetRequiredValue(filter), parsed.GetValue(threads), parsed.GetValue(repeat), parsed.GetValue(json), Console.Out));

var file = new Argument<string>("file") { Description = "Output of `clipgen bench --json`" };
var table = new Command("table", "Prints JSON lines of `clipgen bench --json` as a Markdown table") { file };
table.SetAction(parsed => ResultTable.Print(parsed.GetRequiredValue(file), Console.Out));

var results = new Argument<string>("results") { Description = "Output of `ops --json`" };
var kernels = new Option<string>("--kernels") { Description = "Folder of the kernels", DefaultValueFactory = _ => Path.Combine("kernels", "ClipGen.Kernels") };
var handbook = new Command("handbook", "Prints the index of the ops' notes with the figures of a ladder: docs/kernels.md") { results, kernels };
handbook.SetAction(parsed => Handbook.Print(parsed.GetRequiredValue(kernels), parsed.GetRequiredValue(results), Console.Out));

return new RootCommand("ClipGen's benchmarks; whole models are timed by `clipgen bench`") { files, ops, handbook, table }.Parse(args).Invoke();
