//! `test`: the one gate; `check`: its quick first half.

use std::io::{BufRead, BufReader};
use std::process::{ExitCode, Stdio};

use crate::places::cargo;
use crate::progress::{Step, quiet, say};
use crate::tally::Tally;
use crate::{Failure, cluster, tools};

/// Format and lints.
pub(crate) fn check() -> Result<ExitCode, Failure> {
    quiet("format", cargo(&["fmt", "--all", "--check"])?, "")?;
    let lints = ["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    quiet("lints", cargo(&lints)?, "")?;
    Ok(ExitCode::SUCCESS)
}

/// What the tests need, the checks, then every test; `filter` goes to cargo test.
pub(crate) fn test(filter: &[String]) -> Result<ExitCode, Failure> {
    tools::install(&[tools::CURL, tools::PYTHON])?;
    tools::install_python_packages()?;
    cluster::programs()?;
    check()?;
    // Apart from the tests, so that its progress shows and the tests' own output stays whole.
    quiet("building the tests", cargo(&["test", "--locked", "--workspace", "--no-run"])?, "")?;
    run_tests(filter)
}

fn run_tests(filter: &[String]) -> Result<ExitCode, Failure> {
    let step = Step::begin("tests");
    say("\n");
    let mut command = cargo(&["test", "--locked", "--workspace", "--no-fail-fast"])?;
    command.args(filter).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| Failure::new(format!("cargo test cannot be started: {error}")))?;
    let mut tally = Tally::default();
    if let Some(pipe) = child.stdout.take() {
        for line in BufReader::new(pipe).split(b'\n') {
            let line = line.map_err(|error| Failure::new(format!("the output of cargo test is cut: {error}")))?;
            let line = String::from_utf8_lossy(&line);
            tally.count(&line);
            say(&line);
            say("\n");
        }
    }
    let status = child.wait().map_err(|error| Failure::new(format!("cargo test was lost: {error}")))?;
    step.end(&tally.to_string());
    if status.success() { Ok(ExitCode::SUCCESS) } else { Err(Failure::new("some tests failed: their names are above")) }
}
