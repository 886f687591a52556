//! `doorward status`: how a running gateway is.

use std::io;
use std::net::SocketAddr;

use http::StatusCode;
use observe::status::Status;

use crate::address;
use crate::failure::{Exit, Failure};
use crate::management;
use crate::output::Output;
use crate::terminal::{print, print_json, style};

const EXAMPLES: &str = "\
Examples:
  doorward status                                  the gateway on this machine
  doorward status --management 127.0.0.1:19090     another one
  doorward status -o json | jq .last_hour          for scripts";

/// `doorward status`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(crate) struct Args {
    /// The management address of the gateway
    #[arg(long, value_name = "ADDR", env = "DOORWARD_MANAGEMENT", default_value = management::ADDRESS, value_parser = address::parse)]
    management: SocketAddr,
    /// How it is printed
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Output,
}

/// Prints the status.
///
/// # Errors
/// No gateway answers.
pub(crate) async fn run(args: &Args) -> Result<Exit, Failure> {
    let answer = management::get(address::reachable(args.management), "/status").await?;
    let status = serde_json::from_value::<Status>(answer.document.clone());
    match (answer.status, status) {
        (StatusCode::OK, Ok(status)) => match args.output {
            Output::Text => print(&status.text(style(&io::stdout())))?,
            Output::Json => print_json(&answer.document)?,
        },
        (StatusCode::OK, Err(_)) => return Err(other_version(args.management)),
        (_, _) => return Err(Failure::unreachable(format!("the gateway refuses: {}", answer.detail()), "")),
    }
    Ok(Exit::Fine)
}

/// The gateway's documents have another form than ours.
pub(crate) fn other_version(address: SocketAddr) -> Failure {
    Failure::unreachable(
        format!("the gateway at {address} is of another version than this program"),
        "compare `doorward --version` on both sides, or ask with `-o json`",
    )
}
