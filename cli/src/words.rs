//! Errors of the operating system in words.

use std::io::{self, ErrorKind};

/// What the system's own words would not tell a newcomer.
const REASONS: [(ErrorKind, &str); 5] = [
    (ErrorKind::NotFound, "no such file or folder"),
    (ErrorKind::AddrInUse, "another process has it"),
    (ErrorKind::AddrNotAvailable, "this machine has no such address"),
    (ErrorKind::ConnectionRefused, "nothing listens there"),
    (ErrorKind::TimedOut, "no answer in time"),
];

/// An error without the operating system's number, to stand behind a colon.
pub(crate) fn of(error: &io::Error) -> String {
    if let Some((_, reason)) = REASONS.iter().find(|(kind, _)| *kind == error.kind()) {
        return (*reason).to_owned();
    }
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(reason, _)| reason).to_lowercase()
}
