//! What a status is to become: what we say, the times that go on, and what others say in it.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::kinds::Kind;

/// The types of conditions that are ours. Conditions of other types are somebody else's and left alone.
const TYPES: [&str; 10] = [
    "Ready",
    "Accepted",
    "ResolvedRefs",
    "Programmed",
    "Reconciling",
    "Stalled",
    "Conflicted",
    "PartiallyInvalid",
    "OverlappingTLSConfig",
    "SupportedVersion",
];
/// What is ours in the statuses of standard kinds.
const OURS: [&str; 6] = ["addresses", "conditions", "listeners", "supportedFeatures", "parents", "loadBalancer"];
/// What a condition says, beside since when.
const SAID: [&str; 5] = ["type", "status", "reason", "message", "observedGeneration"];
/// When a condition began whose beginning nobody told.
const TIME: &str = "lastTransitionTime";

/// The status to write, if the present one says something else.
///
/// `wanted` has no times; a condition keeps its time while its status is the same (API conventions
/// of Kubernetes). In `parents` of an HTTPRoute the entries of other controllers stay.
#[must_use]
pub fn merge(kind: Kind, wanted: &Value, present: &Value, now: Timestamp) -> Option<Value> {
    let now = Value::String(format!("{now:.0}"));
    let mut status = timed(wanted, present, &now);
    if kind == Kind::HttpRoute {
        keep_parents_of_others(&mut status, present);
    }
    if is_said(kind, &status, present) { None } else { Some(status) }
}

/// `wanted` with the times of conditions that say the same in `present`.
fn timed(wanted: &Value, present: &Value, now: &Value) -> Value {
    match wanted {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let beside = present.get(name).unwrap_or(&Value::Null);
                let value = match (name.as_str(), value) {
                    ("conditions", Value::Array(conditions)) => {
                        conditions.iter().map(|condition| condition_timed(condition, beside, now)).collect()
                    }
                    ("listeners" | "parents", Value::Array(items)) => {
                        items.iter().map(|item| timed(item, same(item, beside), now)).collect()
                    }
                    _ => value.clone(),
                };
                (name.clone(), value)
            };
            Value::Object(members.iter().map(member).collect::<Map<_, _>>())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => wanted.clone(),
    }
}

fn condition_timed(condition: &Value, beside: &Value, now: &Value) -> Value {
    let known = items(beside).find(|known| known.get("type") == condition.get("type"));
    let since = known.filter(|known| known.get("status") == condition.get("status")).and_then(|known| known.get(TIME));
    let mut condition = condition.clone();
    if let Some(members) = condition.as_object_mut() {
        members.insert(TIME.to_owned(), since.unwrap_or(now).clone());
    }
    condition
}

/// The item of a list that is the same listener, or the same parent by the same controller.
fn same<'a>(item: &Value, beside: &'a Value) -> &'a Value {
    let is_same = |other: &&Value| match item.get("parentRef") {
        Some(parent) => {
            other.get("controllerName") == item.get("controllerName")
                && other.get("parentRef").is_some_and(|other| other == parent)
        }
        None => other.get("name") == item.get("name"),
    };
    items(beside).find(is_same).unwrap_or(&Value::Null)
}

fn keep_parents_of_others(status: &mut Value, present: &Value) {
    let others = items(present.get("parents").unwrap_or(&Value::Null)).filter(|parent| !is_ours(parent));
    let others: Vec<Value> = others.cloned().collect();
    if let Some(parents) = status.get_mut("parents").and_then(Value::as_array_mut) {
        parents.extend(others);
    }
}

/// Whether an entry of `parents` is ours.
pub(super) fn is_ours(parent: &Value) -> bool {
    parent.get("controllerName").and_then(Value::as_str) == Some(translate::CONTROLLER)
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// Whether the present status says all that this one says, and nothing of ours beside it.
fn is_said(kind: Kind, status: &Value, present: &Value) -> bool {
    let (Some(status), Some(present)) = (status.as_object(), present.as_object()) else {
        return present.is_null() && status.as_object().is_some_and(Map::is_empty);
    };
    // In the statuses of standard kinds others may say what they like.
    let is_ours = |name: &str| kind.group() == crds::GROUP || OURS.contains(&name);
    let names = status.keys().chain(present.keys().filter(|name| !status.contains_key(*name)));
    names.filter(|name| is_ours(name)).all(|name| {
        let both = (status.get(name).unwrap_or(&Value::Null), present.get(name).unwrap_or(&Value::Null));
        equal(name, both.0, both.1)
    })
}

fn equal(name: &str, status: &Value, present: &Value) -> bool {
    match (name, status, present) {
        ("conditions", _, _) => conditions(status) == conditions(present),
        ("listeners" | "parents", Value::Array(all), Value::Array(known)) => {
            all.len() == known.len() && all.iter().zip(known).all(|(one, known)| equal_members(one, known))
        }
        ("loadBalancer", Value::Object(_), Value::Object(_)) => equal_members(status, present),
        // An API server drops nothing, but what is empty may be absent on either side.
        _ => status == present || (is_empty(status) && is_empty(present)),
    }
}

fn equal_members(status: &Value, present: &Value) -> bool {
    let (Some(one), Some(known)) = (status.as_object(), present.as_object()) else { return status == present };
    let names = one.keys().chain(known.keys().filter(|name| !one.contains_key(*name)));
    names.into_iter().all(|name| equal(name, one.get(name).unwrap_or(&Value::Null), known.get(name).unwrap_or(&Value::Null)))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// What conditions of our types say, in one order.
fn conditions(list: &Value) -> Vec<Vec<Option<&Value>>> {
    let ours =
        items(list).filter(|condition| condition.get("type").and_then(Value::as_str).is_some_and(|kind| TYPES.contains(&kind)));
    let mut said: Vec<Vec<Option<&Value>>> =
        ours.map(|condition| SAID.iter().map(|name| condition.get(*name)).collect()).collect();
    said.sort_by_key(|condition| condition.first().copied().flatten().and_then(Value::as_str));
    said
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ready(status: &str, reason: &str, since: Option<&str>) -> Value {
        let mut condition = json!({"type": "Ready", "status": status, "reason": reason, "message": "", "observedGeneration": 1});
        if let Some(since) = since {
            condition[TIME] = json!(since);
        }
        condition
    }

    const OLD: &str = "2026-01-01T00:00:00Z";
    const NOW: &str = "2026-02-02T00:00:00Z";

    fn check(kind: Kind, wanted: &Value, present: &Value, expected: Option<Value>) {
        let written = merge(kind, wanted, present, NOW.parse().unwrap());
        assert_eq!(written, expected, "{wanted} over {present}");
        if let Some(written) = written {
            assert_eq!(merge(kind, wanted, &written, NOW.parse().unwrap()), None, "twice: {wanted}");
        }
    }

    #[test]
    fn times_go_on_while_the_status_is_the_same_and_nothing_is_written_without_a_change() {
        let of = |condition: Value| json!({"observedGeneration": 1, "conditions": [condition]});
        let check = |wanted: Value, present: Value, expected: Option<Value>| check(Kind::ApiRoute, &wanted, &present, expected);
        check(of(ready("True", "Ready", None)), Value::Null, Some(of(ready("True", "Ready", Some(NOW)))));
        check(of(ready("True", "Ready", None)), of(ready("True", "Ready", Some(OLD))), None);
        check(
            of(ready("True", "Other", None)),
            of(ready("True", "Ready", Some(OLD))),
            Some(of(ready("True", "Other", Some(OLD)))),
        );
        check(
            of(ready("False", "Ready", None)),
            of(ready("True", "Ready", Some(OLD))),
            Some(of(ready("False", "Ready", Some(NOW)))),
        );
        // A condition that is not said any more goes; one of somebody else stays unseen.
        let stalled = json!({"type": "Stalled", "status": "True", "reason": "R", "message": "", TIME: OLD});
        let foreign = json!({"type": "Backup", "status": "True", "reason": "R", "message": "", TIME: OLD});
        let with = |other: Value| json!({"observedGeneration": 1, "conditions": [other, ready("True", "Ready", Some(OLD))]});
        check(of(ready("True", "Ready", None)), with(foreign), None);
        check(of(ready("True", "Ready", None)), with(stalled), Some(of(ready("True", "Ready", Some(OLD)))));
    }

    #[test]
    fn listeners_keep_their_times_and_fields_of_others_are_left_alone() {
        let of = |count: u32, since: Option<&str>| json!({"listeners": [{"name": "http", "attachedRoutes": count, "conditions": [ready("True", "R", since)]}]});
        check(Kind::Gateway, &of(1, None), &of(1, Some(OLD)), None);
        check(Kind::Gateway, &of(2, None), &of(1, Some(OLD)), Some(of(2, Some(OLD))));
        let mut present = of(1, Some(OLD));
        present["attachedListenerSets"] = json!(3);
        check(Kind::Gateway, &of(1, None), &present, None);
        present["addresses"] = json!([{"value": "10.0.0.1"}]);
        check(Kind::Gateway, &of(1, None), &present, Some(of(1, Some(OLD))));
    }

    #[test]
    fn parents_of_other_controllers_stay() {
        let parent = |controller: &str, status: &str, since: Option<&str>| json!({"parentRef": {"name": "g"}, "controllerName": controller, "conditions": [ready(status, "R", since)]});
        let other = parent("example.com/other", "True", Some(OLD));
        let wanted = json!({"parents": [parent(translate::CONTROLLER, "True", None)]});
        let expected = json!({"parents": [parent(translate::CONTROLLER, "True", Some(NOW)), other.clone()]});
        check(Kind::HttpRoute, &wanted, &json!({"parents": [other.clone()]}), Some(expected.clone()));
        check(Kind::HttpRoute, &wanted, &expected, None);
        check(Kind::HttpRoute, &json!({"parents": []}), &expected, Some(json!({"parents": [other.clone()]})));
        check(Kind::HttpRoute, &json!({"parents": []}), &json!({"parents": [other]}), None);
    }
}
