//! What may use what: the arrows of `docs/ARCHITECTURE.md`, over `cargo metadata`.

use cargo_metadata::{Dependency, DependencyKind, MetadataCommand, Package};

use crate::{report, tree};

const CORE: [&str; 7] = ["cause", "wire", "ir", "policy", "llm", "translate", "manifest"];

/// What each crate may use of ours.
fn allowed(name: &str) -> Option<Vec<&'static str>> {
    Some(match name {
        "cause" | "crds" | "xtask" => vec![],
        "wire" | "ir" | "llm" => vec!["cause"],
        "policy" => vec!["cause", "ir"],
        "upstream" => vec!["cause", "ir", "policy", "wire"],
        "observe" => vec!["cause", "policy"],
        "files" => vec!["cause", "ir", "manifest", "crds", "translate"],
        "translate" => vec!["cause", "ir", "policy", "crds"],
        "manifest" => vec!["cause"],
        "delivery" => vec!["cause", "ir"],
        "operator" => vec!["cause", "ir", "policy", "translate", "crds", "delivery"],
        "dataplane" => vec!["cause", "wire", "ir", "policy", "llm", "upstream", "observe"],
        "cli" => [&CORE[..], &["crds", "observe", "files", "dataplane", "delivery", "operator"]].concat(),
        "tests" => [&CORE[..], &["crds", "upstream", "observe", "files", "dataplane", "operator", "e2e", "xtask"]].concat(),
        "bench" => vec![],
        "e2e" => vec!["xtask"],
        _ => return None,
    })
}

/// What only the tests of a crate may use beside that.
fn allowed_in_tests(name: &str) -> &'static [&'static str] {
    match name {
        "manifest" => &["crds"],
        "observe" => &["ir"],
        "dataplane" | "delivery" => &["translate", "files"],
        _ => &[],
    }
}

/// What no crate that decides may use itself: clocks, sockets, files, randomness, logs and what runs them.
const SHELL: &[&str] = &[
    "axum",
    "env_logger",
    "getrandom",
    "h2",
    "hyper",
    "hyper-rustls",
    "hyper-util",
    "kube-client",
    "kube-runtime",
    "log",
    "mimalloc",
    "mio",
    "notify",
    "rand",
    "reqwest",
    "rustls",
    "rustls-native-certs",
    "socket2",
    "tokio",
    "tokio-rustls",
    "tokio-util",
    "tonic",
    "tower",
    "tracing",
    "tracing-subscriber",
];

fn packages() -> Vec<Package> {
    let metadata = MetadataCommand::new()
        .current_dir(tree::root())
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .expect("cargo describes the workspace");
    metadata.packages
}

fn short(name: &str) -> Option<&str> {
    name.strip_prefix("doorward-")
}

/// One line of a crate's dependencies.
struct Uses<'a> {
    name: &'a str,
    only_in_tests: bool,
    default_features: bool,
    features: Vec<&'a str>,
}

impl<'a> From<&'a Dependency> for Uses<'a> {
    fn from(dependency: &'a Dependency) -> Self {
        Self {
            name: &dependency.name,
            only_in_tests: dependency.kind == DependencyKind::Development,
            default_features: dependency.uses_default_features,
            features: dependency.features.iter().map(String::as_str).collect(),
        }
    }
}

/// What is wrong with one dependency of one crate.
fn wrong(package: &str, uses: &Uses<'_>) -> Option<String> {
    let decides = CORE.contains(&package) || package == "crds";
    let name = uses.name;
    if let Some(ours) = short(name) {
        return match allowed(package) {
            Some(arrows) if arrows.contains(&ours) => None,
            Some(_) if uses.only_in_tests && allowed_in_tests(package).contains(&ours) => None,
            Some(_) => Some(format!("{package} may not use {ours}: a new arrow needs a page in docs/decisions")),
            None => Some(format!("{package} is a new crate: give it a row in `allowed` and a place in docs/ARCHITECTURE.md")),
        };
    }
    if !decides || uses.only_in_tests {
        return None;
    }
    // Whether a key is its certificate's is arithmetic on two texts (docs/decisions/0015).
    let is_arithmetic = (package, name) == ("policy", "rustls");
    if SHELL.contains(&name) && !is_arithmetic {
        return Some(format!("{package} decides and may not use {name}: let dataplane or cli do it and pass the value in"));
    }
    let reaches_out = |feature: &&str| !["derive", "schema", "admission", "cel"].contains(feature);
    if name == "kube" && (uses.default_features || uses.features.iter().any(reaches_out)) {
        return Some(format!("{package} may use only kube's types and derive, no client: {:?}", uses.features));
    }
    None
}

#[test]
fn arrows_point_one_way() {
    let mut findings = Vec::new();
    for package in packages() {
        match short(&package.name) {
            Some(name) => findings.extend(package.dependencies.iter().filter_map(|dependency| wrong(name, &dependency.into()))),
            None => findings.push(format!("{} is not named doorward-FOLDER", package.name)),
        }
    }
    report("what may use what", &findings);
}

#[test]
fn every_crate_has_its_arrows_lies_in_its_folder_and_keeps_the_lints() {
    let mut findings = Vec::new();
    let packages = packages();
    for package in &packages {
        let name = short(&package.name).unwrap_or(&package.name);
        if allowed(name).is_none() {
            findings.push(format!("{name} has no row in `allowed`"));
        }
        let folder = package.manifest_path.parent().and_then(|folder| folder.file_name());
        if folder != Some(name) {
            findings.push(format!("{} lies in {folder:?}", package.name));
        }
        let manifest = std::fs::read_to_string(&package.manifest_path).expect("cargo read it too");
        if !manifest.contains("[lints]\nworkspace = true") {
            findings.push(format!("{} lacks `[lints] workspace = true`", package.manifest_path));
        }
    }
    let found: Vec<_> = packages.iter().filter_map(|package| short(&package.name)).collect();
    findings.extend(CORE.iter().filter(|name| !found.contains(name)).map(|name| format!("core/{name} is gone")));
    report("crates", &findings);
}

#[test]
fn a_wrong_arrow_is_found() {
    let check = |package, name, kind, features: &str, is_wrong| {
        let uses =
            Uses { name, only_in_tests: kind == "dev", default_features: false, features: features.split_whitespace().collect() };
        assert_eq!(wrong(package, &uses).is_some(), is_wrong, "{package} -> {name} ({kind})");
    };
    check("policy", "doorward-ir", "normal", "", false);
    check("ir", "doorward-policy", "normal", "", true);
    check("ir", "doorward-policy", "dev", "", true);
    check("dataplane", "doorward-cli", "normal", "", true);
    check("dataplane", "doorward-translate", "normal", "", true);
    check("dataplane", "doorward-translate", "dev", "", false);
    check("observe", "doorward-dataplane", "normal", "", true);
    check("upstream", "doorward-observe", "normal", "", true);
    check("news", "doorward-ir", "normal", "", true);
    check("policy", "tokio", "normal", "", true);
    check("policy", "tokio", "dev", "", false);
    check("dataplane", "tokio", "normal", "", false);
    check("crds", "kube", "normal", "derive", false);
    check("crds", "kube", "normal", "derive client", true);
}
