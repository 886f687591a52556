//! What a field that a schema does not know was most likely meant to be.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use cause::{FieldMeant, FieldPath, Segment, nearest_or_related};

use super::{RuleId, Schema};

/// The field beside it that is called nearly the same, else where in the kind such a field is, else what may stand here.
pub(super) fn meant<'a>(
    schema: &Schema,
    parent: &FieldPath,
    field: &str,
    beside: impl Iterator<Item = &'a str> + Clone,
) -> FieldMeant {
    match one_of(field, beside) {
        others @ FieldMeant::OneOf(_) => match places(schema, parent, field) {
            places if places.is_empty() => others,
            places => FieldMeant::Elsewhere(places),
        },
        nearest @ (FieldMeant::Nearest(_) | FieldMeant::Elsewhere(_)) => nearest,
    }
}

/// The field beside it that is called nearly the same, else what may stand here.
pub(crate) fn one_of<'a>(field: &str, beside: impl Iterator<Item = &'a str> + Clone) -> FieldMeant {
    let nearest = nearest_or_related(field, beside.clone());
    nearest.map_or_else(|| FieldMeant::OneOf(beside.map(Arc::from).collect()), FieldMeant::Nearest)
}

/// Where a kind has a field of this very name: below the parent where there is one, else anywhere.
fn places(schema: &Schema, parent: &FieldPath, field: &str) -> Vec<Arc<str>> {
    /// With more of them the name alone does not tell what was meant.
    const MOST: usize = 3;
    let mut seen: BTreeSet<usize> = BTreeSet::new();
    let mut waiting: VecDeque<(RuleId, String)> = VecDeque::from([(schema.root(), String::new())]);
    let mut found = Vec::new();
    while let Some((id, path)) = waiting.pop_front() {
        let Some(rule) = schema.rule(id).filter(|_| seen.insert(id.0)) else { continue };
        let is_written = |name: &str| !path.is_empty() || !matches!(name, "metadata" | "status");
        for (name, below) in rule.properties.iter().filter(|(name, _)| is_written(name)) {
            let dot = if path.is_empty() { "" } else { "." };
            let place = format!("{path}{dot}{name}");
            if **name == *field {
                found.push(Arc::from(place.as_str()));
            }
            waiting.push_back((*below, place));
        }
        waiting.extend(rule.items.map(|items| (items, format!("{path}[]"))));
    }
    let inside: String = parent.0.iter().map(step).collect();
    let is_inside = |place: &&Arc<str>| inside.strip_prefix('.').is_some_and(|inside| place.starts_with(inside));
    let inside: Vec<Arc<str>> = found.iter().filter(is_inside).cloned().collect();
    let found = if inside.is_empty() { outside(&found, parent) } else { inside };
    if found.len() > MOST { Vec::new() } else { found }
}

/// The places that somebody may have missed who writes at the top of the specification or of one of its parts. Deeper
/// down the same name mostly means something else.
fn outside(found: &[Arc<str>], parent: &FieldPath) -> Vec<Arc<str>> {
    let near = |place: &&Arc<str>| match parent.0.len() {
        0 => place.split('.').count() == 2,
        1 => place.split('.').count() == 3 && !place.contains("[]"),
        _ => false,
    };
    found.iter().filter(near).cloned().collect()
}

/// One step of a path of the schema, where all items of a list are one.
fn step(segment: &Segment) -> String {
    match segment {
        Segment::Field(name) => format!(".{name}"),
        Segment::Index(_) => "[]".to_owned(),
    }
}
