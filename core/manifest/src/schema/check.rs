//! Judges a tree by a schema: every finding in one pass, each at its place.

use std::collections::BTreeSet;
use std::sync::Arc;

use cause::{FaultCause, FieldPath, Segment, Syntax, nearest_or_related};
use kube_cel::{ErrorKind, Validator};

use super::meant::meant;
use super::{Alternatives, ListKind, Others, Rule, RuleId, Schema, Type, words};
use crate::place::Span;
use crate::tree::{Entry, Node, Value};

/// One thing that is wrong, where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The field; for unknown and missing ones their parent.
    pub(crate) path: FieldPath,
    /// What to point at.
    pub(crate) span: Span,
    /// What is wrong.
    pub(crate) cause: FaultCause,
}

/// One judgement in progress.
pub(crate) struct Run<'a> {
    /// The schema.
    pub(crate) schema: &'a Schema,
    /// Evaluates its rules.
    pub(crate) validator: &'a Validator,
    /// The whole text of the file.
    pub(crate) text: &'a str,
    /// The kind, for sentences.
    pub(crate) kind: &'a str,
    /// Whether nothing counts as absence, as for the kinds that Kubernetes itself defines.
    pub(crate) is_native: bool,
    /// What was found so far.
    pub(crate) findings: Vec<Finding>,
    /// How deep the judgement is, references included.
    pub(crate) depth: usize,
}

/// Where in the object a judgement is.
pub(crate) struct At<'p> {
    /// What it is in.
    pub(crate) parent: Option<&'p Self>,
    /// The last step of the path.
    pub(crate) step: Step<'p>,
    /// What findings about this node point at.
    pub(crate) anchor: Span,
}

/// One step of a path, borrowed until a finding needs it.
pub(crate) enum Step<'p> {
    Root,
    Field(&'p str),
    Index(usize),
}

/// The most findings about one object; who has mended so many will see the others.
const MAX_FINDINGS: usize = 1000;
/// More levels than a tree and the references of a sound schema have together.
const MAX_DEPTH: usize = 256;

impl<'p> At<'p> {
    pub(crate) const fn root(anchor: Span) -> Self {
        Self { parent: None, step: Step::Root, anchor }
    }

    pub(crate) fn entry<'s>(&'s self, entry: &'s Entry) -> At<'s>
    where
        'p: 's,
    {
        At { parent: Some(self), step: Step::Field(&entry.key), anchor: entry.value.anchor(Some(entry.key_span)) }
    }

    pub(crate) fn item<'s>(&'s self, index: usize, item: &Node) -> At<'s>
    where
        'p: 's,
    {
        At { parent: Some(self), step: Step::Index(index), anchor: item.anchor(None) }
    }

    pub(crate) fn path(&self) -> FieldPath {
        let mut path = self.parent.map(At::path).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Field(name) => path.0.push(Segment::Field(name.into())),
            Step::Index(index) => path.0.push(Segment::Index(index)),
        }
        path
    }
}

impl Run<'_> {
    pub(crate) fn find(&mut self, at: &At<'_>, cause: FaultCause) {
        self.find_at(at, at.anchor, cause);
    }

    pub(crate) fn find_at(&mut self, at: &At<'_>, span: Span, cause: FaultCause) {
        if self.findings.len() >= MAX_FINDINGS {
            return;
        }
        self.findings.push(Finding { path: at.path(), span, cause });
    }

    /// No output may repeat what stands in a Secret.
    fn is_secret(&self) -> bool {
        self.kind == "Secret"
    }

    fn written(&self, node: &Node) -> &str {
        self.text.get(node.span.start..node.span.end).unwrap_or_default().trim()
    }
}

/// Judges one node by one rule.
pub(crate) fn check(run: &mut Run<'_>, id: RuleId, node: &Node, at: &At<'_>) {
    let Some(rule) = run.schema.rule(id) else { return };
    if run.depth >= MAX_DEPTH {
        return;
    }
    run.depth += 1;
    check_rule(run, rule, node, at);
    run.depth -= 1;
}

fn check_rule(run: &mut Run<'_>, rule: &Rule, node: &Node, at: &At<'_>) {
    let before = run.findings.len();
    match &node.value {
        Value::Ambiguous(text) => {
            let cause = if run.is_secret() {
                FaultCause::TypeWrong { expected: "text in quotes".into(), found: node.describe().into() }
            } else {
                let is_text = !rule.types.is_empty() && !rule.types.contains(&Type::Boolean);
                FaultCause::BooleanAmbiguous { text: Arc::clone(text), is_text }
            };
            return run.find(at, cause);
        }
        Value::Null if run.is_native => return,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::List(_) | Value::Map(_) => {}
    }
    if !rule.types.is_empty() && !rule.types.iter().any(|wanted| is_of(node, *wanted)) {
        let cause = wrong_type(run, rule, node);
        return run.find(at, cause);
    }
    check_allowed(run, rule, node, at);
    match &node.value {
        Value::Null | Value::Bool(_) | Value::Ambiguous(_) => {}
        Value::Number(number) => {
            if let Some(bound) = number.as_f64().and_then(|value| rule.bounds.number(value)) {
                run.find(at, FaultCause::OutOfBounds { bound: bound.into() });
            }
        }
        Value::String(text) => check_text(run, rule, text, at),
        Value::List(items) => check_list(run, rule, items, at),
        Value::Map(entries) => check_map(run, rule, entries, at),
    }
    for branch in &rule.all_of {
        check(run, *branch, node, at);
    }
    for alternatives in &rule.any_of {
        check_alternatives(run, alternatives, node, at);
    }
    if let Some(not) = rule.not
        && attempt(run, not, node, at).is_empty()
    {
        run.find(at, FaultCause::RuleViolated { message: "this combination is not allowed".into() });
    }
    check_expressions(run, rule, node, (at, before));
}

fn is_of(node: &Node, wanted: Type) -> bool {
    match &node.value {
        Value::Null => wanted == Type::Null,
        Value::Bool(_) => wanted == Type::Boolean,
        Value::Number(number) => wanted == Type::Number || (wanted == Type::Integer && !number.is_f64()),
        Value::String(_) => wanted == Type::String,
        Value::List(_) => wanted == Type::List,
        Value::Map(_) => wanted == Type::Map,
        Value::Ambiguous(_) => false,
    }
}

fn wrong_type(run: &Run<'_>, rule: &Rule, node: &Node) -> FaultCause {
    let written = run.written(node);
    let wants = |wanted: Type| rule.types.contains(&wanted);
    let is_scalar = matches!(node.value, Value::Number(_) | Value::Bool(_));
    let expected = match &node.value {
        _ if wants(Type::String) && is_scalar => {
            if let Some(syntax) = rule.syntax.and_then(super::Format::syntax) {
                let suggestion = rule.syntax.and_then(|format| format.suggestion(written));
                let quoted = || Some(format!("\"{written}\"").into());
                let is_fine = rule.syntax.is_some_and(|format| format.admits(written));
                return FaultCause::Malformed { syntax, suggestion: if is_fine { quoted() } else { suggestion } };
            }
            match run.is_secret() {
                true => "text in quotes".to_owned(),
                false => format!("text (\"{written}\" in quotes)"),
            }
        }
        Value::String(text) if (wants(Type::Integer) || wants(Type::Number)) && text.parse::<f64>().is_ok() => {
            "a number without quotes".to_owned()
        }
        Value::String(text) if wants(Type::Boolean) && matches!(&**text, "true" | "false") => {
            "true or false without quotes".to_owned()
        }
        Value::Null
        | Value::Bool(_)
        | Value::Ambiguous(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::List(_)
        | Value::Map(_) => nouns(&rule.types),
    };
    FaultCause::TypeWrong { expected: expected.into(), found: node.describe().into() }
}

fn nouns(types: &[Type]) -> String {
    let nouns: Vec<&str> = types
        .iter()
        .filter(|wanted| types.len() == 1 || **wanted != Type::Null)
        .map(|wanted| match wanted {
            Type::Null => "nothing",
            Type::Boolean => "true or false",
            Type::Integer => "a whole number",
            Type::Number => "a number",
            Type::String => "text",
            Type::List => "a list",
            Type::Map => "a map",
        })
        .collect();
    nouns.join(" or ")
}

fn check_allowed(run: &mut Run<'_>, rule: &Rule, node: &Node, at: &At<'_>) {
    let Some(allowed) = &rule.allowed else { return };
    // Whether nothing is allowed is a matter of the type.
    if matches!(node.value, Value::Null) {
        return;
    }
    let value = node.to_json();
    if allowed.contains(&value) {
        return;
    }
    let texts: Vec<Arc<str>> = allowed
        .iter()
        .filter(|value| !value.is_null())
        .map(|value| value.as_str().map_or_else(|| value.to_string().into(), Arc::from))
        .collect();
    let nearest = value.as_str().and_then(|text| nearest_or_related(text, texts.iter().map(|text| &**text)));
    run.find(at, FaultCause::ValueUnknown { allowed: texts, nearest });
}

fn check_text(run: &mut Run<'_>, rule: &Rule, text: &str, at: &At<'_>) {
    let fails_pattern = rule.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text));
    let fails_format = rule.syntax.is_some_and(|format| !format.admits(text));
    match (rule.syntax.map(|format| (format, format.syntax())), &rule.pattern) {
        (Some((format, Some(syntax))), pattern) if fails_pattern || fails_format => {
            let suggestion = format.suggestion(text).filter(|text| pattern.as_ref().is_none_or(|pattern| pattern.is_match(text)));
            run.find(at, FaultCause::Malformed { syntax, suggestion });
        }
        (Some((_, None)), _) if fails_format => {
            run.find(
                at,
                FaultCause::TypeWrong {
                    expected: "base64 (or plain text below `stringData`)".into(),
                    found: "other text".into(),
                },
            );
        }
        (_, Some(pattern)) if fails_pattern => {
            let meant = [text.to_ascii_uppercase(), text.to_ascii_lowercase()].into_iter().find(|text| pattern.is_match(text));
            run.find(at, FaultCause::PatternMismatch { pattern: pattern.as_str().into(), meant: meant.map(Arc::from) });
        }
        (Some(_) | None, Some(_) | None) => {
            if let Some(bound) = rule.bounds.text(text) {
                run.find(at, FaultCause::OutOfBounds { bound: bound.into() });
            }
        }
    }
}

fn check_list(run: &mut Run<'_>, rule: &Rule, items: &[Node], at: &At<'_>) {
    if let Some(bound) = rule.bounds.list(items.len()) {
        run.find(at, FaultCause::OutOfBounds { bound: bound.into() });
    }
    let mut known = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let at = at.item(index, item);
        let (identity, span) = match &rule.list {
            ListKind::Plain => (None, at.anchor),
            ListKind::Set => (Some(shown(item)), at.anchor),
            ListKind::Map(keys) => {
                let found: Vec<&Node> = keys.iter().filter_map(|key| item.get(key)).collect();
                let span = found.first().map_or(at.anchor, |node| node.span);
                ((!found.is_empty()).then(|| found.iter().map(|node| shown(node)).collect::<Vec<_>>().join("/")), span)
            }
        };
        if let Some(identity) = identity
            && !known.insert(identity.clone())
        {
            run.find_at(&at, span, FaultCause::ItemDuplicate { key: identity.into() });
        }
        if let Some(rule) = rule.items {
            check(run, rule, item, &at);
        }
    }
}

fn shown(node: &Node) -> String {
    node.as_str().map_or_else(|| node.to_json().to_string(), |text| text.to_string())
}

fn check_map(run: &mut Run<'_>, rule: &Rule, entries: &[Entry], at: &At<'_>) {
    if let Some(bound) = rule.bounds.map(entries.len()) {
        run.find(at, FaultCause::OutOfBounds { bound: bound.into() });
    }
    let is_root = matches!(at.step, Step::Root);
    let is_held = |name: &str| is_root && matches!(name, "apiVersion" | "kind" | "metadata" | "status");
    let given: BTreeSet<&str> = entries.iter().map(|entry| &*entry.key).collect();
    let unused = || rule.properties.keys().map(|name| &**name).filter(|name| !given.contains(name) && !is_held(name));
    let is_meant = |name: &str| {
        let unknown = given.iter().filter(|key| !rule.properties.contains_key(**key)).take(MAX_FINDINGS);
        rule.others == Others::Unknown
            && unknown.into_iter().any(|key| nearest_or_related(key, unused()).as_deref() == Some(name))
    };
    for name in &rule.required {
        let is_defaulted = rule.properties.get(name).and_then(|id| run.schema.rule(*id)).is_some_and(|rule| rule.is_defaulted);
        // The mistyped one is told once, where it stands.
        if !is_defaulted && !is_held(name) && !given.contains(&**name) && !is_meant(name) {
            run.find(at, FaultCause::FieldMissing { field: Arc::clone(name) });
        }
    }
    for entry in entries.iter().filter(|entry| !is_held(&entry.key)) {
        let below = at.entry(entry);
        if !rule.properties.contains_key(&entry.key) && rule.others != Others::Unspoken {
            check_key(run, entry, &below);
        }
        match (rule.properties.get(&entry.key), &rule.others) {
            (Some(property), _) => check(run, *property, &entry.value, &below),
            (None, Others::Follow(others)) => check(run, *others, &entry.value, &below),
            (None, Others::Free) => check_free(run, &entry.value, &below),
            (None, Others::Unspoken) => {}
            (None, Others::Unknown) if run.findings.len() >= MAX_FINDINGS => {}
            (None, Others::Unknown) => {
                let cause = FaultCause::FieldUnknown {
                    field: Arc::clone(&entry.key),
                    parent: words::parent(at, run.kind).into(),
                    meant: meant(run.schema, &at.path(), &entry.key, unused()),
                };
                run.find_at(at, entry.key_span, cause);
            }
        }
    }
}

/// A field that is really called `on` cannot be meant otherwise; a free key can.
pub(crate) fn check_key(run: &mut Run<'_>, entry: &Entry, at: &At<'_>) {
    if entry.key_ambiguous {
        run.find_at(at, entry.key_span, FaultCause::BooleanAmbiguous { text: Arc::clone(&entry.key), is_text: true });
    }
}

/// Free content has no types, but the ambiguous words are ambiguous there too.
fn check_free(run: &mut Run<'_>, node: &Node, at: &At<'_>) {
    if let Value::Ambiguous(text) = &node.value {
        run.find(at, FaultCause::BooleanAmbiguous { text: Arc::clone(text), is_text: false });
    }
    for entry in node.entries() {
        let below = at.entry(entry);
        check_key(run, entry, &below);
        check_free(run, &entry.value, &below);
    }
    for (index, item) in node.items().iter().enumerate() {
        check_free(run, item, &at.item(index, item));
    }
}

/// What a rule would find here, kept apart.
fn attempt(run: &mut Run<'_>, id: RuleId, node: &Node, at: &At<'_>) -> Vec<Finding> {
    let kept = std::mem::take(&mut run.findings);
    check(run, id, node, at);
    std::mem::replace(&mut run.findings, kept)
}

fn check_alternatives(run: &mut Run<'_>, alternatives: &Alternatives, node: &Node, at: &At<'_>) {
    let attempts: Vec<Vec<Finding>> = alternatives.branches.iter().map(|branch| attempt(run, *branch, node, at)).collect();
    let matches = attempts.iter().filter(|findings| findings.is_empty()).count();
    let names = || -> Option<String> {
        let names: Option<Vec<String>> =
            alternatives.branches.iter().map(|branch| sole_field(run.schema.rule(*branch)?)).collect();
        names.map(|names| names.join(", "))
    };
    if matches == 1 || (matches > 1 && (!alternatives.is_exclusive || run.is_native)) {
        return;
    }
    let message = match (names(), matches) {
        (Some(names), 0) => format!("one of {names} is required"),
        (Some(names), _) => format!("only one of {names} may be set"),
        (None, 0) => {
            // The branch that nearly fits says best what is wrong.
            let misfit = |findings: &Vec<Finding>| {
                let is_wrong = findings
                    .iter()
                    .any(|finding| finding.span == at.anchor && matches!(finding.cause, FaultCause::TypeWrong { .. }));
                (is_wrong, findings.len())
            };
            let best = attempts.into_iter().min_by_key(misfit).unwrap_or_default();
            return run.findings.extend(best);
        }
        (None, _) => "must have exactly one of the forms that are allowed here".to_owned(),
    };
    run.find(at, FaultCause::RuleViolated { message: message.into() });
}

/// The field that a branch asks for and nothing else, as the variants of a union do.
fn sole_field(rule: &Rule) -> Option<String> {
    match rule.required.as_slice() {
        [name] if rule.any_of.is_empty() && rule.allowed.is_none() => Some(format!("`{name}`")),
        _ => None,
    }
}

fn check_expressions(run: &mut Run<'_>, rule: &Rule, node: &Node, (at, before): (&At<'_>, usize)) {
    let Some(expressions) = &rule.expressions else { return };
    let path = at.path();
    let found = run.findings.get(before..).unwrap_or_default();
    // A rule about fields that are themselves wrong would only repeat that.
    if found.iter().any(|finding| finding.path == path) {
        return;
    }
    let is_sound = found.is_empty();
    let refused: Vec<String> = found.iter().filter_map(|finding| below(&finding.path, &path)).collect();
    let Err(errors) = run.validator.validate_compiled(expressions, &node.to_json(), None) else { return };
    for error in errors {
        if error.kind != ErrorKind::ValidationFailure && !is_sound {
            continue;
        }
        if refused.iter().any(|field| reads(&error.rule, field)) {
            continue;
        }
        let below = parse_path(&error.field_path);
        let span = if below.0.is_empty() { at.anchor } else { node.locate(&below, at.anchor) };
        let mut path = path.clone();
        path.0.extend(below.0);
        let message = error.message.lines().next().unwrap_or_default().trim().into();
        run.findings.push(Finding { path, span, cause: FaultCause::RuleViolated { message } });
    }
}

/// A field below another one as expressions name it; none for items of lists, which stand for themselves.
fn below(field: &FieldPath, parent: &FieldPath) -> Option<String> {
    let mut text = "self".to_owned();
    for segment in field.0.strip_prefix(parent.0.as_slice())? {
        let Segment::Field(name) = segment else { return None };
        text.push('.');
        text.push_str(name);
    }
    Some(text)
}

/// Whether an expression reads the value of a field, or of one below it; whether it is there is no matter of its value.
fn reads(expression: &str, field: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    expression.match_indices(field).any(|(start, _)| {
        let before = expression.get(..start).unwrap_or_default();
        let behind = expression.get(start + field.len()..).unwrap_or_default();
        let is_presence = before.ends_with("has(") && behind.starts_with(')');
        !before.ends_with(is_word) && !behind.starts_with(is_word) && !is_presence
    })
}

/// The path that a rule of a schema names: `.a.b[0]` or `.a['b']`.
fn parse_path(text: &str) -> FieldPath {
    let mut path = FieldPath::root();
    for part in text.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
        let name = part.trim_matches(['\'', '"']);
        path = match part.parse::<usize>() {
            Ok(index) => path.index(index),
            Err(_) => path.field(name),
        };
    }
    path
}

/// Whether a text is a name of an object, and what to write where it is not.
pub(crate) fn check_syntax(text: &str, syntax: Syntax) -> Option<FaultCause> {
    let format = super::Format::Of(syntax);
    (!format.admits(text)).then(|| FaultCause::Malformed { syntax, suggestion: format.suggestion(text) })
}
