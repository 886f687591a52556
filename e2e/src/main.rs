//! `doorward-e2e ENTRY`: the clusters of the menu's entries `cluster`, `e2e` and `conformance`.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use e2e::cluster::{Cluster, environment};
use e2e::node::node;
use e2e::place::Place;
use xtask::Failure;
use xtask::progress::say;

const USAGE: &str = "\
cluster up [--name NAME]          start a bare cluster (name: dev)
cluster down [--name NAME]        end it, and leave nothing of it
cluster shell [--name NAME] [COMMAND...]
                                  a shell, or one command, in its network
cluster env [--name NAME]         print lines for `eval`: kubectl, helm, ctr and `inside` for it
cluster import [--name NAME] ARCHIVE
                                  give an image to its node
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match start(&words) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            failure.code()
        }
    }
}

fn start(words: &[&str]) -> Result<ExitCode, Failure> {
    match words {
        ["node", folder] => node(&Place::at(Path::new(folder))?)?,
        ["cluster", rest @ ..] => return cluster(rest),
        _ => return Err(Failure::usage(USAGE)),
    }
    Ok(ExitCode::SUCCESS)
}

fn cluster(words: &[&str]) -> Result<ExitCode, Failure> {
    let (entry, rest) = words.split_first().ok_or_else(|| Failure::usage(USAGE))?;
    let (name, rest) = match rest {
        ["--name", name, rest @ ..] => (*name, rest),
        rest => ("dev", rest),
    };
    match (*entry, rest) {
        ("up", []) => {
            Cluster::start(name)?;
            say(&format!(
                "\n  eval \"$(cargo xtask cluster env --name {name})\"   puts its kubectl, helm and inside on the PATH\n"
            ));
        }
        ("down", []) => Place::named(name)?.remove()?,
        ("env", []) => {
            let cluster = Cluster::named(name)?;
            if let Some(place) = cluster.place() {
                say(&format!("export PATH='{}':\"$PATH\"\n", place.path("bin").display()));
                for (name, value) in environment(place).filter(|(name, _)| *name == "KUBECONFIG") {
                    say(&format!("export {name}='{value}'\n"));
                }
            }
        }
        ("import", [archive]) => Cluster::named(name)?.import(Path::new(archive))?,
        ("shell", rest) => return Err(become_shell(&Cluster::named(name)?, rest)),
        _ => return Err(Failure::usage(USAGE)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Becomes a shell or a command inside; returns only if that is not possible.
fn become_shell(cluster: &Cluster, words: &[&str]) -> Failure {
    let shell = std::env::var("SHELL").unwrap_or_else(|_| "/bin/sh".to_owned());
    let (program, arguments) = words.split_first().map_or((shell.as_str(), &[][..]), |(first, rest)| (*first, rest));
    let enter = |mut command: Command| Failure::new(format!("{program} cannot be started: {}", command.args(arguments).exec()));
    cluster.command(program).map_or_else(|failure| failure, enter)
}
