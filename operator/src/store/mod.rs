//! What watches have told so far, as the manifests that translation reads.
//!
//! Pure: the same news in any order that an API server may tell them end in the same store.

mod contents;
mod kept;
mod known;
mod pods;
mod slots;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName, ObjectRef};
use ir::SharedMap;
use serde_json::Value;
use translate::{Manifests, Objects, Written};

use crate::kinds::Kind;
use crate::watch::{News, Object, Source, What};
use contents::Contents;
pub use contents::{Content, Wanted};
pub use kept::{Kept, Recalled};
pub use known::{Known, StatusText};
pub use pods::Pods;
use slots::{Proven, with_slots};

/// An object by kind and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The kind.
    pub kind: Kind,
    /// The name.
    pub name: ObjectName,
}

impl Key {
    /// A key from its parts.
    #[must_use]
    pub const fn new(kind: Kind, name: ObjectName) -> Self {
        Self { kind, name }
    }

    /// The key of an object that translation names; `None` for kinds that are not watched.
    #[must_use]
    pub fn of(object: &ObjectRef) -> Option<Self> {
        Some(Self::new(Kind::of(&object.kind)?, object.name.clone()))
    }

    /// As translation names it.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        ObjectRef::new(self.kind.name(), self.name.clone())
    }
}

/// How far a watch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Its first list is not complete.
    Begun,
    /// Every object was told once.
    Complete,
    /// The cluster does not know the kind.
    Unknown,
}

/// Every object that was told of.
#[derive(Debug, Default)]
pub struct Store {
    /// What translation reads.
    manifests: Manifests,
    /// The newest versions of objects in whose place an earlier one stands in `manifests`.
    refused: Manifests,
    /// The newest versions of which nothing of their own text was wrong.
    proven: Proven,
    known: SharedMap<Key, Known>,
    /// What the list of a watch, which is under way, had so far.
    listing: BTreeMap<Source, BTreeSet<ObjectName>>,
    progress: BTreeMap<Source, Progress>,
    /// The kinds that the cluster does not know and must.
    missing: BTreeSet<Kind>,
    contents: Contents,
    pods: Pods,
    /// What changed since the last translation.
    changed: BTreeSet<Key>,
    /// What the last translation referred to.
    asked: BTreeSet<Key>,
}

/// What news changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// A status, or which version an object is.
    Marks,
    /// Something that translation sees.
    Manifests,
}

impl Store {
    /// A store that waits for the first lists of these watches.
    #[must_use]
    pub fn new(sources: impl IntoIterator<Item = Source>) -> Self {
        let progress = sources.into_iter().map(|source| (source, Progress::Begun)).collect();
        Self { progress, ..Self::default() }
    }

    /// What translation reads.
    #[must_use]
    pub const fn manifests(&self) -> &Manifests {
        &self.manifests
    }

    /// What is known of each object.
    #[must_use]
    pub const fn known(&self) -> &SharedMap<Key, Known> {
        &self.known
    }

    /// The objects of a kind that there are.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&ObjectName, &Known)> {
        let first = Key::new(kind, ObjectName::new("", ""));
        self.known.range_from(&first).take_while(move |(key, _)| key.kind == kind).map(|(key, known)| (&key.name, known))
    }

    /// The pods of data planes.
    #[must_use]
    pub const fn pods(&self) -> &Pods {
        &self.pods
    }

    /// Whether every watch has told all its objects once, or cannot for lack of their kind.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.progress.values().all(|progress| *progress != Progress::Begun)
    }

    /// The watches whose first list is not complete.
    pub fn awaited(&self) -> impl Iterator<Item = &Source> {
        self.progress.iter().filter(|(_, progress)| **progress == Progress::Begun).map(|(source, _)| source)
    }

    /// The kinds that the cluster does not know.
    #[must_use]
    pub fn unknown(&self) -> BTreeSet<Kind> {
        let unknown = self.progress.iter().filter(|(_, progress)| **progress == Progress::Unknown);
        unknown.map(|(source, _)| source.kind).collect()
    }

    /// The kinds that the cluster does not know and without which nothing is served.
    #[must_use]
    pub const fn missing(&self) -> &BTreeSet<Kind> {
        &self.missing
    }

    /// Takes in what a watch says.
    pub fn take(&mut self, news: News) -> Change {
        let News { source, what } = news;
        match what {
            What::ListBegins => {
                self.listing.insert(source, BTreeSet::new());
                Change::Nothing
            }
            What::Listed(object) => {
                if let Some(listing) = self.listing.get_mut(&source) {
                    listing.insert(object.name.clone());
                }
                self.put(source.kind, *object)
            }
            What::ListEnds => {
                self.missing.remove(&source.kind);
                self.complete(source, Progress::Complete)
            }
            What::Changed(object) => self.put(source.kind, *object),
            What::Gone(name) => self.remove(&Key::new(source.kind, name)),
            What::Unknown if source.kind.is_optional() => {
                self.listing.insert(source.clone(), BTreeSet::new());
                self.complete(source, Progress::Unknown)
            }
            What::Unknown => {
                self.missing.insert(source.kind);
                Change::Nothing
            }
            What::Failing(_) => Change::Nothing,
        }
    }

    /// A list is complete: what was not in it is gone.
    fn complete(&mut self, source: Source, progress: Progress) -> Change {
        let listed = self.listing.remove(&source).unwrap_or_default();
        let gone = self.of_kind(source.kind).map(|(name, _)| name);
        let here = |name: &&ObjectName| source.namespace.as_ref().is_none_or(|namespace| *namespace == name.namespace);
        let gone: Vec<Key> =
            gone.filter(here).filter(|name| !listed.contains(name)).map(|name| Key::new(source.kind, name.clone())).collect();
        let mut change = match self.progress.insert(source, progress) {
            // Until then nothing was translated.
            Some(Progress::Begun) => Change::Manifests,
            Some(Progress::Complete | Progress::Unknown) | None => Change::Nothing,
        };
        for key in gone {
            change = change.max(self.remove(&key));
        }
        change
    }

    fn put(&mut self, kind: Kind, object: Object) -> Change {
        let Object { name, marks, value, status } = object;
        let key = Key::new(kind, name);
        let before = self.known.insert(key.clone(), Known { marks: marks.clone(), status: StatusText::of(&status) });
        let seen = match (&before, self.known.get(&key)) {
            (Some(before), Some(now)) if before == now => Change::Nothing,
            _ => Change::Marks,
        };
        let is_replaced = before.is_some_and(|before| before.marks.uid != marks.uid);
        if kind == Kind::Pod {
            return if self.pods.put(&key.name, &marks, &value) { Change::Marks } else { seen };
        }
        if kind.is_outline() {
            return if self.contents.told(&key, &marks.version) { Change::Marks } else { seen };
        }
        if self.write(&key, value, is_replaced) { self.note(key) } else { seen }
    }

    /// An object of a kind that is kept whole.
    fn write(&mut self, key: &Key, value: Value, is_replaced: bool) -> bool {
        with_slots!(self, key.kind, |slots| {
            if is_replaced {
                slots.forget(&key.name);
            }
            slots.put(key, value)
        })
        .unwrap_or(false)
    }

    fn remove(&mut self, key: &Key) -> Change {
        if self.known.remove(key).is_none() {
            return Change::Nothing;
        }
        if key.kind == Kind::Pod {
            self.pods.remove(&key.name);
            return Change::Marks;
        }
        if key.kind.is_outline() {
            self.contents.gone(key);
        }
        let change = self.note(key.clone());
        with_slots!(self, key.kind, |slots| slots.remove(&key.name));
        change
    }

    /// Remembers what changed, if translation would see it.
    fn note(&mut self, key: Key) -> Change {
        let is_seen = if key.kind == Kind::EndpointSlice {
            self.service_of(&key.name).is_none_or(|service| self.asked.contains(&service))
        } else {
            (key.kind != Kind::Service && !key.kind.is_outline()) || self.asked.contains(&key)
        };
        // Nothing is known of what will be asked for before the first translation.
        if is_seen || self.asked.is_empty() {
            self.changed.insert(key);
            Change::Manifests
        } else {
            Change::Marks
        }
    }

    fn service_of(&self, slice: &ObjectName) -> Option<Key> {
        let slice_object = self.manifests.endpoint_slices.get(slice).and_then(Written::value)?;
        let service = slice_object.metadata.labels.as_ref()?.get("kubernetes.io/service-name")?;
        Some(Key::new(Kind::Service, ObjectName::new(Arc::clone(&slice.namespace), service.as_str())))
    }
}

/// What a tree means as an object of its kind; `before` serves on where it means nothing.
fn read<T: translate::Kind>(key: &Key, value: Value, before: Option<&Written<T>>) -> Written<T> {
    let object = T::deserialize(&value).map_err(|error| vec![misfit(&key.reference(), &error)]);
    let unserved = if key.kind == Kind::HttpRoute { unserved(&key.reference(), &value) } else { Vec::new() };
    match object.and_then(|object| if unserved.is_empty() { Ok(object) } else { Err(unserved) }) {
        Ok(object) => Written::Good(Arc::new(object)),
        Err(faults) => match before.and_then(Written::value) {
            Some(good) => Written::LastGood(good.narrowed(&value).map_or_else(|| Arc::clone(good), Arc::new), faults),
            None => Written::Broken(faults, Arc::new(value)),
        },
    }
}

/// What rules ask for that only Gateway API's experimental definitions let pass: a type without these fields would
/// read the rule as if nobody had asked.
fn unserved(object: &ObjectRef, value: &Value) -> Vec<Fault> {
    const FIELDS: [&str; 2] = ["retry", "sessionPersistence"];
    let rules = value.pointer("/spec/rules").and_then(Value::as_array);
    let rules = rules.into_iter().flatten().enumerate();
    let asked =
        rules.flat_map(|(index, rule)| FIELDS.iter().filter(|field| rule.get(field).is_some()).map(move |field| (index, field)));
    asked
        .map(|(index, field)| {
            let what = format!("`{field}` of a rule is not served here").into();
            Fault::error(object.clone(), FieldPath::of("spec.rules").index(index).field(field), FaultCause::NotHere { what })
        })
        .collect()
}

/// What an API server let pass and the type does not: its definition of the kind is an older one.
fn misfit(object: &ObjectRef, error: &serde_json::Error) -> Fault {
    let message = match &*object.kind {
        // The reader's own words may repeat a value.
        "Secret" => "it has not the shape of a Secret".to_owned(),
        _ => format!("it has not the shape of its kind: {error}"),
    };
    Fault::error(object.clone(), FieldPath::root(), FaultCause::RuleViolated { message: message.into() })
}

#[cfg(test)]
mod tests;
