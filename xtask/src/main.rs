//! `cargo xtask ENTRY`: see the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    match xtask::start(std::env::args().skip(1)) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            failure.code()
        }
    }
}
