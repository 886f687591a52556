//! Whose code is built: `deny.toml`, kept offline.
//!
//! cargo-deny reads the same file where it is installed; this needs only cargo, and looks at what is built on this
//! machine.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use semver::{Version, VersionReq};

use crate::{report, tree};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// One crate that is built.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Built {
    name: String,
    version: Version,
    license: String,
}

/// All that the workspace builds here, tests included, by the features in use.
fn built() -> BTreeSet<Built> {
    let arguments = "tree --workspace --offline --edges normal,build,dev --prefix none --no-dedupe --format {p}|{l}";
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(arguments.split(' '))
        .current_dir(tree::root())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    let built: BTreeSet<_> = text.lines().filter(|line| !line.is_empty()).map(built_from).collect();
    assert!(built.len() > 100, "cargo lists only {} crates", built.len());
    built
}

/// From `name v1.2.3 (proc-macro)|MIT OR Apache-2.0`.
fn built_from(line: &str) -> Built {
    let (package, license) = line.split_once('|').expect("the format asks for a bar");
    let mut words = package.split(' ');
    let name = words.next().unwrap_or_default().to_owned();
    let version = words.next().and_then(|word| Version::parse(word.strip_prefix('v')?).ok()).expect("cargo prints a version");
    Built { name, version, license: license.to_owned() }
}

/// The entries of one list of `deny.toml`, one a line: for tables the text of `crate`, else the text itself.
fn listed(section: &str, key: &str) -> Vec<String> {
    let text = std::fs::read_to_string(tree::root().join("deny.toml")).expect("deny.toml can be read");
    let of_section = text.split(&format!("[{section}]\n")).nth(1).and_then(|rest| rest.split("\n[").next()).unwrap_or_default();
    let list = of_section.split(&format!("{key} = [\n")).nth(1).and_then(|rest| rest.split("\n]").next()).unwrap_or_default();
    let entries: Vec<_> = list
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split('"').nth(1).unwrap_or_default().to_owned())
        .collect();
    assert!(!entries.is_empty() && !entries.iter().any(String::is_empty), "deny.toml: [{section}] {key} = {entries:?}");
    entries
}

/// Whether `name`, `name:<requirement>` or `name@version` of `deny.toml` is this crate.
fn is_meant(entry: &str, name: &str, version: &Version) -> bool {
    let end = entry.find([':', '@']).unwrap_or(entry.len());
    let requirement = match (entry.get(end..=end), entry.get(end + 1..)) {
        (Some("@"), Some(exact)) => format!("={exact}"),
        (_, Some(range)) => range.to_owned(),
        (_, None) => "*".to_owned(),
    };
    let requirement = VersionReq::parse(&requirement).unwrap_or_else(|error| panic!("deny.toml: `{entry}`: {error}"));
    &entry[..end] == name && requirement.matches(version)
}

#[test]
fn nothing_denied_is_built() {
    let denied = listed("bans", "deny");
    let mut findings = Vec::new();
    for Built { name, version, .. } in built() {
        findings.extend(denied.iter().filter(|entry| is_meant(entry, &name, &version)).map(|entry| {
            format!("{name} {version} is denied as `{entry}`: `cargo tree --invert {name}@{version}` shows who uses it")
        }));
    }
    report("denied crates", &findings);
}

#[test]
fn one_version_of_each_crate_but_for_the_listed() {
    let skipped = listed("bans", "skip");
    let mut versions: BTreeMap<String, BTreeSet<Version>> = BTreeMap::new();
    for Built { name, version, .. } in built() {
        versions.entry(name).or_default().insert(version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    let mut findings = Vec::new();
    for (name, versions) in &versions {
        let left: Vec<_> =
            versions.iter().filter(|version| !skipped.iter().any(|entry| is_meant(entry, name, version))).collect();
        if left.len() > 1 {
            let left = left.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            findings.push(format!("{name} is built as {left}: use one, or list the older with its reason"));
        }
    }
    let is_needed =
        |entry: &&String| versions.iter().any(|(name, versions)| versions.iter().any(|version| is_meant(entry, name, version)));
    findings
        .extend(skipped.iter().filter(|entry| !is_needed(entry)).map(|entry| format!("`{entry}` is listed and not a duplicate")));
    report("duplicates", &findings);
}

#[test]
fn licences_are_the_listed() {
    let allowed = listed("licenses", "allow");
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for Built { name, version, license } in built() {
        let joined = license.replace(" WITH ", "\u{a0}WITH\u{a0}");
        used.extend(joined.split([' ', '/', '(', ')']).map(|id| id.replace('\u{a0}', " ")));
        if !may(&license, &allowed) {
            findings.push(format!("{name} {version}: `{license}`"));
        }
    }
    findings.extend(allowed.iter().filter(|id| !used.contains(*id)).map(|id| format!("`{id}` is allowed and no crate has it")));
    report("licences", &findings);
}

/// Whether an SPDX expression can be met with the allowed licences alone. `/` is how it was written before SPDX.
fn may(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ").replace(" WITH ", "\u{a0}WITH\u{a0}");
    let words: Vec<_> = spaced.split(' ').filter(|word| !word.is_empty()).collect();
    let mut at = 0;
    let met = alternatives(&words, &mut at, allowed);
    met && at == words.len()
}

fn alternatives(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = requirements(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= requirements(words, at, allowed);
    }
    met
}

fn requirements(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = single(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= single(words, at, allowed);
    }
    met
}

fn single(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let word = words.get(*at).copied().unwrap_or_default();
    *at += 1;
    if word == "(" {
        let met = alternatives(words, at, allowed);
        *at += 1;
        return met;
    }
    allowed.iter().any(|id| *id == word.replace('\u{a0}', " "))
}

#[test]
fn every_crate_comes_from_crates_io() {
    let lock = std::fs::read_to_string(tree::root().join("Cargo.lock")).expect("Cargo.lock is committed");
    let mut findings = Vec::new();
    for package in lock.split("[[package]]").skip(1) {
        let name = package.lines().find_map(|line| line.strip_prefix("name = ")).unwrap_or_default().trim_matches('"');
        let source = package.lines().find_map(|line| line.strip_prefix("source = ")).map(|source| source.trim_matches('"'));
        let is_right = match source {
            Some(source) => source == CRATES_IO && package.contains("\nchecksum = "),
            None => name.starts_with("doorward-"),
        };
        if !is_right {
            findings.push(format!("{name} comes from {}", source.unwrap_or("a folder")));
        }
    }
    report("sources", &findings);
}

#[test]
fn entries_of_deny_toml_mean_what_cargo_deny_means() {
    let check = |entry, name, version, expected| {
        assert_eq!(is_meant(entry, name, &Version::parse(version).expect("a version")), expected, "{entry} {name} {version}");
    };
    check("ring", "ring", "0.17.14", true);
    check("ring", "ringbuf", "0.17.14", false);
    check("h2:<0.4.18", "h2", "0.4.17", true);
    check("h2:<0.4.18", "h2", "0.4.18", false);
    check("syn@2.0.119", "syn", "2.0.119", true);
    check("syn@2.0.119", "syn", "2.0.120", false);
}

#[test]
fn licence_expressions_are_read() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    let check = |expression, expected| assert_eq!(may(expression, &allowed), expected, "{expression}");
    check("MIT", true);
    check("MIT/Apache-2.0", true);
    check("Apache-2.0 / MIT", true);
    check("ISC AND (Apache-2.0 OR ISC)", true);
    check("ISC AND (Apache-2.0 OR BSD-3-Clause)", false);
    check("MIT AND GPL-3.0-only OR ISC", true);
    check("Apache-2.0 WITH LLVM-exception", true);
    check("Apache-2.0", false);
    check("", false);
}
