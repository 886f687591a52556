//! The documents: short, complete, and linked to what exists.

use std::collections::BTreeSet;

use crate::{report, tree};

const ARCHITECTURE_LINES: usize = 300;

#[test]
fn the_architecture_names_every_folder_and_crate() {
    let files = tree::files();
    let Some(page) = files.iter().find(|file| file.path == "docs/ARCHITECTURE.md") else {
        panic!("docs/ARCHITECTURE.md is gone")
    };
    let mut findings = Vec::new();
    let lines = page.text.lines().count();
    if lines > ARCHITECTURE_LINES {
        findings.push(format!("{lines} lines, at most {ARCHITECTURE_LINES}: move detail into module documentation"));
    }
    let top = files.iter().filter_map(|file| file.path.split_once('/')).map(|(folder, _)| folder.to_owned());
    let crates = files.iter().filter_map(|file| file.path.strip_suffix("/Cargo.toml")).map(str::to_owned);
    let named: BTreeSet<_> =
        page.text.split(|c: char| c.is_whitespace() || "`(),:;|".contains(c)).map(|word| word.trim_end_matches('/')).collect();
    for folder in top.filter(|folder| !folder.starts_with('.')).chain(crates).collect::<BTreeSet<_>>() {
        if !named.contains(folder.as_str()) {
            findings.push(format!("`{folder}` is not named"));
        }
    }
    report("docs/ARCHITECTURE.md", &findings);
}

#[test]
fn links_lead_somewhere() {
    let root = tree::root();
    let mut findings = Vec::new();
    for file in tree::files().into_iter().filter(|file| file.path.ends_with(".md")) {
        let folder = root.join(&file.path).parent().map(std::path::Path::to_path_buf).unwrap_or_default();
        for target in file.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !target.contains("://") && !target.starts_with("mailto:") && !folder.join(path).exists() {
                findings.push(format!("{}: {target}", file.path));
            }
        }
    }
    report("links to nothing", &findings);
}

#[test]
fn the_menu_is_what_people_are_told() {
    let files = tree::files();
    let text = |path: &str| files.iter().find(|file| file.path == path).map(|file| file.text.as_str()).unwrap_or_default();
    let mut findings = Vec::new();
    for command in ["make run", "make test"] {
        if !text("README.md").lines().any(|line| line.starts_with(command)) {
            findings.push(format!("README.md does not give `{command}` as a line of its own"));
        }
    }
    if !text(".ci/run").contains("exec make test") {
        findings.push(".ci/run does not call `make test`".to_owned());
    }
    report("commands", &findings);
}
