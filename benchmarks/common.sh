# What the scripts that write pages of results share: builds both programs and measures the machine. Sourced from the repository's root.
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
dotnet build -c Release src/ClipGen.Cli >&2
dotnet build -c Release benchmarks/ClipGen.Benchmarks >&2
clipgen=(dotnet src/ClipGen.Cli/bin/Release/net10.0/clipgen.dll)
tables=(dotnet benchmarks/ClipGen.Benchmarks/bin/Release/net10.0/ClipGen.Benchmarks.dll)
peaks=$("${clipgen[@]}" devices)

print_peaks() { # the machine, with its peaks before the runs and now, as a block of a page
    echo '```'
    echo "$peaks"
    "${clipgen[@]}" devices | tail -n +3 | sed 's/measured/measured after the runs/'
    echo '```'
}
