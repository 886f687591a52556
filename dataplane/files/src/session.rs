//! What manifests serve over time: each reload keeps the last good version of what it breaks.
//!
//! Two things can be wrong with a changed object. Its text may not have the shape of its kind:
//! [`manifest::update`] keeps the earlier version then. Or it has that shape and means nothing
//! that can be served, which only translation tells: then the earlier version is translated in
//! its place, among all other objects as they are *now*, and serves if that leaves it without an
//! error. So a reference that was withdrawn, or a grant, is withdrawn from the earlier version too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cause::{Fault, FieldPath, ObjectRef, Severity};
use ir::Snapshot;
use jiff::Timestamp;
use manifest::{File, Object, ObjectKey, Place, Report, Set, State};
use translate::{Context, LastGood, Translation, refused_certificate, translate};

use crate::counts::Counts;
use crate::decode::{Decoded, decode};
use crate::effects::Effects;
use crate::findings::findings;
use crate::kinds::catalog;
use crate::load::{Input, load};

/// The manifests of some paths, from one reload to the next.
#[derive(Debug)]
pub struct Session {
    input: Input,
    /// What does not lie at any path.
    beside: Vec<File>,
    context: Context,
    set: Set,
    /// The newest version of each object that was translated without an error.
    proven: LastGood<ObjectKey, Object>,
    decoded: Decoded,
    snapshot: Arc<Snapshot>,
}

/// What a reload found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What is to be served.
    pub snapshot: Arc<Snapshot>,
    /// Whether that differs from what the last reload said; the first one always does.
    pub changed: bool,
    /// Every finding at its place.
    pub report: Report,
    /// How much there is.
    pub counts: Counts,
}

impl Session {
    /// Nothing read yet. The context's `now` is that of each reload.
    #[must_use]
    pub fn new(input: Input, context: Context) -> Self {
        let (set, proven, decoded) = (Set::default(), LastGood::default(), Decoded::default());
        Self { input, beside: Vec::new(), context, set, proven, decoded, snapshot: Arc::default() }
    }

    /// With what was read elsewhere, such as in a cluster; it stays as it is over reloads.
    #[must_use]
    pub fn with(mut self, beside: Vec<File>) -> Self {
        self.beside = beside;
        self
    }

    /// What the paths lead to.
    #[must_use]
    pub const fn input(&self) -> &Input {
        &self.input
    }

    /// The file and the place of a field as it is written now; of the nearest one above where it is not written.
    #[must_use]
    pub fn place_of(&self, object: &ObjectRef, field: &FieldPath) -> Option<(Arc<str>, Place)> {
        let object = written_now(&self.set, object)?;
        Some((Arc::clone(object.source().name()), object.locate(field)))
    }

    /// Reads all paths again. Total: what cannot be read or served is in the report.
    ///
    /// Reads files and compiles expressions, so it blocks: run it on no thread that serves.
    pub fn reload(&mut self, now: Timestamp) -> Outcome {
        self.context.now = now;
        let is_first = self.set.files().is_empty();
        let mut files = load(&self.input, catalog(), self.set.files());
        files.extend(self.beside.iter().cloned());
        self.set = manifest::update(&self.set, files);

        let first = self.translated(&BTreeMap::new());
        let mut served = self.with_last_good(first);
        served.unread = self.unread();
        self.prove(&served);
        let findings = findings(&self.set, &served);
        let changed = is_first || *self.snapshot != served.snapshot;
        self.context.served = served.snapshot.routes.clone();
        if changed {
            self.snapshot = Arc::new(served.snapshot);
        }
        let effects = Effects::of(&self.snapshot);
        Outcome {
            snapshot: Arc::clone(&self.snapshot),
            changed,
            report: Report::new(self.set.files(), findings).with_effects(|finding| effects.tell(finding)),
            counts: Counts::new(&self.set),
        }
    }

    /// All objects, where `kept` stands in for some.
    fn translated(&mut self, kept: &BTreeMap<ObjectKey, State>) -> Translation {
        let states = self.set.objects().map(|(key, state)| (&key.reference, kept.get(key).unwrap_or(state)));
        self.decoded = decode(&self.set, states, &self.decoded);
        translate(&self.decoded.manifests, &self.context)
    }

    /// The translation, with earlier versions of the objects that changed and are in error now.
    fn with_last_good(&mut self, written: Translation) -> Served {
        let mut wrong = self.refused(&written);
        let mut kept = self.earlier(&wrong);
        if kept.is_empty() {
            let (refused, unread) = (Vec::new(), Vec::new());
            return Served { snapshot: written.snapshot, faults: written.faults, kept, refused, unread, wrong };
        }
        let mut served = self.translated(&kept);
        wrong = self.refused(&served);
        let count = kept.len();
        kept.retain(|key, _| !wrong.contains(&key.reference));
        if kept.len() < count {
            // What an earlier version cannot serve either is closed for what is written now.
            served = self.translated(&kept);
            wrong = self.refused(&served);
        }
        let (refused, unread) = (written.faults, Vec::new());
        Served { snapshot: served.snapshot, faults: served.faults, kept, refused, unread, wrong }
    }

    /// The objects in whose place earlier versions may serve: of files those that an error blames, in a cluster those that
    /// their own text closes, as its operator has it.
    fn refused(&self, translation: &Translation) -> BTreeSet<ObjectRef> {
        if self.context.is_standalone() { blamed(&translation.faults) } else { translation.refused() }
    }

    /// What translation finds in texts that have not the shape of their kind and are not served
    /// because an earlier version is.
    fn unread(&self) -> Vec<Fault> {
        let mut written: BTreeMap<&ObjectRef, State> = BTreeMap::new();
        for (key, state) in self.set.objects() {
            if let State::LastGood { faults, .. } = state
                && let Some(object) = written_now(&self.set, &key.reference)
            {
                let state = State::Broken { object: Arc::new(object.clone()), faults: faults.clone() };
                written.insert(&key.reference, state);
            }
        }
        if written.is_empty() {
            return Vec::new();
        }
        let states = self.set.objects().map(|(key, state)| (&key.reference, written.get(&key.reference).unwrap_or(state)));
        let mut faults = translate(&decode(&self.set, states, &self.decoded).manifests, &self.context).faults;
        faults.retain(|fault| {
            let state = fault.object.as_ref().and_then(|object| written.get(object));
            state.is_some_and(|state| !state.faults().contains(fault))
        });
        faults
    }

    /// Earlier versions of those of these objects that have changed since.
    fn earlier(&self, wrong: &BTreeSet<ObjectRef>) -> BTreeMap<ObjectKey, State> {
        let mut earlier = BTreeMap::new();
        for (key, state) in self.set.objects().filter(|(key, _)| wrong.contains(&key.reference)) {
            if let Some(version) = state.good()
                && let Some(good) = self.proven.earlier(key, |proven| proven.value() == version.value())
            {
                earlier.insert(key.clone(), State::LastGood { good, faults: state.faults().to_vec() });
            }
        }
        earlier
    }

    /// Remembers the versions that serve without an error.
    fn prove(&mut self, served: &Served) {
        self.proven.retain(|key| self.set.get(key).is_some());
        for (key, state) in self.set.objects() {
            if let Some(version) = state.good()
                && !served.kept.contains_key(key)
                && !served.wrong.contains(&key.reference)
            {
                self.proven.prove(key.clone(), Arc::clone(version));
            }
        }
    }
}

/// A translation in which earlier versions stand in for some objects.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) snapshot: Snapshot,
    pub(crate) faults: Vec<Fault>,
    /// The earlier versions.
    pub(crate) kept: BTreeMap<ObjectKey, State>,
    /// The faults of all objects as they are written; none where nothing is kept.
    pub(crate) refused: Vec<Fault>,
    /// What is wrong, beside their shape, with texts in whose place an earlier version serves.
    pub(crate) unread: Vec<Fault>,
    /// The objects that do not serve as they are in this translation.
    wrong: BTreeSet<ObjectRef>,
}

/// The first text of an object in the files as they are.
pub(crate) fn written_now<'a>(set: &'a Set, reference: &ObjectRef) -> Option<&'a Object> {
    set.files().iter().flat_map(|file| &file.objects).find(|object| object.reference() == reference)
}

/// The objects that errors blame: the one that each is a fault of, and the Secret of a certificate.
fn blamed(faults: &[Fault]) -> BTreeSet<ObjectRef> {
    let errors = faults.iter().filter(|fault| fault.severity == Severity::Error);
    errors.flat_map(|fault| fault.object.iter().chain(refused_certificate(fault))).cloned().collect()
}

#[cfg(test)]
mod tests;
