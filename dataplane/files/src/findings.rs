//! Where the faults stand that translation found.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectRef};
use manifest::{Finding, Set, State};
use translate::refused_certificate;

use crate::session::{Served, written_now};

/// What the set and translation found, at its places. Of an object whose earlier version serves, the faults
/// of the text that was refused are told.
pub(crate) fn findings(set: &Set, served: &Served) -> Vec<Finding> {
    let states: BTreeMap<&ObjectRef, &State> = set.objects().map(|(key, state)| (&key.reference, state)).collect();
    let located = Located { set, states };
    let kept: BTreeMap<&ObjectRef, &State> = served.kept.iter().map(|(key, state)| (&key.reference, state)).collect();
    let is_kept = |object: Option<&ObjectRef>| object.is_some_and(|object| kept.contains_key(object));

    let refused = served.refused.iter().filter(|fault| is_kept(fault.object.as_ref()) || is_kept(refused_certificate(fault)));
    let refused = refused.filter(|fault| located.is_of_written(fault));
    let others = served.faults.iter().filter(|fault| !is_kept(fault.object.as_ref()) && !located.is_told(fault));
    let others = others.filter(|fault| !served.unread.contains(fault));
    let serving = kept.keys().filter_map(|object| located.serving_last_good(object));
    let found = refused.chain(others).chain(&served.unread).filter_map(|fault| located.finding(fault.clone()));
    set.findings().iter().cloned().chain(found).chain(serving).collect()
}

/// Whether what a schema found says what translation found too: at the same field, or in the same words.
fn says(told: &Fault, fault: &Fault) -> bool {
    let (field, other) = (told.field.to_string(), fault.field.to_string());
    let is_below = other.strip_prefix(field.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    let is_item = matches!((&told.cause, &fault.cause), (FaultCause::ItemDuplicate { .. }, FaultCause::VersionDuplicate { .. }));
    // What is said of a map's fields stands at the map.
    let is_value = field == other && !matches!(told.cause, FaultCause::FieldUnknown { .. } | FaultCause::FieldMissing { .. });
    told.object == fault.object && is_below && (is_value || is_item || told.message() == fault.message())
}

struct Located<'a> {
    set: &'a Set,
    states: BTreeMap<&'a ObjectRef, &'a State>,
}

impl Located<'_> {
    fn state(&self, fault: &Fault) -> Option<&State> {
        fault.object.as_ref().and_then(|object| self.states.get(object)).copied()
    }

    /// Whether a fault is one of the text that stands in the files now.
    fn is_of_written(&self, fault: &Fault) -> bool {
        !matches!(self.state(fault), Some(State::LastGood { .. }))
    }

    /// Whether a fault is told by the file that it stands in, or by the set.
    fn is_told(&self, fault: &Fault) -> bool {
        match self.state(fault) {
            Some(State::Broken { faults, .. }) => faults.iter().any(|told| says(told, fault)),
            Some(State::LastGood { .. }) => fault.cause == FaultCause::ServingLastGood,
            Some(State::Good(_)) | None => false,
        }
    }

    /// Told here where only translation refused what is written; else the set tells it.
    fn serving_last_good(&self, object: &ObjectRef) -> Option<Finding> {
        match self.states.get(object)? {
            State::Good(written) => {
                Some(written.finding(Fault::warning(object.clone(), FieldPath::root(), FaultCause::ServingLastGood)))
            }
            State::LastGood { .. } | State::Broken { .. } => None,
        }
    }

    /// A fault at its place; nothing where there is no file at all.
    fn finding(&self, fault: Fault) -> Option<Finding> {
        let at_file = |fault: Fault, name: Option<&Arc<str>>| {
            let files = self.set.files();
            let file = files.iter().find(|file| Some(file.source.name()) == name).or_else(|| files.first())?;
            Some(Finding { fault, source: Arc::clone(&file.source), place: None, effect: None })
        };
        match self.state(&fault) {
            Some(State::Good(object) | State::Broken { object, .. }) => Some(object.finding(fault)),
            // The text of the earlier version is gone: what stands there now is shown.
            Some(State::LastGood { good, .. }) => match written_now(self.set, good.reference()) {
                Some(object) => Some(object.finding(fault)),
                None => at_file(fault, Some(good.source().name())),
            },
            None => at_file(fault, None),
        }
    }
}
