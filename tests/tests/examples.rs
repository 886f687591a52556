//! Every example does what it says.

#![cfg(test)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tests::examples::run;
use tests::manifests::session;
use tests::stage::USUAL_TIME;

/// What an example needs and cannot hold: a private key.
const CERTIFICATE: &str =
    "apiVersion: v1\nkind: Secret\nmetadata: {name: shop-tls, namespace: shop}\nstringData: {{certificate shop.example.com}}\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples")
}

#[test]
fn every_example_does_what_it_says() {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 16, "examples are missing: {paths:?}");
    let scratch = tempfile::tempdir().unwrap();
    let mut failures = String::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let more = if text.contains("kind: Gateway\n") { CERTIFICATE } else { "" };
        let found = run(&text, more, scratch.path(), USUAL_TIME.parse().unwrap()).unwrap_or_else(|failure| vec![failure]);
        for failure in found {
            writeln!(failures, "\n{}: {failure}", path.file_name().unwrap().display()).unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

/// Its lines are run by another test, through the program itself.
#[test]
fn the_quickstart_has_no_fault() {
    let now = USUAL_TIME.parse().unwrap();
    let outcome = session(vec![folder().join("quickstart")], now).reload(now);
    let summary = outcome.report.summary();
    assert_eq!((summary.errors, summary.warnings), (0, 0), "{}", outcome.report.to_text(manifest::Colour::Never));
    assert_eq!(outcome.snapshot.routes.len(), 2);
    assert_eq!(outcome.snapshot.keys.len(), 3);
}
