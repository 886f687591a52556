//! From objects of any kind to the types that translation reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectRef};
use manifest::{Set, State};
use serde_json::Value;
use translate::{Kind, Manifests, Objects, VisitBeside, Written};

use crate::session::written_now;

/// Manifests, and from which values their objects were made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) manifests: Manifests,
    values: BTreeMap<ObjectRef, Arc<Value>>,
}

/// Objects of `set` as typed manifests, in these states. An object whose value is as `before` is taken over from there.
pub(crate) fn decode<'a>(set: &Set, states: impl Iterator<Item = (&'a ObjectRef, &'a State)>, before: &Decoded) -> Decoded {
    let mut kinds: BTreeMap<&str, Vec<One<'_>>> = BTreeMap::new();
    let mut decoded = Decoded::default();
    for (reference, state) in states {
        let newest =
            if let State::LastGood { .. } = state { written_now(set, reference).map(|object| &**object.value()) } else { None };
        let one = One { reference, state, newest, earlier: before.values.get(reference) };
        kinds.entry(&reference.kind).or_default().push(one);
        // An earlier version may be served narrowed, which is not what its text says.
        if let State::Good(good) = state {
            decoded.values.insert(reference.clone(), Arc::clone(good.value()));
        }
    }
    decoded.manifests.each_beside(&before.manifests, &mut Filling(kinds));
    decoded
}

/// Objects by kind, on their way into manifests.
struct Filling<'a>(BTreeMap<&'a str, Vec<One<'a>>>);

impl VisitBeside for Filling<'_> {
    fn visit<T: Kind>(&mut self, objects: &mut Objects<T>, before: &Objects<T>) {
        for one in self.0.remove(T::KIND).into_iter().flatten() {
            objects.insert(one.reference.name.clone(), one.written(before));
        }
    }
}

/// One object on its way.
struct One<'a> {
    reference: &'a ObjectRef,
    state: &'a State,
    /// What is refused, where an earlier version stands in for it.
    newest: Option<&'a Value>,
    /// What it was made of before.
    earlier: Option<&'a Arc<Value>>,
}

impl One<'_> {
    fn written<T: Kind>(&self, before: &Objects<T>) -> Written<T> {
        match self.state {
            State::Good(object) => match self.value(object.value(), before) {
                Ok(value) => Written::Good(value),
                Err(fault) => Written::Broken(vec![*fault], Arc::clone(object.value())),
            },
            // Whoever refused the newer text tells its faults at their places.
            State::LastGood { good, .. } => match self.value(good.value(), before) {
                Ok(value) => {
                    let narrowed = self.newest.and_then(|newest| value.narrowed(newest));
                    Written::LastGood(narrowed.map_or(value, Arc::new), Vec::new())
                }
                Err(fault) => Written::Broken(vec![*fault], Arc::clone(good.value())),
            },
            State::Broken { object, faults } => Written::Broken(faults.clone(), Arc::clone(object.value())),
        }
    }

    fn value<T: Kind>(&self, value: &Arc<Value>, before: &Objects<T>) -> Result<Arc<T>, Box<Fault>> {
        let is_same = self.earlier.is_some_and(|earlier| Arc::ptr_eq(earlier, value) || earlier == value);
        match before.get(&self.reference.name).and_then(Written::value) {
            Some(known) if is_same => Ok(Arc::clone(known)),
            Some(_) | None => T::deserialize(&**value).map(Arc::new).map_err(|error| Box::new(self.misfit(&error))),
        }
    }

    /// What the schema let pass and the type does not, such as a time in `metadata`.
    fn misfit(&self, error: &serde_json::Error) -> Fault {
        let kind = &self.reference.kind;
        let message = match &**kind {
            // The reader's own words may repeat a value.
            "Secret" => "it has not the shape of a Secret".to_owned(),
            _ => format!("it has not the shape of its kind: {error}"),
        };
        Fault::error(self.reference.clone(), FieldPath::root(), FaultCause::RuleViolated { message: message.into() })
    }
}

#[cfg(test)]
mod tests {
    use translate::Visit;

    use super::*;
    use crate::catalog;

    fn set(text: &str) -> Set {
        manifest::update(&Set::default(), vec![manifest::read("f.yaml", text.as_bytes(), catalog())])
    }

    fn decoded(set: &Set, before: &Decoded) -> Decoded {
        decode(set, set.objects().map(|(key, state)| (&key.reference, state)), before)
    }

    /// How many objects of each kind there are.
    struct Counted(Vec<(&'static str, usize)>);

    impl Visit for Counted {
        fn visit<T: Kind>(&mut self, objects: &Objects<T>) {
            self.0.push((T::KIND, objects.len()));
        }
    }

    #[test]
    fn every_kind_has_its_place() {
        let texts = crds::definition::kinds().into_iter().map(|kind| {
            let group = if kind.group.is_empty() { String::new() } else { format!("{}/", kind.group) };
            format!("---\napiVersion: {group}{}\nkind: {}\nmetadata: {{name: a}}\n", kind.version, kind.kind)
        });
        let set = set(&texts.collect::<String>());
        let mut found = Counted(Vec::new());
        decoded(&set, &Decoded::default()).manifests.each(&mut found);
        let mut kinds: Vec<(&str, usize)> = crds::definition::kinds().iter().map(|kind| (kind.kind, 1)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        found.0.sort_unstable();
        assert_eq!(found.0, kinds);
    }

    #[test]
    fn what_a_type_refuses_is_a_fault_without_values() {
        let check = |kind: &str, rest: &str, expected: Option<&str>| {
            let set = set(&format!("apiVersion: v1\nkind: {kind}\nmetadata: {{name: a, {rest}}}\n"));
            let manifests = decoded(&set, &Decoded::default()).manifests;
            let faults = match kind {
                "Secret" => manifests.secrets.values().flat_map(Written::faults).cloned().collect::<Vec<_>>(),
                _ => manifests.services.values().flat_map(Written::faults).cloned().collect(),
            };
            assert_eq!(faults.first().map(Fault::message).as_deref(), expected, "{kind} {rest}");
        };
        check("Secret", "labels: {}", None);
        check("Service", "labels: {}", None);
        check("Secret", "generation: s3cret", Some("it has not the shape of a Secret"));
        let message = "it has not the shape of its kind: invalid type: string \"x\", expected i64";
        check("Service", "generation: x", Some(message));
    }

    #[test]
    fn unchanged_objects_are_taken_over() {
        let text = |a: &str| {
            ["a", "b"].map(|name| {
                let label = if name == "a" { a } else { "same" };
                format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{x: {label}}}}}\n")
            })
        };
        let first = decoded(&set(&text("one").concat()), &Decoded::default());
        let second = decoded(&set(&text("two").concat()), &first);
        let is_shared = |name: &str| {
            let find = |decoded: &Decoded| {
                let name = cause::ObjectName::new("", name);
                Arc::clone(decoded.manifests.namespaces.get(&name).and_then(Written::value).unwrap())
            };
            Arc::ptr_eq(&find(&first), &find(&second))
        };
        assert_eq!(["a", "b"].map(is_shared), [false, true]);
    }
}
