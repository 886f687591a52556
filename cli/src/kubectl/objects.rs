//! Objects as the API server has them, read leniently: another version of Doorward may have written their status.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::core::ApiResource;
use serde_json::Value;

/// Where it has Pods.
pub(super) fn pods() -> ApiResource {
    ApiResource::erase::<Pod>(&())
}

/// Where it has Secrets.
pub(super) fn secrets() -> ApiResource {
    ApiResource::erase::<Secret>(&())
}

/// Where it has Deployments.
pub(super) fn deployments() -> ApiResource {
    ApiResource::erase::<Deployment>(&())
}

/// Where it has Leases.
pub(super) fn leases() -> ApiResource {
    ApiResource::erase::<Lease>(&())
}

/// The text at a JSON pointer; empty where there is none.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The list at a JSON pointer.
pub(super) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The number at a JSON pointer; 0 where there is none.
pub(super) fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

/// The value of a label.
pub(super) fn label<'a>(object: &'a Value, name: &str) -> &'a str {
    object.pointer("/metadata/labels").and_then(|labels| labels.get(name)).and_then(Value::as_str).unwrap_or_default()
}

/// `namespace/name`, or the name alone.
pub(super) fn full_name(object: &Value) -> String {
    let name = text(object, "/metadata/name");
    match text(object, "/metadata/namespace") {
        "" => name.to_owned(),
        namespace => format!("{namespace}/{name}"),
    }
}

/// One condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition<'a> {
    pub(super) status: &'a str,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
    pub(super) since: &'a str,
}

impl Condition<'_> {
    pub(super) fn is_true(self) -> bool {
        self.status == "True"
    }
}

/// The condition of this type among those of an object or of a part of it. One that is about an earlier generation is
/// `Unknown`: nobody has looked at the object as it is.
pub(super) fn condition<'a>(object: &Value, holder: &'a Value, kind: &str) -> Option<Condition<'a>> {
    let found = list(holder, "/conditions").iter().find(|condition| text(condition, "/type") == kind)?;
    let generation = number(object, "/metadata/generation");
    let seen = found.get("observedGeneration").and_then(Value::as_i64);
    if seen.is_some_and(|seen| seen < generation) {
        let message = "the operator has not seen the newest change yet";
        return Some(Condition { status: "Unknown", reason: "Pending", message, since: text(found, "/lastTransitionTime") });
    }
    Some(Condition {
        status: text(found, "/status"),
        reason: text(found, "/reason"),
        message: text(found, "/message"),
        since: text(found, "/lastTransitionTime"),
    })
}

/// `PartiallyInvalid`, where a route has rules that are not served; told as a condition that should be true, and is not.
pub(super) fn partly_served<'a>(route: &Value, parent: &'a Value) -> Option<Condition<'a>> {
    let found = condition(route, parent, "PartiallyInvalid").filter(|found| found.is_true())?;
    Some(Condition { status: "False", ..found })
}

/// The condition of this type of an object's status.
pub(super) fn of_status<'a>(object: &'a Value, kind: &str) -> Option<Condition<'a>> {
    condition(object, object.get("status")?, kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_condition_of_an_earlier_generation_says_nothing() {
        let object = |generation: i64| {
            let ready = json!({"type": "Ready", "status": "True", "reason": "Serving", "message": "", "observedGeneration": 2});
            json!({"metadata": {"generation": generation}, "status": {"conditions": [ready]}})
        };
        let status = |generation| of_status(&object(generation), "Ready").map(|condition| condition.status.to_owned());
        assert_eq!(status(2).as_deref(), Some("True"));
        assert_eq!(status(3).as_deref(), Some("Unknown"));
        assert_eq!(of_status(&object(2), "Programmed"), None);
        assert_eq!(of_status(&json!({}), "Ready"), None);
    }
}
