//! How every file looks: its size, its first line, its words, what it may not say.

use std::collections::BTreeSet;
use std::path::Path;

use crate::{report, rust, tree};

/// Files that may be longer, with their bound and the reason: only flat lists of alike items, up to 1,000 lines.
const LONGER: &[(&str, usize, &str)] = &[];

const FILE_LINES: usize = 500;

#[test]
fn files_stay_small() {
    let mut findings = Vec::new();
    for file in tree::rust_files() {
        let bound = LONGER.iter().find(|(path, ..)| *path == file.path).map_or(FILE_LINES, |(_, bound, _)| *bound);
        let lines = file.text.lines().count();
        if lines > bound {
            findings.push(format!("{} has {lines} lines, at most {bound}: split it by idea", file.path));
        }
    }
    let paths: BTreeSet<_> = tree::rust_files().into_iter().map(|file| file.path).collect();
    for (path, bound, reason) in LONGER {
        if !paths.contains(*path) || *bound > 1_000 || reason.is_empty() {
            findings.push(format!("{path} is listed as longer without need, without bound or without reason"));
        }
    }
    report("file sizes", &findings);
}

#[test]
fn files_open_with_what_they_are() {
    let unopened = |file: &tree::File| !file.text.trim_start_matches('\u{feff}').starts_with("//! ");
    let findings: Vec<_> = tree::rust_files()
        .into_iter()
        .filter(unopened)
        .map(|file| format!("{}: the first line says what the module is: `//! ...`", file.path))
        .collect();
    report("module documentation", &findings);
}

/// What ends a process or a task where a refusal belongs.
const PANICS: &[&str] = &[".unwrap()", ".unwrap_err()", "panic!", "todo!", "unimplemented!", "unreachable!", "dbg!"];

/// Lines of production code that can panic on purpose. `expect` is for the impossible, so its file says why that is.
fn panics(path: &str, source: &str) -> Vec<String> {
    let (code, _) = rust::without_tests(source);
    let reasoned = source.contains("#[expect(clippy::expect_used, reason = ");
    let mut findings = Vec::new();
    for ((number, line), written) in (1..).zip(code.lines()).zip(source.lines()) {
        let word = |text: &&&str| {
            line.match_indices(**text)
                .any(|(at, _)| text.starts_with('.') || !line[..at].ends_with(|c: char| c == '_' || c.is_alphanumeric()))
        };
        if let Some(found) = PANICS.iter().find(word) {
            findings.push(format!("{path}:{number}: `{found}`: return a Denial, a Fault or an error"));
        }
        // A method of ours may have this name; the one that panics takes a text. Clippy knows them apart by type.
        let takes_text = |rest: &str| rest.is_empty() || rest.starts_with(['"', '&']);
        let panics = line.match_indices(".expect(").any(|(at, found)| written.get(at + found.len()..).is_none_or(takes_text));
        if panics && !reasoned {
            findings.push(format!("{path}:{number}: `.expect(` without `#[expect(clippy::expect_used, reason = ...)]`"));
        }
    }
    findings
}

#[test]
fn nothing_panics_outside_tests() {
    let files = tree::rust_files();
    let mut tests = BTreeSet::new();
    for file in &files {
        let path = Path::new(&file.path);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let parent = path.parent().unwrap_or(Path::new(""));
        let below =
            if ["lib", "main", "mod"].contains(&stem.as_ref()) { parent.to_path_buf() } else { parent.join(stem.as_ref()) };
        for module in rust::without_tests(&file.text).1 {
            let named = file.text.split(&format!("mod {module};")).next().unwrap_or_default();
            let given = named.rsplit_once("#[path = \"").filter(|(_, rest)| rest.lines().count() <= 2);
            match given.and_then(|(_, rest)| rest.split('"').next()) {
                Some(name) => tests.extend([parent.join(name)]),
                None => tests.extend([below.join(format!("{module}.rs")), below.join(&module).join("mod.rs")]),
            }
        }
    }
    let shipped = files.iter().filter(|file| file.is_production_rust() && !tests.contains(Path::new(&file.path)));
    let findings: Vec<_> = shipped.flat_map(|file| panics(&file.path, &file.text)).collect();
    report("panics", &findings);
}

#[test]
fn a_panic_is_found() {
    let check = |source, count| assert_eq!(panics("x.rs", source).len(), count, "{source}");
    check("fn a() { b.unwrap(); }", 1);
    check("fn a() { b\n.unwrap()\n; panic!(\"x\") }", 2);
    check("fn a() { b.expect(\"c\") }", 1);
    check("fn a() { b.expect(\n\"c\") }", 1);
    check("fn a() { b.expect(b'c')?; }", 0);
    check("#[expect(clippy::expect_used, reason = \"d\")]\nfn a() { b.expect(\"c\") }", 0);
    check("fn a() { no_panic!(); \"panic!\"; b.unwrap_or(1) } // todo!", 0);
    check("fn a() {}\n#[cfg(test)]\nmod tests { fn b() { c.unwrap(); panic!() } }", 0);
}

#[test]
fn lints_are_expected_not_allowed() {
    let allows = |code: &str| ["#[allow(", "#![allow("].iter().any(|text| code.contains(text));
    let findings: Vec<_> = tree::rust_files()
        .into_iter()
        .filter(|file| allows(&rust::code(&file.text)))
        .map(|file| format!("{}: `#[expect(lint, reason = \"...\")]` instead of `allow`", file.path))
        .collect();
    report("lints", &findings);
}

#[test]
fn names_say_what_is_inside() {
    const EMPTY: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager", "misc", "shared"];
    const SUFFIXES: &[&str] = &["Manager", "Util", "Utils", "Helper", "Helpers"];
    let mut findings = Vec::new();
    for file in tree::rust_files() {
        let parts = file.path.trim_end_matches(".rs").split('/');
        findings.extend(
            parts.filter(|part| EMPTY.contains(part)).map(|part| format!("{}: `{part}` says nothing: name the idea", file.path)),
        );
        let code = rust::code(&file.text);
        let words: Vec<_> = code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let [keyword, name] = pair else { continue };
            let is_type = ["struct", "enum", "trait", "type"].contains(keyword);
            if is_type && SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) || *keyword == "mod" && EMPTY.contains(name) {
                findings.push(format!("{}: `{keyword} {name}` says nothing: name the idea", file.path));
            }
        }
    }
    report("names", &findings);
}

/// How many variants a `match` may tell apart before it is a table of its own.
const VARIANTS: usize = 3;

/// The lines of `match`es that give more than [`VARIANTS`] variants of `Denial` a meaning of their own.
///
/// Looking for one cause is a decision like any other (`Ambiguous` ends the search for credentials, a cause of the
/// guard takes the blame for a torn body). A row for each is a second table of codes, statuses and texts.
fn tables_of_denials(source: &str) -> Vec<usize> {
    let (code, _) = rust::without_tests(source);
    let lines: Vec<_> = code.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    for (at, head) in lines.iter().enumerate().filter(|(_, line)| line.contains("match ") && line.trim_end().ends_with('{')) {
        // As rustfmt has it: arms stand one step deeper, their other alternatives begin with a bar.
        let (outer, mut variants) = (indent(head), 0);
        for line in lines[at + 1..].iter().take_while(|line| line.trim().is_empty() || indent(line) > outer) {
            if indent(line) == outer + 4 {
                variants += line.split("=>").next().unwrap_or_default().matches("Denial::").count();
            }
        }
        if variants > VARIANTS {
            found.push(at + 1);
        }
    }
    found
}

#[test]
fn only_the_table_of_causes_has_a_row_for_each_denial() {
    let others = tree::rust_files().into_iter().filter(|file| !file.path.starts_with("core/cause/") && file.is_production_rust());
    let findings: Vec<_> = others
        .flat_map(|file| {
            let told = |line| format!("{}:{line}: a second table of causes: ask `cause` for the entry or a view", file.path);
            tables_of_denials(&file.text).into_iter().map(told).collect::<Vec<_>>()
        })
        .collect();
    report("tables of denials", &findings);
}

#[test]
fn a_second_table_is_found() {
    let check = |arms: &str, expected: &[usize]| {
        let source = format!("fn a() {{\n    match denial {{\n{arms}    }}\n}}\n");
        assert_eq!(tables_of_denials(&source), expected, "{source}");
    };
    check("        Denial::A(_) => 1,\n        Denial::B(_) => 2,\n        _ => 3,\n", &[]);
    check("        A => Denial::A,\n        B => Denial::B,\n        C => Denial::C,\n        D => Denial::D,\n", &[]);
    check("        Denial::A => 1,\n        Denial::B => 2,\n        Denial::C => 3,\n        Denial::D => 4,\n", &[2]);
    check(
        "        Denial::A | Denial::B\n        | Denial::C => {\n            x();\n        }\n        Denial::D => 4,\n",
        &[2],
    );
}

/// Where the machine of whoever wrote it, or how the work was organised, shows through.
fn strays(text: &str) -> Vec<(usize, &'static str)> {
    const FOLDERS: &[&str] = &["/work/", "/root/", "/home/", "/tmp/", "/Users/"];
    const WORDS: &[&str] = &["issue 3", "the brief", "sub-agent", "subagent", "artifactory"];
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let begins = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "/.}_-$*:".contains(c));
        let folder = FOLDERS.iter().find(|folder| line.match_indices(**folder).any(|(at, _)| begins(at)));
        let lower = line.to_lowercase();
        found.extend(folder.or_else(|| WORDS.iter().find(|word| lower.contains(**word))).map(|text| (number, *text)));
    }
    found
}

#[test]
fn no_file_names_a_machine_or_how_it_was_made() {
    let mut findings = Vec::new();
    for file in tree::files() {
        // This file has to spell what it looks for.
        if file.path != "tests/tests/tidy/habits.rs" {
            findings.extend(strays(&file.text).into_iter().map(|(number, text)| format!("{}:{number}: `{text}`", file.path)));
        }
    }
    report("paths of one machine, words about the work", &findings);
}

#[test]
fn a_stray_is_found() {
    let check = |text: &str, expected: &[usize]| {
        assert_eq!(strays(text).into_iter().map(|(number, _)| number).collect::<Vec<_>>(), expected, "{text}");
    };
    check("a\nsee `/root/x`\n(/tmp/y)", &[2, 3]);
    check("as Issue 3 says", &[1]);
    check("https://example.com/home/x and ./tmp/y and an issue 4", &[]);
}
