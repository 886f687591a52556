//! Objects that their reader refused, translated for their faults alone.
//!
//! What is wrong with one field says nothing about the others, so whoever wrote the object reads
//! all of it at once. Fields of the wrong shape are left out or filled before the object is
//! decoded; a fault that may come of that, or of a misspelt name, is not told. Nothing that a
//! rehearsal makes is ever served, but for rules of an HTTPRoute that were decoded as they were written.

use std::collections::BTreeSet;

use cause::{Fault, FaultCause, FaultOrigin, FieldPath, Segment, Severity};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::report::Report;

/// A refused object as far as it can be read.
#[derive(Debug)]
pub(crate) struct Rehearsal<'a, T> {
    /// The object; what stands at lost fields is not what was written.
    pub(crate) object: T,
    found: &'a [Fault],
    /// Fields of which nobody knows what they say: misspelt ones and those below.
    lost: Vec<FieldPath>,
    /// Whether fields of the kind itself had to be left out or filled.
    is_filled: bool,
}

impl<'a, T: DeserializeOwned> Rehearsal<'a, T> {
    /// The object, unless what its reader found leaves nothing that can be decoded.
    pub(crate) fn new(tree: &Value, found: &'a [Fault]) -> Option<Self> {
        let unknown: Vec<FieldPath> = found.iter().flat_map(misspelt).collect();
        if let Ok(object) = T::deserialize(tree) {
            return Some(Self { object, found, lost: unknown, is_filled: false });
        }
        let mut wrong: Vec<FieldPath> = found.iter().filter_map(unreadable).chain(found.iter().filter_map(meant)).collect();
        for _ in 0..2 {
            wrong.sort();
            wrong.dedup();
            if let Some(object) = filled(tree, &wrong) {
                let lost = unknown.into_iter().chain(wrong).collect();
                return Some(Self { object, found, lost, is_filled: true });
            }
            // Without the whole fields of the specification in which they stand.
            wrong.iter_mut().for_each(|path| path.0.truncate(WHOLE));
        }
        None
    }
}

impl<T> Rehearsal<'_, T> {
    /// Whether fields of the kind itself had to be left out or filled, so that the object is not what was written.
    pub(crate) const fn is_filled(&self) -> bool {
        self.is_filled
    }

    /// Hands over what was found beside the reader's own faults.
    pub(crate) fn finish(&self, report: Report, faults: &mut Vec<Fault>) {
        faults.extend(report.into_faults().into_iter().filter(|fault| self.is_new(fault)));
    }

    fn is_new(&self, fault: &Fault) -> bool {
        let is_lost = self.lost.iter().any(|lost| fault.field.0.starts_with(&lost.0));
        !is_told(self.found, fault) && !is_lost && !self.may_come_of_loss(fault)
    }

    /// Whether the fault would perhaps not be there if the lost fields could be read.
    fn may_come_of_loss(&self, fault: &Fault) -> bool {
        let place = &fault.field.0;
        let parent = place.split_last().map_or(&place[..], |(_, parent)| parent);
        let loses_in = |whole: &[Segment]| self.lost.iter().any(|lost| lost.0.starts_with(whole));
        match ground(&fault.cause) {
            Ground::Value => false,
            Ground::Reference => match place.last() {
                Some(Segment::Field(_)) if parent.len() >= WHOLE => loses_in(parent),
                Some(Segment::Field(_) | Segment::Index(_)) | None => loses_in(place),
            },
            Ground::Presence => self.is_filled || loses_in(place),
            Ground::Surroundings => self.is_filled || loses_in(parent),
        }
    }
}

/// Whether an object's reader found the same, or why the value there need not be looked at.
pub(crate) fn is_told(found: &[Fault], fault: &Fault) -> bool {
    let warns_of_wrong = |told: &Fault| {
        let is_below = told.severity == Severity::Error && told.field.0.starts_with(&fault.field.0);
        is_below && fault.severity == Severity::Warning
    };
    found.iter().any(|told| {
        let is_here = told.severity == Severity::Error && told.field == fault.field;
        warns_of_wrong(told) || (is_here && (told.code() == fault.code() || judges_value(&told.cause)))
    })
}

/// Segments of a path to a field of the specification: `spec.limits`.
const WHOLE: usize = 2;

/// The field that a kind does not have, and the one that was perhaps meant; the fault stands at
/// the map that holds them.
fn misspelt(fault: &Fault) -> impl Iterator<Item = FieldPath> {
    let written = if let FaultCause::FieldUnknown { field, .. } = &fault.cause { Some(fault.field.field(field)) } else { None };
    written.into_iter().chain(meant(fault))
}

/// The field that was perhaps meant: a reader does not say besides that it is missing.
fn meant(fault: &Fault) -> Option<FieldPath> {
    if let FaultCause::FieldUnknown { meant, .. } = &fault.cause {
        meant.nearest().map(|name| fault.field.field(name))
    } else {
        None
    }
}

/// The field below the specification that a fault may keep from being decoded.
fn unreadable(fault: &Fault) -> Option<FieldPath> {
    let path = if let FaultCause::FieldMissing { field } = &fault.cause {
        fault.field.field(field)
    } else if judges_value(&fault.cause) && !matches!(fault.cause, FaultCause::OutOfBounds { .. }) {
        // A number where a version or a time is asked for is malformed, too.
        fault.field.clone()
    } else {
        // Their values have the type that is asked for, or no reader says these of a field.
        return None;
    };
    (path.0.len() >= WHOLE).then_some(path)
}

/// Whether a reader's fault says that the value at its field is wrong, whatever the field means.
const fn judges_value(cause: &FaultCause) -> bool {
    matches!(
        cause,
        FaultCause::TypeWrong { .. }
            | FaultCause::BooleanAmbiguous { .. }
            | FaultCause::ValueUnknown { .. }
            | FaultCause::OutOfBounds { .. }
            | FaultCause::Malformed { .. }
            | FaultCause::PatternMismatch { .. }
    )
}

/// What a fault was found by looking at.
enum Ground {
    /// The value alone.
    Value,
    /// A reference, whose members stand beside each other.
    Reference,
    /// What the value holds and lacks.
    Presence,
    /// Other fields too.
    Surroundings,
}

fn ground(cause: &FaultCause) -> Ground {
    if cause.origin() == FaultOrigin::Reference {
        Ground::Reference
    } else if matches!(cause, FaultCause::RuleViolated { .. } | FaultCause::ItemDuplicate { .. }) {
        Ground::Presence
    } else if matches!(
        cause,
        FaultCause::FieldMissing { .. }
            | FaultCause::ValueUnknown { .. }
            | FaultCause::KeySetInvalid { .. }
            | FaultCause::RuleNeverMatches { .. }
            | FaultCause::Conflict { .. }
            | FaultCause::NoEffect { .. }
            | FaultCause::RouteBroken
    ) {
        Ground::Surroundings
    } else {
        Ground::Value
    }
}

/// Most fields for which every choice of fillings is tried.
const CHOSEN: usize = 3;

/// The object with these fields left out, or filled where its type needs something there. All
/// choices are tried for a few fields, and the same filling for many.
fn filled<T: DeserializeOwned>(tree: &Value, wrong: &[FieldPath]) -> Option<T> {
    let outermost: BTreeSet<&FieldPath> =
        wrong.iter().filter(|path| !wrong.iter().any(|other| other != *path && path.0.starts_with(&other.0))).collect();
    let fillings = [None, Some(json!("")), Some(json!({})), Some(json!([])), Some(json!(0)), Some(json!(false))];
    let digits = if outermost.len() <= CHOSEN { outermost.len() } else { 1 };
    let choices = (0..digits).fold(1, |choices, _| choices * fillings.len());
    (0..choices).find_map(|mut choice| {
        let mut tree = tree.clone();
        for (index, path) in outermost.iter().enumerate() {
            if index > 0 && digits > 1 {
                choice /= fillings.len();
            }
            fill(&mut tree, path, fillings.get(choice % fillings.len())?.as_ref())?;
        }
        T::deserialize(&tree).ok()
    })
}

/// Writes or removes one field. An item is never removed, so that the others keep their places.
fn fill(tree: &mut Value, path: &FieldPath, filling: Option<&Value>) -> Option<()> {
    let (last, parents) = path.0.split_last()?;
    let mut at = tree;
    for segment in parents {
        at = match segment {
            Segment::Field(name) => at.get_mut(&**name)?,
            Segment::Index(index) => at.get_mut(*index)?,
        };
    }
    match (last, filling) {
        (Segment::Field(name), Some(filling)) => {
            at.as_object_mut()?.insert(name.to_string(), filling.clone());
        }
        (Segment::Field(name), None) => {
            at.as_object_mut()?.remove(&**name);
        }
        (Segment::Index(index), filling) => *at.get_mut(*index)? = filling?.clone(),
    }
    Some(())
}
