//! What is generated of charts and guides is what the code says now.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use tests::charts::{install_manifest, permissions, place, values_schema};
use tests::metrics;

/// With `DOORWARD_WRITE_GENERATED` set (`cargo xtask gen`), writes the file instead.
fn check(path: &str, current: &str) {
    check_file(&place(path).expect("tests run in a checkout"), current);
}

fn check_file(path: &Path, current: &str) {
    if std::env::var_os("DOORWARD_WRITE_GENERATED").is_some() {
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("the checkout can be written");
        fs::write(path, current).expect("the checkout can be written");
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(committed == current, "{} is stale: run `cargo xtask gen`", path.display());
}

/// One test, because each file is made from those before it.
#[test]
fn the_charts_are_current() {
    let mut names = Vec::new();
    for (name, definition) in crds::definition::generated() {
        let text = serde_saphyr::to_string(&definition).expect("a definition is plain data");
        check(&format!("doorward-crds/definitions/{name}"), &text);
        names.push(name);
    }
    let folder = place("doorward-crds/definitions").expect("tests run in a checkout");
    let mut present: Vec<String> = fs::read_dir(folder)
        .expect("the folder was just read")
        .map(|entry| entry.expect("the folder was just read").file_name().to_string_lossy().into_owned())
        .collect();
    present.sort();
    names.sort();
    assert_eq!(present, names);
    check("doorward/generated/permissions.yaml", &permissions());
    check("doorward/values.schema.json", &values_schema().unwrap_or_else(|complaint| panic!("{complaint}")));
    check("install.yaml", &install_manifest().unwrap_or_else(|complaint| panic!("{complaint}")));
}

#[test]
fn the_page_of_metrics_is_current() {
    let root = xtask::places::root().expect("tests run in a checkout");
    check_file(&root.join(metrics::PAGE), &metrics::page());
}
