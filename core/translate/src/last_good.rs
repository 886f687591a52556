//! Last good versions: what serves in place of an update that is refused.
//!
//! Both readers keep them by the same rules, whatever they call an object and its versions. A version is good once it
//! was translated without an error. One that is refused later gives way to it, unless both say the same. Nothing is
//! kept of an object that is gone, and another object of the same name has no earlier versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::{Fault, FaultCause, ObjectRef};

/// The newest good versions of objects.
#[derive(Clone, Debug, PartialEq)]
pub struct LastGood<K, V> {
    proven: BTreeMap<K, Arc<V>>,
}

impl<K, V> Default for LastGood<K, V> {
    fn default() -> Self {
        Self { proven: BTreeMap::new() }
    }
}

impl<K: Ord, V> LastGood<K, V> {
    /// This version is good.
    pub fn prove(&mut self, key: K, version: Arc<V>) {
        self.proven.insert(key, version);
    }

    /// This version was good, as was written down before there was anybody to remember it. What is known since is newer.
    pub fn recall(&mut self, key: K, version: Arc<V>) {
        self.proven.entry(key).or_insert(version);
    }

    /// What serves in place of a version that is refused. `None` where nothing was good before, or where that
    /// `says_the_same` as the refused one.
    pub fn earlier(&self, key: &K, says_the_same: impl FnOnce(&V) -> bool) -> Option<Arc<V>> {
        self.proven.get(key).filter(|version| !says_the_same(version)).map(Arc::clone)
    }

    /// The object is gone, or another one has its name.
    pub fn forget(&mut self, key: &K) {
        self.proven.remove(key);
    }

    /// All objects are gone that are not there.
    pub fn retain(&mut self, mut is_there: impl FnMut(&K) -> bool) {
        self.proven.retain(|key, _| is_there(key));
    }
}

/// The Secret whose certificate a fault is about: it is refused as well as the object that shows it.
#[must_use]
pub const fn refused_certificate(fault: &Fault) -> Option<&ObjectRef> {
    if let FaultCause::CertificateInvalid { target, .. } = &fault.cause { Some(target) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_version_stands_in_for_another_one_of_the_same_object() {
        let mut kept = LastGood::default();
        let check = |kept: &LastGood<&str, i32>, key: &str, newest: i32, expected: Option<i32>| {
            let earlier = kept.earlier(&key, |version| *version == newest);
            assert_eq!(earlier.as_deref().copied(), expected, "{key} {newest}");
        };
        check(&kept, "a", 2, None);
        kept.prove("a", Arc::new(1));
        check(&kept, "a", 2, Some(1));
        check(&kept, "a", 1, None);
        kept.prove("a", Arc::new(3));
        check(&kept, "a", 1, Some(3));
        // What was written down is older than what was seen since.
        kept.recall("a", Arc::new(1));
        check(&kept, "a", 2, Some(3));
        kept.recall("b", Arc::new(7));
        check(&kept, "b", 8, Some(7));
        kept.forget(&"a");
        check(&kept, "a", 2, None);
        kept.retain(|key| *key != "b");
        check(&kept, "b", 8, None);
    }
}
