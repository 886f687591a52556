//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::plan::Cell;

/// Measures what a call costs: CPU per request beside nginx and a bare relay, as ratios.
///
///   make bench                                     all cells, about four minutes
///   make bench ARGS='--only Bkey,Jwt'              some of them
///   make bench ARGS='--repeats 15 --seconds 5'     narrower spread
///   target/release/doorward-bench -o json          for a script
#[derive(Parser)]
#[command(name = "doorward-bench", verbatim_doc_comment, args_conflicts_with_subcommands = true)]
struct Line {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    settings: Settings,
}

/// What to measure, how long and how to say it.
#[derive(clap::Args)]
pub(crate) struct Settings {
    /// Only these cells.
    #[arg(long, value_name = "CELL", value_delimiter = ',', ignore_case = true)]
    pub(crate) only: Vec<Cell>,
    /// How often each figure is taken, in turns.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) repeats: u32,
    /// How long each figure is taken.
    #[arg(long, value_name = "S", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
    /// How results are printed.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    /// The gateway's program; omitted is the `doorward` beside this program.
    #[arg(long, value_name = "PATH")]
    pub(crate) doorward: Option<PathBuf>,
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A table.
    Text,
    /// One JSON object.
    Json,
}

#[derive(Subcommand)]
enum Other {
    /// Be the bare relay.
    #[command(hide = true)]
    Relay { listen: SocketAddr, backend: SocketAddr },
}

/// What this process is to do.
pub(crate) enum Task {
    /// Be the bare relay between two addresses.
    Relay { listen: SocketAddr, backend: SocketAddr },
    /// Measure.
    Measure(Settings),
}

/// Reads the command line; ends the process on a wrong one, as clap does.
pub(crate) fn read() -> Task {
    let line = Line::parse();
    match line.other {
        Some(Other::Relay { listen, backend }) => Task::Relay { listen, backend },
        None => Task::Measure(line.settings),
    }
}
