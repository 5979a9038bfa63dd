using System.CommandLine;
using ClipGen.Benchmarks;

var folder = new Argument<string>("folder") { Description = "Where to write" };
var files = new Command("files", "Writes clip_vit_b32.pt, vqgan_coco.pt and gpt_coco.pt as the release has them (names, shapes, containers), with computed weights: 2.3 GB") { folder };
files.SetAction(parsed => ReleasedFiles.Write(parsed.GetRequiredValue(folder), Console.Error));

var filter = new Argument<string>("filter") { Description = "Part of a case's name", DefaultValueFactory = _ => "" };
var threads = new Option<int>("--threads") { Description = "Threads; 0 for all processors" };
var repeat = new Option<int>("--repeat") { Description = "Runs that count", DefaultValueFactory = _ => 7 };
var ops = new Command("ops", "Times the large op cases of tests/ClipGen.OpCases at every instruction set, against the machine's measured peaks") { filter, threads, repeat };
ops.SetAction(parsed => OpLadder.Run(parsed.GetRequiredValue(filter), parsed.GetValue(threads), parsed.GetValue(repeat), Console.Out));

var file = new Argument<string>("file") { Description = "Output of `clipgen bench --json`" };
var table = new Command("table", "Prints JSON lines of `clipgen bench --json` as a Markdown table") { file };
table.SetAction(parsed => ResultTable.Print(parsed.GetRequiredValue(file), Console.Out));

return new RootCommand("ClipGen's benchmarks; whole models are timed by `clipgen bench`") { files, ops, table }.Parse(args).Invoke();
