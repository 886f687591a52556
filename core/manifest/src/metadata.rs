//! `metadata`, which every kind has and no schema describes.

use std::sync::Arc;

use cause::{FaultCause, Syntax};

use crate::schema::{At, Run, check_key, check_syntax, one_of};
use crate::tree::{Node, Value};

/// What an API server writes or takes besides; accepted, and read by nobody here.
const OTHERS: [&str; 11] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];
const READ: [&str; 4] = ["name", "namespace", "labels", "annotations"];

/// Judges the `metadata` of an object of a kind that has a namespace, or has none.
pub(crate) fn check(run: &mut Run<'_>, root: &Node, is_namespaced: bool) {
    let top = At::root(root.root_anchor());
    let missing = || FaultCause::FieldMissing { field: "metadata.name".into() };
    let Some(entry) = root.entry("metadata") else { return run.find(&top, missing()) };
    let at = top.entry(entry);
    if !matches!(entry.value.value, Value::Map(_)) {
        let found = entry.value.describe().into();
        return run.find(&at, FaultCause::TypeWrong { expected: "a map with a `name`".into(), found });
    }
    if entry.value.get("name").is_none() {
        run.find(&at, missing());
    }
    for entry in entry.value.entries() {
        let below = at.entry(entry);
        match &*entry.key {
            "name" => check_name(run, &entry.value, &below, Syntax::ObjectName),
            "namespace" if is_namespaced => check_name(run, &entry.value, &below, Syntax::ObjectLabel),
            "namespace" => {
                let message = format!("a {} has no namespace", run.kind).into();
                run.find(&below, FaultCause::RuleViolated { message });
            }
            "labels" => check_texts(run, &entry.value, &below, true),
            "annotations" => check_texts(run, &entry.value, &below, false),
            key if OTHERS.contains(&key) => {}
            key => {
                let cause = FaultCause::FieldUnknown {
                    field: key.into(),
                    parent: "`metadata`".into(),
                    meant: one_of(key, READ.into_iter().chain(OTHERS)),
                };
                run.find_at(&at, entry.key_span, cause);
            }
        }
    }
}

fn check_name(run: &mut Run<'_>, node: &Node, at: &At<'_>, syntax: Syntax) {
    match &node.value {
        Value::String(text) => {
            if let Some(cause) = check_syntax(text, syntax) {
                run.find(at, cause);
            }
        }
        Value::Ambiguous(text) => run.find(at, FaultCause::BooleanAmbiguous { text: Arc::clone(text), is_text: true }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => {
            run.find(at, FaultCause::TypeWrong { expected: "text in quotes".into(), found: node.describe().into() });
        }
    }
}

fn check_texts(run: &mut Run<'_>, node: &Node, at: &At<'_>, are_labels: bool) {
    match &node.value {
        Value::Null => return,
        Value::Map(_) => {}
        Value::Bool(_) | Value::Ambiguous(_) | Value::Number(_) | Value::String(_) | Value::List(_) => {
            return run.find(at, FaultCause::TypeWrong { expected: "a map of texts".into(), found: node.describe().into() });
        }
    }
    for entry in node.entries() {
        let below = at.entry(entry);
        check_key(run, entry, &below);
        match &entry.value.value {
            Value::String(text) if are_labels && !is_label_value(text) => {
                let bound = "a label's value has at most 63 letters, digits, `-`, `_` and `.`, and ends with a letter or digit";
                run.find(&below, FaultCause::OutOfBounds { bound: bound.into() });
            }
            Value::String(_) => {}
            Value::Ambiguous(text) => run.find(&below, FaultCause::BooleanAmbiguous { text: Arc::clone(text), is_text: true }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => {
                let found = entry.value.describe().into();
                run.find(&below, FaultCause::TypeWrong { expected: "text in quotes".into(), found });
            }
        }
    }
}

fn is_label_value(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    bytes.is_empty() || (bytes.len() <= 63 && is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(is_inner))
}
