//! `doorward completion`: the completions of a shell.

use clap_complete::Shell;

use crate::failure::{Exit, Failure};
use crate::terminal::print;

const EXAMPLES: &str = "\
Examples:
  doorward completion bash > ~/.local/share/bash-completion/completions/doorward
  doorward completion zsh > \"${fpath[1]}/_doorward\"
  doorward completion fish > ~/.config/fish/completions/doorward.fish";

/// `doorward completion`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the completions of `command`.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn run(args: &Args, mut command: clap::Command) -> Result<Exit, Failure> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Fine)
}
