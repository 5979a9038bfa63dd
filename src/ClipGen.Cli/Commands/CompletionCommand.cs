using System.CommandLine;

namespace ClipGen.Cli.Commands;

/// <summary><c>completion</c>: makes a shell complete commands and options.</summary>
internal sealed class CompletionCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly Argument<string> shell = new("SHELL") { Description = "bash, zsh, fish or pwsh" };

    public override Command Create()
    {
        var command = Command("completion", "Prints a script with which a shell completes clipgen's commands and options. The program itself answers what could come next, so that the script need not change with it.", Run,
            "clipgen completion bash >> ~/.bashrc", "clipgen completion fish > ~/.config/fish/completions/clipgen.fish");
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish", "pwsh");
        command.Add(shell);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        // The library's directive [suggest:N] takes the line and the place of the cursor in it.
        Output.WriteLine(parsed.GetRequiredValue(shell) switch
        {
            "bash" => """
                _clipgen() {
                    local IFS=$'\n'
                    COMPREPLY=($(compgen -W "$(clipgen "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
                }
                complete -o default -F _clipgen clipgen
                """,
            "zsh" => """
                _clipgen() {
                    local found=("${(@f)$(clipgen "[suggest:$CURSOR]" "$BUFFER" 2>/dev/null)}")
                    compadd -- $found || _files
                }
                compdef _clipgen clipgen
                """,
            "fish" => """
                complete -c clipgen -a '(clipgen "[suggest:"(commandline -C)"]" (commandline) 2>/dev/null)'
                """,
            _ => """
                Register-ArgumentCompleter -Native -CommandName clipgen -ScriptBlock {
                    param($word, $line, $cursor)
                    clipgen "[suggest:$cursor]" "$line" | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
                }
                """,
        });
        return 0;
    }
}
