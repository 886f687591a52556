//! The binary as people and scripts use it: exit codes, what is printed where, a gateway from start to stop.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod check;
mod explain;
mod key;
mod program;
mod run;
