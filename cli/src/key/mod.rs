//! `doorward key`: API keys without a cluster.

mod edit;
pub(crate) mod new;
mod revoke;
pub(crate) mod show;

use clap::Subcommand;

use crate::failure::{Exit, Failure};

const EXAMPLES: &str = "\
Examples:
  doorward key new mobile-app --role orders-reader >> ./manifests/keys.yaml
  doorward key show - -f ./manifests          which key is this, and is it good?
  doorward key revoke mobile-app -f ./manifests --write";

/// `doorward key`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key: its text on standard error, its manifests on standard output
    New(new::Args),
    /// Say what a key is, and with manifests whose it is
    Show(show::Args),
    /// Suspend a key in its manifest
    Revoke(revoke::Args),
}

/// Does what was asked.
///
/// # Errors
/// As each command says.
pub(crate) fn run(args: Args, quiet: bool) -> Result<Exit, Failure> {
    match args.command {
        Command::New(args) => new::run(&args, quiet),
        Command::Show(args) => show::run(args, quiet),
        Command::Revoke(args) => revoke::run(args, quiet),
    }
}
