//! The objects of several files over time: what each change leaves in force.
//!
//! A file that cannot be read to its end keeps every object that it held; an object that is
//! absent from a file that can be read is gone; a broken update of a good object keeps the last
//! good version. Nothing here knows what an object means.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectRef, Severity};

use crate::document::{File, Finding, Object};

/// What makes an object the same object: group, kind, namespace and name, at whatever version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The group; empty for Kubernetes' core.
    pub group: Arc<str>,
    /// Kind, namespace and name.
    pub reference: ObjectRef,
}

/// What is in force of one object.
#[derive(Clone, Debug)]
pub enum State {
    /// The object as written.
    Good(Arc<Object>),
    /// What was written is refused; an earlier version goes on.
    LastGood {
        /// The earlier version, with the places of its own text.
        good: Arc<Object>,
        /// Why what is written now is refused.
        faults: Vec<Fault>,
    },
    /// There never was a good version: what the object would serve is closed.
    Broken {
        /// What is written.
        object: Arc<Object>,
        /// Why it is refused.
        faults: Vec<Fault>,
    },
}

/// All objects of some files. The empty set is the default.
#[derive(Clone, Debug, Default)]
pub struct Set {
    objects: BTreeMap<ObjectKey, State>,
    files: Vec<File>,
    findings: Vec<Finding>,
}

impl Set {
    /// The objects in the order of their keys. An object without a name is not among them.
    pub fn objects(&self) -> impl Iterator<Item = (&ObjectKey, &State)> {
        self.objects.iter()
    }

    /// One object.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<&State> {
        self.objects.get(key)
    }

    /// The files of which this is the set; their own findings are in them.
    #[must_use]
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// What no file alone can tell: objects that stand twice, and last good versions in force.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl State {
    /// The version that serves: as written, or the last good one.
    #[must_use]
    pub const fn good(&self) -> Option<&Arc<Object>> {
        match self {
            Self::Good(object) | Self::LastGood { good: object, .. } => Some(object),
            Self::Broken { .. } => None,
        }
    }

    /// Why what is written is refused; empty where it is not.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::Good(_) => &[],
            Self::LastGood { faults, .. } | Self::Broken { faults, .. } => faults,
        }
    }

    /// The object that stands for this one in a set, broken or not.
    const fn object(&self) -> &Arc<Object> {
        match self {
            Self::Good(object) | Self::LastGood { good: object, .. } | Self::Broken { object, .. } => object,
        }
    }
}

/// The set after a change: `files` are all files as they are now, each read anew or unchanged.
#[must_use]
pub fn update(previous: &Set, files: Vec<File>) -> Set {
    let mut written: BTreeMap<ObjectKey, Vec<Arc<Object>>> = BTreeMap::new();
    for object in files.iter().flat_map(|file| &file.objects).filter(|object| object.is_named()) {
        let key = ObjectKey { group: object.group().into(), reference: object.reference().clone() };
        written.entry(key).or_default().push(Arc::new(object.clone()));
    }
    let mut set = Set { files, ..Set::default() };
    for (key, versions) in written {
        let last_good = previous.get(&key).and_then(State::good);
        let (state, findings) = settle(&versions, last_good);
        set.findings.extend(findings);
        if let Some(state) = state {
            set.objects.insert(key, state);
        }
    }
    for (key, state) in previous.objects() {
        if set.objects.contains_key(key) {
            continue;
        }
        let file = set.files.iter().find(|file| file.source.name() == state.object().source().name());
        if let Some(file) = file.filter(|file| !file.is_complete) {
            set.findings.extend(kept(key, state, file));
            let state = keep(state, file);
            set.objects.insert(key.clone(), state);
        }
    }
    set
}

/// What is in force of an object that is written once or more.
fn settle(versions: &[Arc<Object>], last_good: Option<&Arc<Object>>) -> (Option<State>, Vec<Finding>) {
    let Some(first) = versions.first() else { return (None, Vec::new()) };
    let mut findings = Vec::new();
    let are_equal = versions.iter().all(|version| version.value() == first.value());
    if !are_equal {
        for (index, version) in versions.iter().enumerate() {
            let others = versions.iter().enumerate().filter(|(other, _)| *other != index);
            let other = others.map(|(_, other)| other).find(|other| other.value() != version.value()).unwrap_or(first);
            findings.push(version.finding(duplicate(version, other)));
        }
    }
    let mut faults: Vec<Fault> = findings.iter().map(|finding| finding.fault.clone()).collect();
    faults.extend(versions.iter().flat_map(|version| version.broken().iter().cloned()));
    let Some(good) = last_good else {
        let object = Arc::clone(first);
        let state = if faults.is_empty() { State::Good(object) } else { State::Broken { object, faults } };
        return (Some(state), findings);
    };
    if faults.is_empty() {
        return (Some(State::Good(Arc::clone(first))), findings);
    }
    findings.push(first.finding(serving_last_good(first.reference())));
    (Some(State::LastGood { good: Arc::clone(good), faults }), findings)
}

fn duplicate(object: &Object, other: &Object) -> Fault {
    let place = other.locate(&FieldPath::root());
    let other = format!("{}:{}", other.source().name(), place.line).into();
    Fault::error(object.reference().clone(), FieldPath::root(), FaultCause::ObjectDuplicate { other })
}

fn serving_last_good(reference: &ObjectRef) -> Fault {
    Fault::warning(reference.clone(), FieldPath::root(), FaultCause::ServingLastGood)
}

/// An object of a file that cannot be read to its end.
fn keep(state: &State, file: &File) -> State {
    let is_whole = |finding: &&Finding| finding.fault.object.is_none() && finding.fault.severity == Severity::Error;
    let faults = || file.findings.iter().filter(is_whole).map(|finding| finding.fault.clone()).collect();
    match state {
        State::Good(good) | State::LastGood { good, .. } => State::LastGood { good: Arc::clone(good), faults: faults() },
        State::Broken { object, faults } => State::Broken { object: Arc::clone(object), faults: faults.clone() },
    }
}

/// Told at the file, because the text that the kept object stood in is gone.
fn kept(key: &ObjectKey, state: &State, file: &File) -> Option<Finding> {
    state.good()?;
    Some(Finding { fault: serving_last_good(&key.reference), source: Arc::clone(&file.source), place: None, effect: None })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::{Catalog, KindSpec};
    use crate::document::{read, unreadable};

    fn file(name: &str, text: &str) -> File {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "integer"}}});
        let mut catalog = Catalog::new("doorward.dev", "v1alpha1");
        let versions = &["v1alpha1"];
        let kind =
            KindSpec { group: "doorward.dev", versions, kind: "Route", is_namespaced: true, is_native: false, schema: &schema };
        catalog.insert(&kind).unwrap();
        read(name, text.as_bytes(), &catalog)
    }

    /// A manifest of a route with a number in it.
    fn route(name: &str, spec: &str) -> String {
        format!("---\napiVersion: doorward.dev/v1alpha1\nkind: Route\nmetadata: {{name: {name}}}\nspec: {spec}\n")
    }

    fn shown(set: &Set) -> Vec<String> {
        let spec = |object: &Arc<Object>| object.value().get("spec").cloned().unwrap_or_default();
        set.objects()
            .map(|(key, state)| {
                let codes: Vec<&str> = state.faults().iter().map(Fault::code).collect();
                let state = match state {
                    State::Good(object) => format!("good {}", spec(object)),
                    State::LastGood { good, .. } => format!("last good {} {codes:?}", spec(good)),
                    State::Broken { .. } => format!("broken {codes:?}"),
                };
                format!("{} {state}", key.reference.name)
            })
            .collect()
    }

    /// Files as name and text, and the objects in force then.
    type Step<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

    fn check(steps: &[Step<'_>]) -> Set {
        let mut set = Set::default();
        for (files, expected) in steps {
            set = update(&set, files.iter().map(|(name, text)| file(name, text)).collect());
            assert_eq!(shown(&set), *expected, "{files:?}");
        }
        set
    }

    #[test]
    fn a_broken_update_keeps_the_last_good_version() {
        let set = check(&[
            (&[("f", &route("a", "1"))], &["default/a good 1"]),
            (&[("f", &route("a", "x"))], &["default/a last good 1 [\"config.wrong_type\"]"]),
            (&[("f", &route("a", "z"))], &["default/a last good 1 [\"config.wrong_type\"]"]),
        ]);
        assert_eq!(set.findings().iter().map(|finding| finding.fault.code()).collect::<Vec<_>>(), ["config.serving_last_good"]);
        check(&[
            (&[("f", &route("a", "x"))], &["default/a broken [\"config.wrong_type\"]"]),
            (&[("f", &route("a", "2"))], &["default/a good 2"]),
            (&[("f", "")], &[]),
        ]);
    }

    #[test]
    fn a_file_that_cannot_be_read_keeps_its_objects() {
        let both = [route("a", "1"), route("b", "2")].concat();
        let torn = [route("a", "3"), "---\nb: [\n".to_owned()].concat();
        check(&[
            (&[("f", &both)], &["default/a good 1", "default/b good 2"]),
            (&[("f", &torn)], &["default/a good 3", "default/b last good 2 [\"config.yaml\"]"]),
            (&[("f", &torn)], &["default/a good 3", "default/b last good 2 [\"config.yaml\"]"]),
            // It moved to another file meanwhile.
            (&[("f", &torn), ("g", &route("b", "4"))], &["default/a good 3", "default/b good 4"]),
            (&[("f", &torn)], &["default/a good 3"]),
            (&[("f", &route("a", "3"))], &["default/a good 3"]),
        ]);
        let good = update(&Set::default(), vec![file("f", &route("a", "1"))]);
        let set = update(&good, vec![unreadable("f", "permission denied")]);
        assert_eq!(shown(&set), ["default/a last good 1 [\"config.path\"]"]);
        assert!(shown(&update(&set, Vec::new())).is_empty());
    }

    #[test]
    fn the_same_object_twice_is_a_fault_at_both_places() {
        check(&[(&[("f", &route("a", "1")), ("g", &route("a", "1"))], &["default/a good 1"])]);
        let set = check(&[
            (&[("f", &route("a", "1"))], &["default/a good 1"]),
            (
                &[("f", &route("a", "1")), ("g", &route("a", "2"))],
                &["default/a last good 1 [\"config.duplicate_object\", \"config.duplicate_object\"]"],
            ),
        ]);
        let found: Vec<String> =
            set.findings().iter().map(|finding| format!("{} {}", finding.file(), finding.fault.message())).collect();
        assert_eq!(
            found,
            [
                "f the same object stands in g:3, differently",
                "g the same object stands in f:3, differently",
                "f this change was refused; the last good version goes on serving",
            ]
        );
    }
}
