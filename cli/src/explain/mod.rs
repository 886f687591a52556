//! `doorward explain`: what a call would get, or got, check by check.

pub(crate) mod request;
mod variables;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use cause::{FieldPath, ObjectRef};
use http::StatusCode;
use jiff::Timestamp;
use observe::decision::DecisionId;
use observe::report::{InFile, Report, Verdict};

use crate::address;
use crate::failure::{Exit, Failure};
use crate::management::{self, Answer};
use crate::output::Output;
use crate::paths;
use crate::status::other_version;
use crate::terminal::{print, print_json, style};

const EXAMPLES: &str = "\
Examples:
  doorward explain -f ./manifests --request 'POST /orders' -H 'X-Api-Key: dw_live_...'
  doorward explain -f ./manifests --request 'GET /orders' --at 2027-01-01T00:00:00Z --from 10.0.0.9
  doorward explain --request 'POST /chat' --body @call.json     ask the running gateway instead
  doorward explain --decision 01JD8Z6M4T0VC0BA                  what happened to a call that was made
  doorward explain --variables                                  what expressions in rules see

Exit codes: 0 the call is allowed, 1 it is refused, 2 wrong usage, 3 no gateway answers.";

/// `doorward explain`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["request", "decision", "variables"]))]
pub(crate) struct Args {
    /// Manifests to explain by; without them the running gateway is asked. May be repeated
    #[arg(short, long = "filename", value_name = "PATH", num_args = 1.., requires = "request")]
    filename: Vec<PathBuf>,
    #[command(flatten)]
    asked: request::Asked,
    /// The `Doorward-Decision` of a call that was answered
    #[arg(long, value_name = "ID")]
    decision: Option<String>,
    /// The management address of the gateway to ask
    #[arg(long, value_name = "ADDR", env = "DOORWARD_MANAGEMENT", default_value = management::ADDRESS, value_parser = address::parse)]
    management: SocketAddr,
    /// List the variables that expressions see
    #[arg(long)]
    variables: bool,
    /// How it is printed
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Output,
}

/// Prints the explanation; exits with 1 where the call is refused.
///
/// # Errors
/// A path or the body cannot be read, or no gateway answers.
pub(crate) fn run(args: Args, quiet: bool) -> Result<Exit, Failure> {
    if args.variables {
        variables::print_all(args.output)?;
        return Ok(Exit::Fine);
    }
    let report = match (&args.decision, &args.asked.request) {
        (Some(id), _) => crate::wait_for(decided(&args, id))?,
        (None, Some(line)) => {
            let described = args.asked.described(line)?;
            if args.filename.is_empty() {
                crate::wait_for(asked(&args, described))?
            } else {
                offline(args.filename.clone(), &described, quiet)?
            }
        }
        (None, None) => return Err(Failure::usage("nothing to explain", "doorward explain --help")),
    };
    match args.output {
        Output::Text => print(&report.text(style(&io::stdout()), Timestamp::now()))?,
        Output::Json => print_json(&serde_json::to_value(&report).unwrap_or_default())?,
    }
    Ok(exit_of(&report))
}

/// Whether the call is allowed, for scripts.
pub(crate) const fn exit_of(report: &Report) -> Exit {
    match report.verdict {
        Verdict::Allowed => Exit::Fine,
        Verdict::Refused => Exit::Found,
    }
}

/// By manifests, without a gateway.
fn offline(filename: Vec<PathBuf>, described: &dataplane::Described, quiet: bool) -> Result<Report, Failure> {
    let now = described.at.unwrap_or_else(Timestamp::now);
    let (outcome, session) = paths::read_once(filename, now, quiet)?;
    let find = |object: &ObjectRef, field: &FieldPath| {
        let (file, place) = session.place_of(object, field)?;
        Some(InFile { file: file.to_string(), line: place.line, column: place.column })
    };
    dataplane::explain_offline(&outcome.snapshot, described, now, &find)
        .ok_or_else(|| Failure::found("the request cannot be tried: the event loop cannot start", ""))
}

/// By the gateway that runs.
async fn asked(args: &Args, described: dataplane::Described) -> Result<Report, Failure> {
    let document = serde_json::to_value(&described).unwrap_or_default();
    let answer = management::post(address::reachable(args.management), "/explain", &document).await?;
    if answer.status != StatusCode::OK {
        return Err(Failure::unreachable(format!("the gateway refuses: {}", answer.detail()), ""));
    }
    read(args, answer)
}

/// A call that was made.
async fn decided(args: &Args, id: &str) -> Result<Report, Failure> {
    let Some(id) = DecisionId::parse(id) else {
        return Err(Failure::usage(
            "the decision id has another form: it is the 16 letters and digits of the header `Doorward-Decision`",
            "curl -i the call again and copy that header",
        ));
    };
    let answer = management::get(address::reachable(args.management), &format!("/decisions/{id}")).await?;
    match answer.status {
        StatusCode::OK => read(args, answer),
        StatusCode::NOT_FOUND => Err(Failure::found(
            format!("no call with the decision {id} is kept at {}: {}", args.management, answer.detail()),
            "make the call again, or describe it: doorward explain --request 'METHOD PATH'",
        )),
        _ => Err(Failure::unreachable(format!("the gateway refuses: {}", answer.detail()), "")),
    }
}

fn read(args: &Args, answer: Answer) -> Result<Report, Failure> {
    serde_json::from_value(answer.document).map_err(|_| other_version(args.management))
}
