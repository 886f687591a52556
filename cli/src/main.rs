//! `doorward`: the one binary. Each command is a module; what they print is in [`terminal`].

mod address;
mod arguments;
mod check;
mod completion;
mod dataplane;
mod demo;
mod explain;
mod failure;
mod key;
mod kubectl;
mod management;
mod operator;
mod output;
mod paths;
mod run;
mod signals;
mod status;
mod terminal;
mod words;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use arguments::{Arguments, Command};
use failure::{Exit, Failure};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let done = kubectl::as_plugin(std::env::args_os()).unwrap_or_else(|| perform(Arguments::parse()));
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => {
            terminal::tell(&format!("error: {failure}\n"));
            failure.exit().into()
        }
    }
}

fn perform(arguments: Arguments) -> Result<Exit, Failure> {
    let quiet = arguments.quiet;
    match arguments.command {
        Command::Run(args) => wait_for(run::run(*args, quiet)),
        Command::Check(args) => check::run(&args, quiet),
        Command::Explain(args) => explain::run(*args, quiet),
        Command::Key(args) => key::run(args, quiet),
        Command::Kubectl(args) => kubectl::run(args, quiet),
        Command::Operator(args) => wait_for(operator::run(*args)),
        Command::Status(args) => wait_for(status::run(&args)),
        Command::Dataplane(args) => wait_for(dataplane::run(*args)),
        Command::Demo(args) => wait_for(demo::run(&args)),
        Command::Completion(args) => completion::run(&args, Arguments::command()),
    }
}

/// Runs a command that waits for sockets, on this thread.
fn wait_for<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::found(format!("the event loop cannot start: {}", words::of(&error)), ""))?;
    runtime.block_on(command)
}
