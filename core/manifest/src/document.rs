//! From the text of a file to its objects, with every finding at its place.

use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName, ObjectRef, Severity};
use kube_cel::Validator;

use crate::catalog::{Catalog, Kind, Named};
use crate::metadata;
use crate::place::{Place, Source, Span};
use crate::schema::{At, Finding as Judgement, Run, check};
use crate::tree::{self, Node, Value};

/// One object of a known kind.
#[derive(Clone, Debug)]
pub struct Object {
    api_version: Arc<str>,
    reference: ObjectRef,
    is_named: bool,
    value: Arc<serde_json::Value>,
    root: Node,
    source: Arc<Source>,
    broken: Vec<Fault>,
}

/// One fault and where it stands.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What is wrong.
    pub fault: Fault,
    /// The text that it was found in; an object that is kept keeps its older text.
    pub source: Arc<Source>,
    /// The place; nothing for a file that could not be read.
    pub place: Option<Place>,
    /// What it does to traffic, in one sentence without an end mark, where that is known.
    pub effect: Option<Arc<str>>,
}

/// What one file holds.
#[derive(Clone, Debug)]
pub struct File {
    /// The text, for snippets and places.
    pub source: Arc<Source>,
    /// Its objects of known kinds, broken ones included, in the order of the text.
    pub objects: Vec<Object>,
    /// What is wrong, in the order of the text.
    pub findings: Vec<Finding>,
    /// Whether all of it could be read. Where not, an object that is absent may stand in the
    /// part that could not.
    pub is_complete: bool,
    /// How many manifests it has, those of other kinds included.
    pub manifests: usize,
}

/// Reads a file's bytes. `name` is the file's name as the user wrote it.
///
/// Total: what is wrong is in `findings`, and each object with an error carries it as
/// [`Object::broken`]. Bounds: 16 MiB, 64 levels, 100,000 nodes behind aliases.
#[must_use]
pub fn read(name: &str, bytes: &[u8], catalog: &Catalog) -> File {
    read_into(DEFAULT_NAMESPACE, name, bytes, catalog)
}

/// The namespace of objects that name none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// As [`read`], for objects that go into this namespace where they name none.
#[must_use]
pub fn read_into(namespace: &str, name: &str, bytes: &[u8], catalog: &Catalog) -> File {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (text, documents) = match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), tree::read(text)),
        Err(error) => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let at = error.valid_up_to();
            let problem = tree::Problem { span: Span::new(at, at), reason: "the file is not UTF-8".into() };
            let whole = Span::new(0, text.len());
            (text, vec![tree::Document { span: whole, content: Err(problem) }])
        }
    };
    let mut source = Source::new(name, text);
    let mut roots = Vec::new();
    let mut problems = Vec::new();
    for document in documents {
        match document.content {
            Ok(root) => {
                if hide_secrets(&root, &mut source) {
                    source.guard(document.span);
                }
                expand(root, &mut roots);
            }
            Err(problem) => {
                if may_hold_secret(source.text().get(document.span.start..document.span.end).unwrap_or_default()) {
                    source.hide(vec![document.span]);
                }
                problems.push(problem);
            }
        }
    }
    let manifests = roots.len();
    let mut reader = Reader::new(catalog, namespace, Arc::new(source));
    reader.file.is_complete = problems.is_empty();
    reader.file.manifests = manifests;
    for problem in problems {
        reader.find(
            Severity::Error,
            None,
            Judgement { path: FieldPath::root(), span: problem.span, cause: FaultCause::Yaml { reason: problem.reason } },
        );
    }
    for root in roots {
        reader.object(root);
    }
    reader.file.findings.sort_by_key(|finding| finding.place);
    reader.file
}

/// A file or folder that could not be read or holds nothing; what it held before is kept.
#[must_use]
pub fn unreadable(name: &str, reason: &str) -> File {
    unread(name, reason, Severity::Error)
}

/// What lies among manifests and is no file, such as a pipe: it holds nothing.
#[must_use]
pub fn passed_over(name: &str, reason: &str) -> File {
    File { is_complete: true, ..unread(name, reason, Severity::Notice) }
}

fn unread(name: &str, reason: &str, severity: Severity) -> File {
    let cause = FaultCause::PathUnusable { path: name.into(), reason: reason.into() };
    let fault = Fault { severity, object: None, field: FieldPath::root(), cause };
    let source = Arc::new(Source::new(name, String::new()));
    File {
        source: Arc::clone(&source),
        objects: Vec::new(),
        findings: vec![Finding { fault, source, place: None, effect: None }],
        is_complete: false,
        manifests: 0,
    }
}

impl Finding {
    /// The file, as the user wrote its name.
    #[must_use]
    pub fn file(&self) -> &Arc<str> {
        self.source.name()
    }
}

impl Object {
    /// `apiVersion` as written.
    #[must_use]
    pub const fn api_version(&self) -> &Arc<str> {
        &self.api_version
    }

    /// The group: `apiVersion` before its slash, empty for Kubernetes' core.
    #[must_use]
    pub fn group(&self) -> &str {
        group_of(&self.api_version).0
    }

    /// `kind`.
    #[must_use]
    pub const fn kind(&self) -> &Arc<str> {
        &self.reference.kind
    }

    /// Kind, namespace and name. Where none was written, the namespace is the one that the file was
    /// read into; it is empty for kinds without one. The name is `(unnamed)` unless [`Self::is_named`].
    #[must_use]
    pub const fn reference(&self) -> &ObjectRef {
        &self.reference
    }

    /// Whether `metadata.name` is there.
    #[must_use]
    pub const fn is_named(&self) -> bool {
        self.is_named
    }

    /// The whole object, for serde; without `status`.
    #[must_use]
    pub const fn value(&self) -> &Arc<serde_json::Value> {
        &self.value
    }

    /// Takes on who the object is and since when, as an API server has it and no file says it. Only its value changes.
    pub fn identify(&mut self, uid: Option<&str>, created_at: &str) {
        let value = Arc::make_mut(&mut self.value);
        let Some(metadata) = value.get_mut("metadata").and_then(serde_json::Value::as_object_mut) else { return };
        metadata.remove("uid");
        metadata.extend(uid.map(|uid| ("uid".to_owned(), uid.into())));
        metadata.insert("creationTimestamp".to_owned(), created_at.into());
    }

    /// The object as a tree.
    #[must_use]
    pub const fn root(&self) -> &Node {
        &self.root
    }

    /// The file that it stands in.
    #[must_use]
    pub const fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Its faults of severity Error; empty for an object that may be used.
    #[must_use]
    pub fn broken(&self) -> &[Fault] {
        &self.broken
    }

    /// Where a field stands, or its nearest ancestor that exists.
    #[must_use]
    pub fn locate(&self, path: &FieldPath) -> Place {
        self.source.place(self.root.locate(path, self.root.root_anchor()))
    }

    /// A fault that was found later, at its place.
    #[must_use]
    pub fn finding(&self, fault: Fault) -> Finding {
        let mut place = self.locate(&fault.field);
        if let FaultCause::ExpressionInvalid { start, end, .. } = &fault.cause
            && let Some(span) = within(&self.source, place.span, (*start, *end))
        {
            place = self.source.place(span);
        }
        Finding { fault, source: Arc::clone(&self.source), place: Some(place), effect: None }
    }
}

/// Some bytes of a text value as they stand in the file; none where they are not plain to see there, as in quotes
/// with escapes or in a text of several lines.
fn within(source: &Source, value: Span, (start, end): (usize, usize)) -> Option<Span> {
    let written = source.text().get(value.start..value.end)?;
    let inner = match written.chars().next()? {
        '"' if !written.contains('\\') => written.strip_prefix('"')?.strip_suffix('"').filter(|inner| !inner.contains('"'))?,
        '\'' => written.strip_prefix('\'')?.strip_suffix('\'').filter(|inner| !inner.contains('\''))?,
        '"' | '|' | '>' | '&' | '*' | '!' => return None,
        _ => written,
    };
    if inner.contains(['\n', '\r']) || start >= inner.len() {
        return None;
    }
    let first = value.start + usize::from(inner.len() < written.len()) + start;
    let end = value.start + usize::from(inner.len() < written.len()) + end.clamp(start + 1, inner.len());
    let text = source.text();
    (text.is_char_boundary(first) && text.is_char_boundary(end)).then(|| Span::new(first, end))
}

/// The most findings of one file that are told; every broken object is closed whether told or not.
const MAX_FINDINGS: usize = 10_000;

struct Reader<'a> {
    catalog: &'a Catalog,
    /// Of objects that name none.
    namespace: &'a str,
    validator: Validator,
    file: File,
}

impl<'a> Reader<'a> {
    fn new(catalog: &'a Catalog, namespace: &'a str, source: Arc<Source>) -> Self {
        let file = File { source, objects: Vec::new(), findings: Vec::new(), is_complete: true, manifests: 0 };
        Self { catalog, namespace, validator: Validator::new(), file }
    }

    fn find(&mut self, severity: Severity, object: Option<ObjectRef>, found: Judgement) {
        if self.file.findings.len() >= MAX_FINDINGS {
            return;
        }
        let place = Some(self.file.source.place(found.span));
        let fault = Fault { severity, object, field: found.path, cause: found.cause };
        self.file.findings.push(Finding { fault, source: Arc::clone(&self.file.source), place, effect: None });
    }

    fn object(&mut self, root: Node) {
        let text = |name: &str| root.get(name).and_then(Node::as_str).cloned();
        let (Some(api_version), Some(kind)) = (text("apiVersion"), text("kind")) else {
            let span = root.root_anchor();
            return self.find(Severity::Error, None, Judgement { path: FieldPath::root(), span, cause: FaultCause::KindMissing });
        };
        let (group, version) = group_of(&api_version);
        let known = match self.catalog.named(group, version, &kind) {
            Named::Known(known) => known,
            Named::Unknown(nearest) => {
                let cause = FaultCause::KindUnknown { kind: Arc::clone(&kind), nearest };
                return self.unread(&root, &kind, ("kind", Severity::Error, cause));
            }
            Named::WrongVersion(nearest) => {
                let cause = FaultCause::KindUnknown { kind: format!("{kind} of {api_version}").into(), nearest: Some(nearest) };
                return self.unread(&root, &kind, ("apiVersion", Severity::Error, cause));
            }
            Named::NotServed(what) => {
                // The API server has it where it belongs.
                let severity = if self.catalog.is_own(group) { Severity::Error } else { Severity::Warning };
                return self.unread(&root, &kind, ("kind", severity, FaultCause::NotHere { what }));
            }
            Named::Foreign => {
                let cause = FaultCause::KindForeign { kind: format!("{kind} of {api_version}").into() };
                return self.unread(&root, &kind, ("kind", Severity::Notice, cause));
            }
        };
        self.known(root, (api_version, kind), known);
    }

    /// An object that is not looked into.
    fn unread(&mut self, root: &Node, kind: &Arc<str>, (field, severity, cause): (&str, Severity, FaultCause)) {
        let (reference, _) = self.reference(root, kind, true);
        let path = FieldPath::of(field);
        let span = root.locate(&path, root.root_anchor());
        self.find(severity, Some(reference), Judgement { path, span, cause });
    }

    fn known(&mut self, root: Node, (api_version, kind): (Arc<str>, Arc<str>), known: &Kind) {
        let source = Arc::clone(&self.file.source);
        let (reference, is_named) = self.reference(&root, &kind, known.is_namespaced);
        let mut run = Run {
            schema: &known.schema,
            validator: &self.validator,
            text: source.text(),
            kind: &kind,
            is_native: known.is_native,
            findings: Vec::new(),
            depth: 0,
        };
        let at = At::root(root.root_anchor());
        metadata::check(&mut run, &root, known.is_namespaced);
        check(&mut run, known.schema.root(), &root, &at);
        check_keys(&mut run, &root, &at);
        let mut findings = run.findings;
        findings.sort_by_key(|finding| finding.span);
        findings.dedup();
        let broken =
            findings.iter().map(|found| Fault::error(reference.clone(), found.path.clone(), found.cause.clone())).collect();
        for found in findings {
            self.find(Severity::Error, Some(reference.clone()), found);
        }
        if let Some(status) = root.entry("status") {
            let cause = FaultCause::FieldIgnored { field: "status".into() };
            self.find(
                Severity::Notice,
                Some(reference.clone()),
                Judgement { path: FieldPath::of("status"), span: status.key_span, cause },
            );
        }
        let mut value = root.to_json();
        if let Some(map) = value.as_object_mut() {
            map.shift_remove("status");
        }
        self.file.objects.push(Object { api_version, reference, is_named, value: Arc::new(value), root, source, broken });
    }

    fn reference(&self, root: &Node, kind: &Arc<str>, is_namespaced: bool) -> (ObjectRef, bool) {
        let text = |name: &str| root.get("metadata").and_then(|metadata| metadata.get(name)).and_then(Node::as_str).cloned();
        let namespace = if is_namespaced { text("namespace").unwrap_or_else(|| self.namespace.into()) } else { "".into() };
        let name = text("name").filter(|name| !name.is_empty());
        let is_named = name.is_some();
        let name = ObjectName::new(namespace, name.unwrap_or_else(|| "(unnamed)".into()));
        (ObjectRef::new(Arc::clone(kind), name), is_named)
    }
}

fn group_of(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// Keys that stand twice; anywhere but in `status`.
fn check_keys(run: &mut Run<'_>, node: &Node, at: &At<'_>) {
    let mut known = std::collections::BTreeSet::new();
    for entry in node.entries() {
        if at.parent.is_none() && &*entry.key == "status" {
            continue;
        }
        let below = at.entry(entry);
        if !known.insert(&*entry.key) {
            run.find_at(&below, entry.key_span, FaultCause::FieldDuplicate { field: Arc::clone(&entry.key) });
        }
        check_keys(run, &entry.value, &below);
    }
    for (index, item) in node.items().iter().enumerate() {
        check_keys(run, item, &at.item(index, item));
    }
}

/// The objects of a document: itself, or the items of a `List`, as kubectl sees it.
fn expand(root: Node, objects: &mut Vec<Node>) {
    let is_list = root.get("kind").and_then(Node::as_str).is_some_and(|kind| kind.ends_with("List"));
    match root.get("items").map(|items| &items.value) {
        Some(Value::List(items)) if is_list => {
            for item in items.iter() {
                expand(item.clone(), objects);
            }
        }
        Some(_) | None => objects.push(root),
    }
}

/// Hides all values of Secrets but their names; tells whether there are any.
fn hide_secrets(root: &Node, source: &mut Source) -> bool {
    let mut objects = Vec::new();
    expand(root.clone(), &mut objects);
    let secrets: Vec<&Node> = objects
        .iter()
        .filter(|object| object.get("kind").and_then(Node::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("Secret")))
        .collect();
    for secret in &secrets {
        let mut spans = Vec::new();
        for entry in secret.entries() {
            match &*entry.key {
                "apiVersion" | "kind" | "type" => {}
                "metadata" => {
                    let others = entry.value.entries().iter().filter(|entry| !matches!(&*entry.key, "name" | "namespace"));
                    others.for_each(|entry| values(&entry.value, false, &mut spans));
                }
                _ => values(&entry.value, false, &mut spans),
            }
        }
        source.hide(spans);
    }
    !secrets.is_empty()
}

/// All values of a field; keys too where they stand deeper than the names of a Secret's keys.
fn values(node: &Node, is_deep: bool, spans: &mut Vec<Span>) {
    match &node.value {
        Value::Null | Value::Bool(_) | Value::Ambiguous(_) | Value::Number(_) | Value::String(_) => spans.push(node.span),
        Value::List(items) => items.iter().for_each(|item| values(item, true, spans)),
        Value::Map(entries) => {
            for entry in entries.iter() {
                if is_deep {
                    spans.push(entry.key_span);
                }
                values(&entry.value, true, spans);
            }
        }
    }
}

/// Whether a document that could not be read may be a Secret.
fn may_hold_secret(text: &str) -> bool {
    let is_word = |text: &str, at: usize, length: usize| {
        let is_letter = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
        !is_letter(text.get(..at).and_then(|before| before.chars().next_back()))
            && !is_letter(text.get(at + length..).and_then(|after| after.chars().next()))
    };
    text.contains("stringData") || text.match_indices("Secret").any(|(at, word)| is_word(text, at, word.len()))
}

#[cfg(test)]
mod tests;
