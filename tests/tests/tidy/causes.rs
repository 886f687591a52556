//! The table of causes: its codes.

use std::collections::BTreeMap;

use crate::{report, tree};

const FAMILIES: &[&str] = &[
    "access",
    "address",
    "budget",
    "config",
    "credential",
    "framing",
    "limit",
    "model",
    "payload",
    "route",
    "token",
    "upstream",
    "version",
];

/// Every code that `core/cause` spells as a text of its own, with the places; doc comments and sentences hold none.
fn codes() -> BTreeMap<String, Vec<String>> {
    let mut codes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // `denial.rs` holds no table; its one code stands for a row that tells nothing, which no cause can reach.
    let tables = |file: &tree::File| file.path.starts_with("core/cause/src/") && !file.path.ends_with("/denial.rs");
    for file in tree::rust_files().into_iter().filter(tables) {
        let production = file.text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in (1..).zip(production.lines()).filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for text in line.split('"').skip(1).step_by(2).filter(|text| is_code(text)) {
                codes.entry(text.to_owned()).or_default().push(format!("{}:{number}", file.path));
            }
        }
    }
    codes
}

fn is_code(text: &str) -> bool {
    let tail = |tail: &str| {
        !tail.is_empty() && tail.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    text.split_once('.').is_some_and(|(family, rest)| FAMILIES.contains(&family) && tail(rest))
}

/// The one file whose table holds a family.
fn home(code: &str) -> String {
    let family = code.split('.').next().unwrap_or_default();
    format!("core/cause/src/{}.rs", if family == "config" { "fault" } else { family })
}

#[test]
fn every_code_stands_in_the_table_of_its_family() {
    let codes = codes();
    let mut findings: Vec<_> = codes
        .iter()
        .filter(|(code, places)| !places.iter().any(|place| place.starts_with(&home(code))))
        .map(|(code, places)| format!("{code} is spelled at {}, not in {}", places.join(", "), home(code)))
        .collect();
    if codes.len() < 60 {
        findings.push(format!("only {} codes were found", codes.len()));
    }
    report("codes", &findings);
}

#[test]
fn every_page_has_a_code() {
    let codes = codes();
    let pages = tree::files()
        .into_iter()
        .filter_map(|file| Some(file.path.strip_prefix("docs/causes/")?.strip_suffix(".md")?.to_owned()));
    let findings: Vec<_> = pages
        .filter(|page| page != "README" && !codes.contains_key(page))
        .map(|page| format!("docs/causes/{page}.md: no cause has this code"))
        .collect();
    report("pages of causes", &findings);
}
