//! The habits of the house, kept by tests: what may use what, what is built, how files look.
//!
//! They read files and ask cargo, offline. A finding names the file, the line and what to do instead.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod arrows;
mod causes;
mod crates;
mod documents;
mod habits;
mod rust;
mod tree;

/// Fails with all findings at once.
#[track_caller]
fn report(habit: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{habit}:\n  {}\n", findings.join("\n  "));
}
