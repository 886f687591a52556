//! The Gateway API's conformance suite against Doorward: profile GATEWAY-HTTP, nothing left out.
//!
//! The features that are tried are those that the GatewayClass claims in its status, so that a claim and its proof
//! cannot part.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use xtask::progress::{Step, say};
use xtask::{Failure, places};

use crate::cluster::Cluster;
use crate::programs::CONFORMANCE;

/// The report of the last full run, committed.
const REPORT: &str = "e2e/conformance/report.yaml";
/// Longer than any run: one that is cut writes no report.
const LONGEST: &str = "-test.timeout=3h";

/// Runs the suite; `arguments` go to it, for example `-run-test=HTTPRouteSimpleSameNamespace`.
///
/// # Errors
/// It cannot be started, or the report cannot be written.
pub fn run(cluster: &Cluster, arguments: &[&str]) -> Result<ExitCode, Failure> {
    let report = places::root()?.join(REPORT);
    let log = places::built()?.join("conformance.log");
    let unfinished: PathBuf = places::built()?.join("conformance-report.yaml");
    drop(fs::remove_file(&unfinished));
    let mut command = cluster.command(&CONFORMANCE.path()?.to_string_lossy())?;
    command.args(["-test.run=^TestConformance$", "-test.v", LONGEST, "-gateway-class=doorward"]);
    command.args(["-conformance-profiles=GATEWAY-HTTP", "-organization=doorward", "-project=doorward"]);
    command.args(["-url=https://doorward.dev", "-contact=https://doorward.dev/contact"]);
    command.arg(format!("-version={}", env!("CARGO_PKG_VERSION"))).arg(format!("-report-output={}", unfinished.display()));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let lost = |error: std::io::Error| Failure::new(format!("the conformance suite cannot be run: {error}"));
    let mut step = Step::begin("conformance suite (GATEWAY-HTTP)");
    let mut child = command.spawn().map_err(lost)?;
    let mut file = File::create(&log).map_err(lost)?;
    let mut tally = Tally::default();
    if let Some(pipe) = child.stdout.take() {
        for line in BufReader::new(pipe).lines() {
            let line = line.map_err(lost)?;
            writeln!(file, "{line}").map_err(lost)?;
            tally.count(&line);
            // What passed is told at the end of all.
            step.tell(&format!("{} begun, now {}", tally.begun, tally.current));
        }
    }
    let status = child.wait().map_err(lost)?;
    // The suite skips what belongs to features that the class does not claim; its report counts those of claimed ones.
    step.end(&format!("{} passed, {} failed, {} of features not claimed", tally.passed, tally.failed.len(), tally.skipped));
    tally.failed.iter().for_each(|name| say(&format!("  failed: {name}\n")));
    say(&format!("  the whole output is in {}\n", log.display()));
    if !status.success() || tally.passed == 0 {
        return Ok(ExitCode::FAILURE);
    }
    // A part of the suite proves nothing of the whole.
    if arguments.is_empty() {
        let text = fs::read_to_string(&unfinished).map_err(lost)?;
        if fs::read_to_string(&report).is_ok_and(|known| undated(&known).eq(undated(&text))) {
            say(&format!("  {REPORT} says the same\n"));
        } else {
            fs::create_dir_all(report.parent().unwrap_or(&report)).and_then(|()| fs::write(&report, text)).map_err(lost)?;
            say(&format!("  {REPORT} is new: commit it\n"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What a report says, whenever it was written.
fn undated(report: &str) -> impl Iterator<Item = &str> {
    report.lines().filter(|line| !line.starts_with("date:"))
}

/// The suite's tests by outcome.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    begun: usize,
    passed: usize,
    failed: Vec<String>,
    skipped: usize,
    current: String,
}

impl Tally {
    /// Counts a line of `go test -v`; only the suite's own tests, one level down, not their steps.
    fn count(&mut self, line: &str) {
        let line = line.trim_start();
        let suite = |rest: &str| {
            let name = rest.split_whitespace().next()?.strip_prefix("TestConformance/")?;
            (!name.contains('/')).then(|| name.to_owned())
        };
        if let Some(name) = line.strip_prefix("=== RUN ").and_then(suite) {
            self.begun += 1;
            self.current = name;
        } else if line.strip_prefix("--- PASS: ").and_then(suite).is_some() {
            self.passed += 1;
        } else if let Some(name) = line.strip_prefix("--- FAIL: ").and_then(suite) {
            self.failed.push(name);
        } else if line.strip_prefix("--- SKIP: ").and_then(suite).is_some() {
            self.skipped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_another_day_says_the_same() {
        let check = |one: &str, other: &str, expected: bool| assert_eq!(undated(one).eq(undated(other)), expected, "{other}");
        check("a: 1\ndate: today\nb: 2\n", "a: 1\ndate: tomorrow\nb: 2\n", true);
        check("a: 1\ndate: today\nb: 2\n", "a: 1\ndate: today\nb: 3\n", false);
    }

    #[test]
    fn only_whole_tests_of_the_suite_count() {
        let mut tally = Tally::default();
        for line in [
            "=== RUN   TestConformance",
            "=== RUN   TestConformance/HTTPRouteA",
            "=== RUN   TestConformance/HTTPRouteA/0_request",
            "    --- PASS: TestConformance/HTTPRouteA (1.00s)",
            "        --- PASS: TestConformance/HTTPRouteA/0_request (1.00s)",
            "    --- FAIL: TestConformance/HTTPRouteB (1.00s)",
            "        --- FAIL: TestConformance/HTTPRouteB/0_request (1.00s)",
            "    --- SKIP: TestConformance/GRPCRouteC (0.00s)",
            "--- FAIL: TestConformance (9.00s)",
        ] {
            tally.count(line);
        }
        let expected =
            Tally { begun: 1, passed: 1, failed: vec!["HTTPRouteB".to_owned()], skipped: 1, current: "HTTPRouteA".to_owned() };
        assert_eq!(tally, expected);
    }
}
