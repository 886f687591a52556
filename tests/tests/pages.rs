//! Every code has a page, every page is true.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tests::page::Page;
use tests::pages::run;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The codes that `core/cause` spells; the tidy tests keep them in their tables.
fn codes() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("core/cause/src")).unwrap() {
        let path = entry.unwrap().path();
        // A folder holds what belongs to a family, and no table.
        if path.is_dir() {
            continue;
        }
        let family = path.file_stem().unwrap().to_string_lossy().replace("fault", "config");
        let text = std::fs::read_to_string(&path).unwrap();
        let production = text.split("#[cfg(test)]").next().unwrap();
        let lines = production.lines().filter(|line| !line.trim_start().starts_with("//"));
        let texts = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
        let is_tail = |tail: &str| {
            !tail.is_empty() && tail.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        codes.extend(texts.filter(|text| text.strip_prefix(&format!("{family}.")).is_some_and(is_tail)).map(str::to_owned));
    }
    codes
}

/// Name and text of each page.
fn texts() -> Vec<(String, String)> {
    let mut texts: Vec<(String, String)> = std::fs::read_dir(root().join("docs/causes"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap()))
        .filter(|(code, _)| code != "README")
        .collect();
    texts.sort();
    texts
}

/// Where two texts first differ.
fn difference(is: &str, should_be: &str) -> String {
    let (is, should_be): (Vec<_>, Vec<_>) = (is.lines().collect(), should_be.lines().collect());
    let at = is.iter().zip(&should_be).position(|(one, other)| one != other).unwrap_or(is.len().min(should_be.len()));
    let line = |lines: &[&str]| lines.get(at).map_or_else(|| "(nothing)".to_owned(), |line| (*line).to_owned());
    format!("line {}\n  the page has  {}\n  it should be  {}", at + 1, line(&is), line(&should_be))
}

/// With `DOORWARD_WRITE_GENERATED` set (`cargo xtask gen`), writes the answers into the pages instead.
#[test]
fn every_page_is_true() {
    let write = std::env::var_os("DOORWARD_WRITE_GENERATED").is_some();
    let only = std::env::var("DOORWARD_PAGE").unwrap_or_default();
    let folder = tempfile::tempdir().unwrap();
    // Findings name the file as it was given; the one test of this program may move.
    std::env::set_current_dir(folder.path()).unwrap();
    let mut failures = String::new();
    let mut fail = |code: &str, what: &str| writeln!(failures, "\ndocs/causes/{code}.md: {what}").unwrap();
    for (code, text) in texts().into_iter().filter(|(code, _)| code.starts_with(&only)) {
        let page = match Page::read(&code, &text) {
            Ok(page) => page,
            Err(what) => {
                fail(&code, &what);
                continue;
            }
        };
        let run = run(&page);
        for what in &run.failures {
            fail(&code, what);
        }
        if run.text != text {
            if write {
                std::fs::write(root().join(format!("docs/causes/{code}.md")), &run.text).unwrap();
            } else {
                fail(&code, &difference(&text, &run.text));
            }
        }
    }
    let pages: BTreeSet<String> = texts().into_iter().map(|(code, _)| code).collect();
    for code in codes().symmetric_difference(&pages) {
        fail(code, if pages.contains(code) { "no cause has this code" } else { "the page is missing" });
    }
    let index = index(&pages);
    let readme = root().join("docs/causes/README.md");
    let text = std::fs::read_to_string(&readme).unwrap();
    let (before, written) = text.split_once(INDEX).expect("the README has an index");
    if written != index {
        if write {
            std::fs::write(readme, format!("{before}{INDEX}{index}")).unwrap();
        } else {
            fail("README", &difference(written, &index));
        }
    }
    assert!(failures.is_empty(), "{failures}\n`cargo xtask gen` writes what is given, where that is right");
}

const INDEX: &str = "## All pages\n";

/// Links to all pages, by family.
fn index(pages: &BTreeSet<String>) -> String {
    let mut index = String::new();
    let mut last = "";
    for page in pages {
        let (family, name) = page.split_once('.').unwrap();
        if family == last {
            write!(index, ",\n[{name}]({page}.md)").unwrap();
        } else {
            write!(index, "{}\n**{family}.** [{name}]({page}.md)", if last.is_empty() { "" } else { "\n" }).unwrap();
        }
        last = family;
    }
    index + "\n"
}
