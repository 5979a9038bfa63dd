using System.CommandLine;
using ClipGen.Benchmarks;

var folder = new Argument<string>("folder") { Description = "Where to write" };
var files = new Command("files", "Writes clip_vit_b32.pt, vqgan_coco.pt and gpt_coco.pt as the release has them (names, shapes, containers), with computed weights: 2.3 GB") { folder };
files.SetAction(parsed => ReleasedFiles.Write(parsed.GetRequiredValue(folder), Console.Error));

var file = new Argument<string>("file") { Description = "Output of `clipgen bench --json`" };
var table = new Command("table", "Prints JSON lines of `clipgen bench --json` as a Markdown table") { file };
table.SetAction(parsed => ResultTable.Print(parsed.GetRequiredValue(file), Console.Out));

var own = new Argument<string>("own") { Description = "Rounds of `clipgen bench --json`" };
var peer = new Argument<string>("peer") { Description = "The same rounds of another program" };
var beside = new Command("beside", "Prints ClipGen's figures beside those of another program that was run in turn, as benchmarks/beside.sh does") { own, peer };
beside.SetAction(parsed => PeerTable.Print(parsed.GetRequiredValue(own), parsed.GetRequiredValue(peer), [], Console.Out));

var models = new Argument<string>("models") { Description = "Folder that `files` wrote" };
var reading = new Command("reading", "Times how checkpoints, pictures and records are read, beside plain reads of their bytes") { models };
reading.SetAction(parsed => ReadingSpeed.Run(parsed.GetRequiredValue(models), Console.Out));

var documents = new Argument<string[]>("documents") { Description = "Markdown files", Arity = ArgumentArity.OneOrMore };
var check = new Option<bool>("--check") { Description = "Change nothing; exit code 1 if a table is not that of its source" };
var figures = new Command("figures", "Makes the tables of documents anew from the results that they name") { documents, check };
figures.SetAction(parsed => FigureSections.Update(parsed.GetRequiredValue(documents), parsed.GetValue(check), Console.Out));

var results = new Argument<string>("results") { Description = "Output of `clipgen kernels bench --json`" };
var kernels = new Option<string>("--kernels") { Description = "Folder of the kernels", DefaultValueFactory = _ => Path.Combine("kernels", "ClipGen.Kernels") };
var handbook = new Command("handbook", "Prints the index of the ops' notes with the figures of a ladder: docs/kernels.md") { results, kernels };
handbook.SetAction(parsed => Handbook.Print(parsed.GetRequiredValue(kernels), parsed.GetRequiredValue(results), Console.Out));

return new RootCommand("ClipGen's benchmarks; whole models are timed by `clipgen bench`") { files, handbook, table, beside, figures, reading }.Parse(args).Invoke();
