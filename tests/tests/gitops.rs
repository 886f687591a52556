//! What GitOps tools say of objects of ours: their own code, in Go, over `e2e/modules/gitops/situations.yaml`.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

use e2e::programs::{FLUX, GITOPS, Program};

/// Builds the Go tests unless that was done, and runs them in their folder, where they find the situations.
fn check(tests: &Program, module: &str) {
    let program = tests.build().unwrap_or_else(|failure| panic!("{module}: {failure}"));
    let folder = xtask::places::root().expect("tests run in a checkout").join("e2e/modules").join(module);
    let output = Command::new(program).current_dir(folder).arg("-test.v").output().expect("what was built can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let situations =
        said.lines().filter(|line| line.trim_start().starts_with("--- PASS: Test") && line.starts_with("    ")).count();
    assert!(situations >= 20, "{situations} situations: {said}");
}

#[test]
fn argo_cd_and_kstatus_tell_the_truth() {
    check(&GITOPS, "gitops");
}

#[test]
fn flux_tells_the_truth() {
    check(&FLUX, "flux");
}
