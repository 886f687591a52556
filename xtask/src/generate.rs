//! `gen`: writes what is generated and committed.
//!
//! A test compares each generated file with what the code says now, so it knows how to make it; with
//! `DOORWARD_WRITE_GENERATED` set it writes the file instead. There is no second place that could differ. Such tests
//! stand in a crate's `tests/generated.rs`; those of the pages of causes, which hold answers, in `tests/tests/pages.rs`.

use std::process::ExitCode;

use crate::Failure;
use crate::places::cargo;
use crate::progress::quiet;

/// Runs those tests as writers.
pub(crate) fn generate() -> Result<ExitCode, Failure> {
    // The charts are rendered by helm.
    crate::cluster::programs()?;
    let mut command = cargo(&["test", "--workspace", "--test", "generated", "--test", "pages"])?;
    command.env("DOORWARD_WRITE_GENERATED", "1");
    quiet("writing the generated files", command, "see `git status`")?;
    Ok(ExitCode::SUCCESS)
}
