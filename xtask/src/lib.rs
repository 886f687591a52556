//! The workshop: what the entries of the Makefile's menu do.
//!
//! Plain Rust without dependencies, so that the first command on a new machine compiles it in seconds. It starts
//! cargo, apt-get, Python and the gateway; it decides nothing about manifests or requests. The tests use its
//! [`places`] and its reader of the [`quickstart`] lines, so that both look where the menu looks; the tests on a
//! real cluster also use its [`image`] writer, its [`tools`] and its way to show [`progress`].

mod bench;
mod cluster;
mod failure;
mod generate;
pub mod image;
pub mod places;
pub mod progress;
pub mod quickstart;
mod run;
mod tally;
mod test;
pub mod tools;

use std::process::ExitCode;

pub use failure::Failure;

const MENU: &str = "\
doorward: what `make` and `cargo xtask` can do

  make run     build the gateway, start the quickstart and print lines to try
  make test    install what the tests need and run every check there is
  make check   only the format and the lints
  make bench   measure CPU per request beside nginx and a bare relay
  make gen     write the generated files anew
  make image   build the image target/doorward-image.tar, an OCI archive

On a real Kubernetes that these start and end by themselves (as root, on Linux):

  make cluster      a cluster with Doorward in it, and lines to try; ARGS='down', 'shell', 'env', 'up'
  make e2e          the tests on it; ARGS='NAME' for those whose name holds NAME
  make conformance  the Gateway API's conformance suite
  make bench-cluster  how soon changes serve among 5,000 routes, and what that takes

Arguments go through ARGS: make run ARGS='--http 127.0.0.1:18080'
";

/// Does what the first argument names; without one, prints the menu.
///
/// # Errors
/// The step that failed, with what it printed, or an entry that the menu does not have.
pub fn start(mut arguments: impl Iterator<Item = String>) -> Result<ExitCode, Failure> {
    let entry = arguments.next().unwrap_or_else(|| "help".to_owned());
    let rest: Vec<String> = arguments.collect();
    match entry.as_str() {
        "help" | "--help" | "-h" => {
            print!("{MENU}");
            Ok(ExitCode::SUCCESS)
        }
        "run" => run::run(&rest),
        run::WATCH => run::print_when_ready(&rest),
        "test" => test::test(&rest),
        "check" => test::check(),
        "bench" => bench::bench(&rest),
        "gen" => generate::generate(),
        "image" => image::image(),
        "cluster" | "e2e" | "conformance" | "bench-cluster" => {
            progress::aside(&rest);
            cluster::cluster(&entry, &rest)
        }
        unknown => Err(Failure::usage(format!("`{unknown}` is not in the menu\n\n{MENU}"))),
    }
}
