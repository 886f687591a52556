//! The processes of our pods, as the cluster numbers them.

use std::fs;
use std::process::Command;

use xtask::Failure;

use crate::run::output;

/// The operators.
pub(super) fn operators() -> Result<Vec<String>, Failure> {
    processes("operator", None)
}

/// The data planes of a Gateway, `NAMESPACE/NAME`.
pub(super) fn data_planes(gateway: &str) -> Result<Vec<String>, Failure> {
    processes("dataplane", Some(&format!("--gateway={gateway}")))
}

fn processes(what: &str, argument: Option<&str>) -> Result<Vec<String>, Failure> {
    let unreadable = |error: std::io::Error| Failure::new(format!("/proc cannot be read: {error}"));
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        // One that ended meanwhile has no command line any more.
        let command = fs::read(path.join("cmdline")).unwrap_or_default();
        let words: Vec<_> = command.split(|byte| *byte == 0).collect();
        let is_ours = words.first().is_some_and(|word| word.ends_with(b"/doorward")) && words.get(1) == Some(&what.as_bytes());
        if is_ours && argument.is_none_or(|argument| words.contains(&argument.as_bytes())) {
            found.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    Ok(found)
}

/// The pod of a process, by the name of its host.
pub(super) fn pod(process: &str) -> Result<String, Failure> {
    let unknown = || Failure::new(format!("process {process} is of no pod"));
    let variables = fs::read(format!("/proc/{process}/environ")).map_err(|_| unknown())?;
    let name = variables.split(|byte| *byte == 0).find_map(|variable| variable.strip_prefix(b"HOSTNAME="));
    name.map(|name| String::from_utf8_lossy(name).into_owned()).ok_or_else(unknown)
}

/// Sends a signal.
pub(super) fn signal(process: &str, name: &str) -> Result<(), Failure> {
    output(Command::new("kill").args([&format!("-{name}"), process])).map(drop)
}

/// Ends one at once; there has to be one.
pub(super) fn kill(process: Option<&String>) -> Result<(), Failure> {
    signal(process.ok_or_else(|| Failure::new("there is no such process"))?, "KILL")
}
