//! The committed definitions are what the types say now, and what an API server can take.

use std::path::PathBuf;

use crds::definition::{definitions, generated};
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("generated")
}

/// With `DOORWARD_WRITE_GENERATED` set (`cargo xtask gen`), writes the files instead.
#[test]
fn the_committed_files_are_current() {
    let write = std::env::var_os("DOORWARD_WRITE_GENERATED").is_some();
    let mut expected = Vec::new();
    for (name, definition) in generated() {
        let text = serde_saphyr::to_string(&definition).unwrap();
        let path = folder().join(&name);
        if write {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, text, "{name} is stale: run `cargo xtask gen`");
        expected.push(name);
    }
    let mut present: Vec<String> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    present.sort();
    expected.sort();
    assert_eq!(present, expected);
}

#[test]
fn the_files_say_what_the_definitions_say() {
    for ((name, said), definition) in generated().into_iter().zip(definitions()) {
        let text = std::fs::read_to_string(folder().join(&name)).unwrap();
        assert!(!text.contains("format: x-"), "{name}: an API server warns of formats that it does not know");
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, said, "{name}");
        assert_eq!(read["metadata"]["name"], definition.metadata.name.unwrap(), "{name}");
        assert_eq!(read["spec"]["scope"], "Namespaced", "{name}");
    }
}

#[test]
fn each_definition_fits_an_annotation() {
    for definition in definitions() {
        let size = serde_json::to_string(&definition).unwrap().len();
        assert!(size < 200_000, "{:?} has {size} bytes", definition.metadata.name);
    }
}

/// Every finding of a walk over a schema, as `path: what`.
fn findings(schema: &Value, path: &str, in_atomic: bool, found: &mut Vec<String>) {
    let Some(members) = schema.as_object() else { return };
    let has = |name: &str| members.contains_key(name);
    match members.get("type").and_then(Value::as_str) {
        Some("string") if !has("maxLength") && !has("enum") => found.push(format!("{path}: unbounded string")),
        Some("array") if !has("maxItems") => found.push(format!("{path}: unbounded list")),
        Some("object") if has("additionalProperties") && !has("maxProperties") => found.push(format!("{path}: unbounded map")),
        Some("integer") if !has("enum") && (!has("minimum") || !has("maximum")) => {
            found.push(format!("{path}: unbounded number"));
        }
        Some("string" | "array" | "object" | "integer" | "boolean") => {}
        other => found.push(format!("{path}: type {other:?}")),
    }
    if in_atomic && has("default") {
        found.push(format!("{path}: default inside an atomic list"));
    }
    if has("items") && !has("x-kubernetes-list-type") {
        found.push(format!("{path}: a list without a type"));
    }
    let atomic = in_atomic || members.get("x-kubernetes-list-type").and_then(Value::as_str) == Some("atomic");
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = members.get(key) {
            findings(inner, &format!("{path}[]"), atomic, found);
        }
    }
    for (name, inner) in members.get("properties").and_then(Value::as_object).into_iter().flatten() {
        findings(inner, &format!("{path}.{name}"), in_atomic, found);
    }
}

#[test]
fn everything_is_bounded() {
    for definition in definitions() {
        let value = serde_json::to_value(&definition).unwrap();
        for part in ["spec", "status"] {
            let schema = &value["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part];
            assert!(schema.is_object());
            let mut found = Vec::new();
            findings(schema, part, false, &mut found);
            assert_eq!(found, Vec::<String>::new(), "{:?}", definition.metadata.name);
        }
    }
}

#[test]
fn every_kind_begins_unknown_and_shows_why() {
    for definition in definitions() {
        let value = serde_json::to_value(&definition).unwrap();
        let version = &value["spec"]["versions"][0];
        assert!(version["subresources"]["status"].is_object());
        let status = &version["schema"]["openAPIV3Schema"]["properties"]["status"];
        let first = &status["default"]["conditions"][0];
        assert_eq!((&first["type"], &first["status"], &first["reason"]), (&"Ready".into(), &"Unknown".into(), &"Pending".into()));
        let columns: Vec<(&str, bool)> = version["additionalPrinterColumns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| (column["name"].as_str().unwrap(), column["priority"].as_i64().is_none()))
            .collect();
        assert_eq!(columns[..2], [("Ready", true), ("Reason", true)], "{:?}", definition.metadata.name);
        assert!(columns.contains(&("Age", true)) && columns.last() == Some(&("Message", false)));
    }
}

#[test]
fn the_walk_sees_what_is_unbounded() {
    for (schema, what) in [
        (serde_json::json!({"type": "string"}), "spec: unbounded string"),
        (serde_json::json!({"type": "integer", "minimum": 1}), "spec: unbounded number"),
        (
            serde_json::json!({"type": "object", "additionalProperties": {"type": "string", "maxLength": 1}}),
            "spec: unbounded map",
        ),
        (
            serde_json::json!({"type": "array", "maxItems": 1, "x-kubernetes-list-type": "atomic",
                               "items": {"type": "string", "maxLength": 1, "default": "a"}}),
            "spec[]: default inside an atomic list",
        ),
    ] {
        let mut found = Vec::new();
        findings(&schema, "spec", false, &mut found);
        assert_eq!(found, [what]);
    }
}
