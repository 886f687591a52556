//! Which version of an object serves: the newest, or the last good one where the newest is refused
//! for its own text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cause::{Fault, ObjectName, Severity};
use serde::Serialize;
use serde_json::Value;
use translate::{Objects, Translation, Visit, Written, refused_certificate};

use super::slots::{Slots, with_slots};
use super::{Change, Key, Store};
use crate::kinds::Kind;

/// The version that serves of an object whose newest one is refused.
#[derive(Clone)]
pub struct Kept {
    /// Of which object of its name: `metadata.uid`.
    pub uid: Arc<str>,
    version: Arc<dyn Version>,
}

/// What a version says.
trait Version: Send + Sync {
    fn value(&self) -> serde_json::Result<Value>;
}

impl<T: Serialize + Send + Sync> Version for T {
    fn value(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }
}

impl Kept {
    /// A version of the object of this uid.
    pub(crate) fn new<T: Serialize + Send + Sync + 'static>(uid: &str, version: Arc<T>) -> Self {
        Self { uid: uid.into(), version }
    }

    /// What it says; `None` for what has no form of JSON, which is nothing that was ever read.
    #[must_use]
    pub fn value(&self) -> Option<Value> {
        self.version.value().ok()
    }

    /// Whether both are the same version, and not only equal ones.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.uid == other.uid && Arc::ptr_eq(&self.version, &other.version)
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It may be a Secret.
        f.debug_struct("Kept").field("uid", &self.uid).finish_non_exhaustive()
    }
}

/// A version that was good, as an earlier operator wrote it down.
#[derive(Clone, Debug)]
pub struct Recalled {
    /// Of what.
    pub key: Key,
    /// Of which object of this name.
    pub uid: Arc<str>,
    /// What it says.
    pub value: Value,
}

impl Store {
    /// Settles what changed by what translation found: good versions are remembered, and earlier
    /// ones take the place of refused ones. Whether any did, so that translation must be repeated.
    pub fn settle(&mut self, translation: &Translation) -> bool {
        let refused = refused(translation);
        let mut is_replaced = false;
        for key in std::mem::take(&mut self.changed) {
            let faults = if refused.contains(&key) { faults_of(translation, &key) } else { Vec::new() };
            is_replaced |= with_slots!(self, key.kind, |slots| if refused.contains(&key) {
                slots.keep(&key, faults)
            } else {
                slots.prove(&key)
            })
            .unwrap_or(false);
        }
        self.asked = translation.asked.iter().filter_map(Key::of).collect();
        self.contents.retain(&self.asked);
        let unasked: Vec<Key> = self.unasked();
        for key in unasked {
            with_slots!(self, key.kind, |slots| slots.remove(&key.name));
        }
        is_replaced
    }

    /// The versions that serve although newer ones are there.
    #[must_use]
    pub fn kept(&self) -> BTreeMap<Key, Kept> {
        let mut keeping = Keeping { store: self, kept: BTreeMap::new() };
        self.manifests.each(&mut keeping);
        keeping.kept
    }

    /// Takes in what an earlier operator wrote down. What is of an object that is gone, or of another one of its name,
    /// is nothing; nor is what has not the shape of its kind any more.
    pub fn recall(&mut self, written_down: Vec<Recalled>) -> Change {
        let mut change = Change::Nothing;
        for Recalled { key, uid, value } in written_down {
            if self.known.get(&key).is_some_and(|known| known.marks.uid == uid)
                && with_slots!(self, key.kind, |slots| slots.recall(&key.name, value)).unwrap_or(false)
            {
                self.changed.insert(key);
                change = Change::Manifests;
            }
        }
        change
    }

    /// Contents that nothing refers to any more.
    fn unasked(&self) -> Vec<Key> {
        let secrets = self.manifests.secrets.keys().map(|name| Key::new(Kind::Secret, name.clone()));
        let maps = self.manifests.config_maps.keys().map(|name| Key::new(Kind::ConfigMap, name.clone()));
        secrets.chain(maps).filter(|key| !self.asked.contains(key)).collect()
    }
}

/// Objects that are refused for their own text, whatever others say: Secrets among them where the
/// certificate in them is broken.
fn refused(translation: &Translation) -> BTreeSet<Key> {
    let errors = translation.faults.iter().filter(|fault| fault.severity == Severity::Error);
    let certificates = errors.filter_map(refused_certificate);
    translation.refused().iter().chain(certificates).filter_map(Key::of).collect()
}

fn faults_of(translation: &Translation, key: &Key) -> Vec<Fault> {
    let object = key.reference();
    // Whoever shows a certificate tells that its newest version cannot be shown.
    let of_it = |fault: &&Fault| fault.object.as_ref() == Some(&object) || refused_certificate(fault) == Some(&object);
    translation.faults.iter().filter(of_it).cloned().collect()
}

/// Collects what serves although newer versions are there.
struct Keeping<'a> {
    store: &'a Store,
    kept: BTreeMap<Key, Kept>,
}

impl Visit for Keeping<'_> {
    fn visit<T: translate::Kind>(&mut self, objects: &Objects<T>) {
        let Some(kind) = Kind::of(T::KIND) else { return };
        for (name, written) in objects {
            if let Written::LastGood(version, _) = written {
                let key = Key::new(kind, name.clone());
                let Some(known) = self.store.known().get(&key) else { continue };
                self.kept.insert(key, Kept::new(&known.marks.uid, Arc::clone(version)));
            }
        }
    }
}

impl<T: translate::Kind> Slots<'_, T> {
    /// The earlier good version takes the place of the newest one, if there is one.
    fn keep(&mut self, key: &Key, faults: Vec<Fault>) -> bool {
        let Some(Written::Good(newest)) = self.served.get(&key.name) else { return false };
        let Some(earlier) = self.proven.earlier(&key.name, |version| *version == **newest) else { return false };
        let narrowed = serde_json::to_value(&**newest).ok().and_then(|newest| earlier.narrowed(&newest));
        self.refused.insert(key.name.clone(), Written::Good(Arc::clone(newest)));
        self.served.insert(key.name.clone(), Written::LastGood(narrowed.map_or(earlier, Arc::new), faults));
        true
    }

    /// The newest version is good.
    fn prove(&mut self, key: &Key) -> bool {
        if let Some(Written::Good(newest)) = self.served.get(&key.name) {
            self.proven.prove(key.name.clone(), Arc::clone(newest));
        }
        false
    }

    /// A version was good before; whether it is one.
    fn recall(&mut self, name: &ObjectName, value: Value) -> bool {
        let Ok(version) = T::deserialize(value).map(Arc::new) else { return false };
        self.proven.recall(name.clone(), Arc::clone(&version));
        if let Some(Written::Broken(faults, _)) = self.served.get(name) {
            // Its newest text has not even the shape of its kind.
            let faults = faults.clone();
            self.served.insert(name.clone(), Written::LastGood(version, faults));
        }
        true
    }
}

#[cfg(test)]
mod tests;
