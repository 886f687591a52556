//! `bench`: CPU per request beside peers on this machine.

use std::process::ExitCode;

use crate::places::cargo;
use crate::progress::quiet;
use crate::{Failure, tools};

/// Installs the peers, builds everything optimised and measures; `arguments` go to the measuring program.
pub(crate) fn bench(arguments: &[String]) -> Result<ExitCode, Failure> {
    tools::install(&[tools::NGINX, tools::WRK, tools::STRACE])?;
    let packages = ["--package", "doorward-cli", "--package", "doorward-bench"];
    quiet(
        "building doorward and its bench (release)",
        cargo(&[&["build", "--locked", "--release"], &packages[..]].concat())?,
        "",
    )?;
    let mut command = cargo(&["run", "--quiet", "--locked", "--release", "--package", "doorward-bench", "--"])?;
    let status =
        command.args(arguments).status().map_err(|error| Failure::new(format!("the bench cannot be started: {error}")))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
