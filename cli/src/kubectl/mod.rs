//! `kubectl doorward`: Doorward in a cluster. The same program under the name `kubectl-doorward`, or `doorward kubectl`.

mod check;
mod cluster;
mod completion;
mod explain;
mod key;
mod objects;
mod pods;
mod routes;
mod status;
mod table;

use std::ffi::OsString;
use std::io;
use std::path::Path;

use clap::builder::BoolishValueParser;
use clap::{Parser, Subcommand, ValueEnum};
use serde_json::Value;

use crate::failure::{Exit, Failure};
use crate::terminal::{print, print_json, style};
use observe::printable::Style;

const EXAMPLES: &str = "\
Examples:
  kubectl doorward status                            is everything served, and if not why
  kubectl doorward routes -A                         every route: hosts, path, versions, state
  kubectl doorward explain --request 'GET /orders'   what a call would get, from a running data plane
  kubectl doorward explain --decision ID             what happened to a call
  kubectl doorward check ./manifests                 what these manifests would mean in this cluster
  kubectl doorward key new mobile-app                a new key";

/// What can be typed behind `kubectl doorward`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say how Doorward is in this cluster, and what needs attention
    Status(status::Args),
    /// List the routes
    Routes(routes::Args),
    /// Say what a call would get or got, from the data planes that serve
    Explain(Box<explain::Args>),
    /// Say what manifests would mean in this cluster
    Check(check::Args),
    /// Make, look up, revoke and rotate API keys
    Key(key::Args),
}

/// The program under its other name.
#[derive(Debug, Parser)]
#[command(name = "kubectl-doorward", bin_name = "kubectl doorward", version, max_term_width = 100, propagate_version = true)]
struct Plugin {
    #[command(flatten)]
    args: Args,
    /// Print only what was asked for, and errors
    #[arg(short, long, global = true, env = "DOORWARD_QUIET", value_parser = BoolishValueParser::new(), hide_env = true)]
    quiet: bool,
}

/// How things are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Text,
    /// One JSON object
    Json,
    /// One YAML document
    Yaml,
}

/// Does what was asked, where this program was called by the name of a plugin of kubectl; otherwise nothing.
pub(crate) fn as_plugin(mut words: impl Iterator<Item = OsString>) -> Option<Result<Exit, Failure>> {
    let called = words.next()?;
    let called = Path::new(&called).file_stem()?.to_str()?.to_owned();
    match called.as_str() {
        "kubectl-doorward" => {
            let plugin = Plugin::parse_from(std::iter::once(called.into()).chain(words));
            Some(run(plugin.args, plugin.quiet))
        }
        // kubectl asks a program of this name what may come next.
        "kubectl_complete-doorward" => {
            let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
            Some(print(&completion::candidates(&words)).map(|()| Exit::Fine))
        }
        _ => None,
    }
}

/// Does what was asked.
///
/// # Errors
/// As each command says.
pub(crate) fn run(args: Args, quiet: bool) -> Result<Exit, Failure> {
    match args.command {
        Command::Status(args) => crate::wait_for(status::run(&args)),
        Command::Routes(args) => crate::wait_for(routes::run(&args)),
        Command::Explain(args) => crate::wait_for(explain::run(&args)),
        Command::Check(args) => crate::wait_for(check::run(args, quiet)),
        Command::Key(args) => crate::wait_for(key::run(args, quiet)),
    }
}

/// Prints a document, or a text for people.
fn show(form: Form, document: impl FnOnce() -> Value, text: impl FnOnce(Style) -> String) -> Result<(), Failure> {
    match form {
        Form::Text => print(&text(style(&io::stdout()))),
        Form::Json => print_json(&document()),
        Form::Yaml => {
            let yaml = serde_saphyr::to_string(&document());
            print(&yaml.map_err(|error| Failure::found(format!("this cannot be written as YAML: {error}"), "-o json"))?)
        }
    }
}
