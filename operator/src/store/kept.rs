//! Which version of an object serves: the newest, or the last good one where the newest is refused
//! for its own text.

use std::collections::BTreeSet;

use cause::{Fault, FaultCause, ObjectRef, Severity};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use translate::{Translation, Written};

use super::slots::{Slots, with_slots};
use super::{Key, Store};
use crate::kinds::Kind;

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
    let certificates = errors.filter_map(certificate);
    translation.refused().iter().chain(certificates).filter_map(Key::of).collect()
}

fn faults_of(translation: &Translation, key: &Key) -> Vec<Fault> {
    let object = key.reference();
    // Whoever shows a certificate tells that its newest version cannot be shown.
    let of_it = |fault: &&Fault| fault.object.as_ref() == Some(&object) || certificate(fault) == Some(&object);
    translation.faults.iter().filter(of_it).cloned().collect()
}

/// The Secret whose certificate a fault is about.
const fn certificate(fault: &Fault) -> Option<&ObjectRef> {
    if let FaultCause::CertificateInvalid { target, .. } = &fault.cause { Some(target) } else { None }
}

impl<T: DeserializeOwned + PartialEq> Slots<'_, T> {
    /// The earlier good version takes the place of the newest one, if there is one.
    fn keep(&mut self, key: &Key, faults: Vec<Fault>) -> bool {
        let (Some(Written::Good(newest)), Some(Written::Good(earlier))) =
            (self.served.get(&key.name), self.proven.get(&key.name))
        else {
            return false;
        };
        if newest == earlier {
            return false;
        }
        let (newest, earlier) = (Arc::clone(newest), Arc::clone(earlier));
        self.refused.insert(key.name.clone(), Written::Good(newest));
        self.served.insert(key.name.clone(), Written::LastGood(earlier, faults));
        true
    }

    /// The newest version is good.
    fn prove(&mut self, key: &Key) -> bool {
        if let Some(Written::Good(newest)) = self.served.get(&key.name) {
            let newest = Arc::clone(newest);
            self.proven.insert(key.name.clone(), Written::Good(newest));
        }
        false
    }
}
