//! `cluster`, `e2e`, `conformance`, `bench-cluster`: hands over to the program of `e2e/`, which starts a real Kubernetes.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::progress::quiet;
use crate::{Failure, places};

/// Builds that program and becomes it.
pub(crate) fn cluster(entry: &str, arguments: &[String]) -> Result<ExitCode, Failure> {
    let program = built()?;
    let error = Command::new(&program).arg(entry).args(arguments).exec();
    Err(cannot_start(&program, &error))
}

/// Builds what tests without a cluster need: helm, and what GitOps tools say of statuses.
pub(crate) fn programs() -> Result<(), Failure> {
    let program = built()?;
    let status = Command::new(&program).arg("programs").status().map_err(|error| cannot_start(&program, &error))?;
    if status.success() { Ok(()) } else { Err(Failure::new("these are needed by the tests of the charts")) }
}

fn built() -> Result<PathBuf, Failure> {
    quiet("building the cluster's harness", places::cargo(&["build", "--locked", "--package", "doorward-e2e"])?, "")?;
    Ok(places::built()?.join("debug/doorward-e2e"))
}

fn cannot_start(program: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} cannot be started: {error}", program.display()))
}
