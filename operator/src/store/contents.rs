//! Secrets and ConfigMaps: told of as metadata, read where something refers to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::slots::with_slots;
use super::{Change, Key, Store};

/// Which contents are known, and which are being read.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The newest version that was told of, of all objects that there are.
    told: BTreeMap<Key, Arc<str>>,
    /// The version that was read, of those that are referred to.
    read: BTreeMap<Key, Arc<str>>,
    /// The version that is being read.
    reading: BTreeMap<Key, Arc<str>>,
}

/// A content to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Of what.
    pub key: Key,
    /// The version that was told of.
    pub version: Arc<str>,
}

/// A content that was read, or not.
#[derive(Clone, Debug)]
pub struct Content {
    /// What was wanted.
    pub wanted: Wanted,
    /// The object without its `resourceVersion`; `None` where it is gone or may not be read.
    pub value: Option<Value>,
}

impl Contents {
    /// A version was told of; whether its content is to be read.
    pub(super) fn told(&mut self, key: &Key, version: &Arc<str>) -> bool {
        self.told.insert(key.clone(), Arc::clone(version)).as_ref() != Some(version)
    }

    pub(super) fn gone(&mut self, key: &Key) {
        self.told.remove(key);
        self.read.remove(key);
        self.reading.remove(key);
    }

    /// Forgets what nothing refers to.
    pub(super) fn retain(&mut self, asked: &BTreeSet<Key>) {
        self.read.retain(|key, _| asked.contains(key));
    }
}

impl Store {
    /// Contents that are referred to and not read in their newest version. Each is said once.
    pub fn wanted(&mut self) -> Vec<Wanted> {
        let Contents { told, read, reading } = &mut self.contents;
        let mut wanted = Vec::new();
        for key in self.asked.iter().filter(|key| key.kind.is_outline()) {
            if let Some(version) = told.get(key)
                && read.get(key) != Some(version)
                && reading.get(key) != Some(version)
            {
                reading.insert(key.clone(), Arc::clone(version));
                wanted.push(Wanted { key: key.clone(), version: Arc::clone(version) });
            }
        }
        wanted
    }

    /// Whether something refers to a content that exists and was never read. What is translated
    /// meanwhile would close what is about to open.
    #[must_use]
    pub fn lacks_content(&self) -> bool {
        let Contents { told, read, .. } = &self.contents;
        self.asked.iter().any(|key| key.kind.is_outline() && told.contains_key(key) && !read.contains_key(key))
    }

    /// Takes in what was read.
    pub fn fill(&mut self, content: Content) -> Change {
        let Content { wanted: Wanted { key, version }, value } = content;
        if self.contents.reading.get(&key) == Some(&version) {
            self.contents.reading.remove(&key);
        }
        if !self.asked.contains(&key) || !self.contents.told.contains_key(&key) {
            return Change::Nothing;
        }
        self.contents.read.insert(key.clone(), version);
        let is_changed = match value {
            Some(value) => self.write(&key, value, false),
            None => with_slots!(self, key.kind, |slots| slots.remove(&key.name)).unwrap_or(false),
        };
        // The first content of an object ends a wait even where there is none.
        self.changed.insert(key);
        if is_changed { Change::Manifests } else { Change::Marks }
    }
}
