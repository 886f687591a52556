//! `cluster`, `e2e`, `conformance`: hands over to the program of `e2e/`, which starts a real Kubernetes.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use crate::progress::quiet;
use crate::{Failure, places};

/// Builds that program and becomes it.
pub(crate) fn cluster(entry: &str, arguments: &[String]) -> Result<ExitCode, Failure> {
    quiet("building the cluster's harness", places::cargo(&["build", "--locked", "--package", "doorward-e2e"])?, "")?;
    let program = places::built()?.join("debug/doorward-e2e");
    let error = Command::new(&program).arg(entry).args(arguments).exec();
    Err(Failure::new(format!("{} cannot be started: {error}", program.display())))
}
