//! `doorward check`: what is wrong with manifests, and where.

use std::io;
use std::path::PathBuf;

use cause::Severity;
use clap::ValueEnum;
use files::Session;
use jiff::Timestamp;
use manifest::Report;
use translate::Assumption;

use crate::failure::{Exit, Failure};
use crate::paths;
use crate::terminal::{self, print, print_json};

const EXAMPLES: &str = "\
Examples:
  doorward check ./manifests                               for people
  doorward check -o sarif ./manifests > findings.sarif     for the pages of a pull request
  helm template ./chart | doorward check -                 what another tool writes
  doorward check ./manifests --assume Secret/shop/orders   what the cluster has besides
  doorward check ./manifests --at 2027-01-01T00:00:00Z     with what will have expired by then";

/// `doorward check`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(crate) struct Args {
    /// Files, folders, or `-` for standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// How findings are printed
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
    /// Take it that this exists elsewhere; may be repeated
    #[arg(long, value_name = "KIND[/[NAMESPACE/]NAME]", value_parser = assumption)]
    assume: Vec<Assumption>,
    /// Check as if it were this time
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Text,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, as code reviews show it
    Sarif,
}

/// Reads `KIND`, `KIND/NAME` or `KIND/NAMESPACE/NAME`.
fn assumption(text: &str) -> Result<Assumption, String> {
    let (kind, name) = text.split_once('/').map_or((text, None), |(kind, name)| (kind, Some(name)));
    let kinds = crds::definition::kinds();
    let Some(known) = kinds.iter().find(|known| known.kind.eq_ignore_ascii_case(kind)) else {
        let mut known: Vec<&str> = kinds.iter().map(|known| known.kind).collect();
        known.sort_unstable();
        known.dedup();
        return Err(format!("`{kind}` is not a kind that manifests refer to; there are {}", known.join(", ")));
    };
    if name.is_some_and(|name| name.is_empty() || name.split('/').count() > 2 || name.split('/').any(str::is_empty)) {
        return Err(format!("expected a name or namespace/name behind `{kind}/`"));
    }
    Ok(Assumption { kind: known.kind.into(), name: name.map(Into::into), but: None })
}

/// Prints what is wrong; exits with 1 where something is an error.
///
/// # Errors
/// Standard input or output fails.
pub(crate) fn run(args: &Args, quiet: bool) -> Result<Exit, Failure> {
    let now = args.at.unwrap_or_else(Timestamp::now);
    let input = paths::input(args.paths.clone())?;
    let outcome = Session::new(input, paths::context(now, args.assume.clone())).reload(now);
    let report = outcome.report;
    let exit = if report.summary().errors > 0 { Exit::Found } else { Exit::Fine };
    match args.output {
        Form::Text => print(&text(&report, exit, quiet))?,
        Form::Json => print_json(&report.to_json())?,
        Form::Sarif => print_json(&report.to_sarif(&outcome.snapshot.settings.docs, env!("CARGO_PKG_VERSION")))?,
    }
    Ok(exit)
}

/// Findings and counts; when quiet, errors alone.
fn text(report: &Report, exit: Exit, quiet: bool) -> String {
    let colour = terminal::colour(&io::stdout());
    if quiet {
        let errors = report.findings().iter().filter(|finding| finding.fault.severity == Severity::Error).cloned().collect();
        return Report::new(&[], errors).to_text(colour);
    }
    let mut text = report.to_text(colour);
    if !text.is_empty() {
        text.push('\n');
    }
    text + &summary(&report.summary().to_text(), exit)
}

/// The last line: the counts, and at the end of the line the exit code.
pub(crate) fn summary(counts: &str, exit: Exit) -> String {
    let exit = format!("exit {}", exit.code());
    let gap = terminal::WIDTH.saturating_sub(counts.len() + exit.len()).max(3);
    format!("{counts}{:gap$}{exit}\n", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assumptions_name_a_kind_and_perhaps_an_object() {
        let check = |text: &str, expected: Option<(&str, Option<&str>)>| {
            let found = assumption(text).ok();
            let found = found.as_ref().map(|found| (&*found.kind, found.name.as_deref()));
            assert_eq!(found, expected, "{text}");
        };
        check("Secret", Some(("Secret", None)));
        check("secret/orders", Some(("Secret", Some("orders"))));
        check("Service/shop/orders", Some(("Service", Some("shop/orders"))));
        check("Pod/a", None);
        check("Secret/", None);
        check("Secret/a/", None);
        check("Secret/a/b/c", None);
    }

    #[test]
    fn the_last_line_ends_where_the_screen_does() {
        let line = summary("1 error, 0 warnings in 4 objects (2 files)", Exit::Found);
        assert_eq!(line.trim_end().len(), terminal::WIDTH);
        assert!(line.ends_with("   exit 1\n"));
    }
}
