//! `doorward-e2e ENTRY`: the clusters of the menu's entries `cluster`, `e2e`, `conformance` and `bench-cluster`.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use e2e::cases::{self, World};
use e2e::cluster::{Cluster, environment};
use e2e::node::node;
use e2e::place::Place;
use e2e::programs::{CONFORMANCE, TESTS};
use e2e::{bench, conformance, doorward, port};
use xtask::Failure;
use xtask::progress::{aside, say};

const USAGE: &str = "\
cluster                           start a cluster with Doorward and the quickstart in it, and print lines to try
cluster up [--name NAME]          start a bare cluster (name: dev)
cluster down [--name NAME]        end it, and leave nothing of it
cluster shell [--name NAME] [COMMAND...]
                                  a shell, or one command, in its network
cluster env [--name NAME]         print lines for `eval`: kubectl, helm, ctr and `inside` for it
cluster import [--name NAME] ARCHIVE
                                  give an image to its node
cluster install [--name NAME] ARCHIVE
                                  give an image to its node, and install Doorward by its charts
programs                          build what tests need that run without a cluster
e2e [--name NAME] [WORD...]       the tests whose names hold a word, on a cluster of their own or on a running one
conformance [--name NAME] [ARGUMENT...]
                                  the Gateway API's conformance suite, likewise; arguments go to it
bench-cluster [--name NAME] [ARGUMENT...]
                                  how soon changes serve among many routes, and what that takes, likewise

With DOORWARD_KUBECONFIG and DOORWARD_IMAGE (a reference), the last three run on that cluster instead.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    aside(&arguments);
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
        ["hold", address] => port::hold(address)?,
        ["node", folder] => node(&Place::at(Path::new(folder))?)?,
        ["cases", folder, rest @ ..] => {
            let cluster = Cluster::inside(Place::at(Path::new(folder))?);
            return cases::run(&World::find(cluster)?, rest);
        }
        ["bench", folder, rest @ ..] => return bench::run(&Cluster::inside(Place::at(Path::new(folder))?), rest),
        ["cluster"] => newcomer()?,
        ["cluster", rest @ ..] => return cluster(rest),
        ["programs"] => TESTS.iter().try_for_each(|program| program.build().map(drop))?,
        ["e2e", rest @ ..] => return tried(rest, e2e),
        ["conformance", rest @ ..] => {
            CONFORMANCE.build()?;
            return tried(rest, conformance::run);
        }
        ["bench-cluster", rest @ ..] => return tried(rest, measured),
        _ => return Err(Failure::usage(USAGE)),
    }
    Ok(ExitCode::SUCCESS)
}

/// `--name NAME` before all else, if it is there.
fn named<'a>(words: &'a [&'a str]) -> (Option<&'a str>, &'a [&'a str]) {
    match words {
        ["--name", name, rest @ ..] => (Some(name), rest),
        rest => (None, rest),
    }
}

/// Does something on a cluster with Doorward in it: the one of the variables, a running one, or one for this alone.
fn tried(words: &[&str], what: impl Fn(&Cluster, &[&str]) -> Result<ExitCode, Failure>) -> Result<ExitCode, Failure> {
    let (name, rest) = named(words);
    if let (Some(kubeconfig), Ok(image)) = (std::env::var_os("DOORWARD_KUBECONFIG"), std::env::var("DOORWARD_IMAGE")) {
        let cluster = Cluster::existing(&PathBuf::from(kubeconfig), &image);
        doorward::install(&cluster, None)?;
        return what(&cluster, rest);
    }
    if let Some(name) = name {
        return what(&Cluster::named(name)?, rest);
    }
    let archive = xtask::image::build()?;
    let cluster = Cluster::start(&format!("e2e-{}", std::process::id()))?;
    let result = doorward::install(&cluster, Some(&archive)).and_then(|()| what(&cluster, rest));
    cluster.stop()?;
    result
}

/// The tests; on a cluster of ours by a process inside of its network.
fn e2e(cluster: &Cluster, words: &[&str]) -> Result<ExitCode, Failure> {
    match cluster.place() {
        Some(place) => inside(cluster, "cases", place, words),
        None => cases::run(&World::find(cluster.clone())?, words),
    }
}

/// The measuring, likewise.
fn measured(cluster: &Cluster, words: &[&str]) -> Result<ExitCode, Failure> {
    match cluster.place() {
        Some(place) => inside(cluster, "bench", place, words),
        None => bench::run(cluster, words),
    }
}

/// An entry of this program by a process in the network of a cluster of ours.
fn inside(cluster: &Cluster, entry: &str, place: &Place, words: &[&str]) -> Result<ExitCode, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::new(format!("this program cannot find itself: {error}")))?;
    let mut command = cluster.command(&program.to_string_lossy())?;
    command.arg(entry).arg(place.folder()).args(words);
    let status = command.status().map_err(|error| Failure::new(format!("`{entry}` cannot be started: {error}")))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything for somebody who has no cluster and has never seen Doorward.
fn newcomer() -> Result<(), Failure> {
    let archive = xtask::image::build()?;
    let cluster = Cluster::start("dev")?;
    cluster.add_plugin()?;
    doorward::install(&cluster, Some(&archive))?;
    doorward::quickstart(&cluster)?;
    let address = doorward::address(&cluster, doorward::NAMESPACE, doorward::NAME)?;
    say(&format!(
        "
  A shell in the cluster's network, with kubectl and helm:
    make cluster ARGS=shell

  Try there:
    kubectl get gateways,apiroutes,apikeys -A
    KEY=$(kubectl get secret mobile-app-key -n shop -o go-template='{{{{.data.key | base64decode}}}}')
    curl -i -H \"X-Api-Key: $KEY\" http://{address}/orders
    curl -i http://{address}/orders              # refused, and why
    kubectl doorward status                      # is everything served, and if not why
    kubectl doorward explain --request 'GET /orders' -H \"X-Api-Key: $KEY\"
    kubectl describe apiroute orders -n shop

  The end: make cluster ARGS=down
"
    ));
    Ok(())
}

fn cluster(words: &[&str]) -> Result<ExitCode, Failure> {
    let (entry, rest) = words.split_first().ok_or_else(|| Failure::usage(USAGE))?;
    let (name, rest) = named(rest);
    let name = name.unwrap_or("dev");
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
        ("install", [archive]) => doorward::install(&Cluster::named(name)?, Some(Path::new(archive)))?,
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
