//! Pairs `tests/golden/NAME.in.yaml` and `NAME.out.yaml`. `DOORWARD_WRITE_GENERATED=1` writes the
//! second ones, to be read before they are committed.

use std::path::PathBuf;

use serde_json::Value;
use translate::translate;

use crate::load::{documents, manifests, rendered};

#[test]
fn golden_pairs() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let write = std::env::var_os("DOORWARD_WRITE_GENERATED").is_some();
    let mut names: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mut pairs = 0;
    let mut stale = Vec::new();
    for path in names {
        let Some(name) = path.to_str().and_then(|path| path.strip_suffix(".in.yaml")) else { continue };
        let documents = documents(&std::fs::read_to_string(&path).unwrap());
        let (manifests, context) = manifests(&documents);
        let translation = translate(&manifests, &context);
        let text = rendered(&translation, &context);
        assert_eq!(translation, translate(&manifests, &context), "{name}: translated twice");
        for secret in secrets(&documents) {
            assert!(!text.contains(&secret), "{name}: {secret} is printed");
        }
        let out = format!("{name}.out.yaml");
        if write {
            std::fs::write(&out, &text).unwrap();
        }
        if std::fs::read_to_string(&out).unwrap_or_default() != text {
            stale.push(format!("{out}:\n{text}"));
        }
        pairs += 1;
    }
    assert!(stale.is_empty(), "{}", stale.join("\n"));
    assert!(pairs >= 8, "{pairs} pairs");
}

/// Every value of a Secret that nobody may read.
fn secrets(documents: &[Value]) -> Vec<String> {
    documents
        .iter()
        .filter(|document| document["kind"] == "Secret")
        .flat_map(|document| document["stringData"].as_object().into_iter().flatten())
        .filter(|(name, _)| !matches!(name.as_str(), "tls.crt" | "ca.crt" | "sha256") && !name.starts_with("previous-"))
        .filter_map(|(_, value)| value.as_str().map(|text| text.trim().to_owned()))
        .filter(|text| text.len() > 3)
        .collect()
}
