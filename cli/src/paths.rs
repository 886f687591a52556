//! The paths of manifests that a command was given.

use std::io::{self, Read as _};
use std::path::PathBuf;

use cause::{Fault, Severity};
use files::{Input, Outcome, Session};
use jiff::Timestamp;
use translate::{Assumption, Context};

use crate::failure::Failure;
use crate::terminal;
use crate::words;

/// Most bytes of standard input: what one file may have, and one more to see that there are more.
const STDIN_BYTES: u64 = (16 << 20) + 1;

/// The input that these paths are; `-` is read to its end.
///
/// # Errors
/// Standard input cannot be read.
pub(crate) fn input(paths: Vec<PathBuf>) -> Result<Input, Failure> {
    let mut input = Input::new(paths);
    if input.has_stdin() {
        let mut bytes = Vec::new();
        let read = io::stdin().lock().take(STDIN_BYTES).read_to_end(&mut bytes);
        read.map_err(|error| {
            Failure::usage(format!("standard input cannot be read: {}", words::of(&error)), "name a file instead of `-`")
        })?;
        input.stdin = bytes.into();
    }
    Ok(input)
}

/// How manifests of files are translated.
pub(crate) fn context(now: Timestamp, assume: Vec<Assumption>) -> Context {
    Context::of_files(now, assume)
}

/// The paths as a command line repeats them.
pub(crate) fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
}

/// Reads manifests once, for a command that is about something else than their faults: those are told in one line.
///
/// # Errors
/// A path is missing, cannot be read or holds no manifest.
pub(crate) fn read_once(paths: Vec<PathBuf>, now: Timestamp, quiet: bool) -> Result<(Outcome, Session), Failure> {
    let named = shown(&paths);
    let mut session = Session::new(input(paths)?, context(now, Vec::new()));
    let outcome = session.reload(now);
    let findings = outcome.report.findings();
    if let Some(unusable) = findings.iter().map(|finding| &finding.fault).find(|fault| is_of_path(fault)) {
        return Err(Failure::usage(unusable.message(), "name files or folders of manifests behind `-f`"));
    }
    let errors = outcome.report.summary().errors;
    if errors > 0 && !quiet {
        let (verb, noun) = if errors == 1 { ("is", "error") } else { ("are", "errors") };
        terminal::tell(&format!("note: there {verb} {errors} {noun} in {named}; `doorward check {named}` tells\n"));
    }
    Ok((outcome, session))
}

/// Whether a fault is about a file or folder and not about what it says.
pub(crate) fn is_of_path(fault: &Fault) -> bool {
    fault.severity == Severity::Error && fault.code() == "config.path"
}
