//! The finalizer that keeps a GatewayClass while Gateways use it (Gateway API asks for it).
//!
//! Classes that the chart made have none: they are deleted together with the operator, and nobody would be left to take
//! it away.

use cause::ObjectName;
use crds::standard::{Gateway, GatewayClass};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use translate::{Manifests, Written};

use crate::kinds::Kind;

/// The finalizer, as Gateway API names it.
pub const FINALIZER: &str = "gateway-exists-finalizer.gateway.networking.k8s.io";
/// The field manager of finalizers.
const MANAGER: &str = "doorward-classes";
/// The label of what the chart makes.
const CHART: (&str, &str) = ("app.kubernetes.io/part-of", "doorward");

/// A finalizer that is to be set or taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The class.
    pub class: ObjectName,
    /// Only if it is still this object.
    pub uid: String,
    /// Whether it is to be there.
    pub is_held: bool,
}

/// The finalizers that are not as they should be.
#[must_use]
pub fn survey(manifests: &Manifests) -> Vec<Change> {
    let classes = manifests.gateway_classes.iter().filter_map(|(name, written)| Some((name, written.value()?)));
    let ours = classes.filter(|(_, class)| class.spec.controller_name == translate::CONTROLLER);
    let change = |(name, class): (&ObjectName, &GatewayClass)| {
        let metadata = &class.metadata;
        let has = metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER);
        let is_of_chart = metadata.labels.as_ref().and_then(|labels| labels.get(CHART.0)).is_some_and(|value| value == CHART.1);
        let wants = !is_of_chart && manifests.gateways.values().any(|gateway| uses(gateway, &name.name));
        // None can be added to what is being deleted.
        let is_due = if wants { !has && metadata.deletion_timestamp.is_none() } else { has };
        is_due.then(|| Change { class: name.clone(), uid: metadata.uid.clone().unwrap_or_default(), is_held: wants })
    };
    ours.filter_map(|(name, class)| change((name, class))).collect()
}

/// Whether a Gateway names this class, whatever else it says.
fn uses(gateway: &Written<Gateway>, class: &str) -> bool {
    match gateway {
        Written::Good(gateway) | Written::LastGood(gateway, _) => gateway.spec.gateway_class_name == class,
        Written::Broken(_, tree) => tree.pointer("/spec/gatewayClassName").and_then(Value::as_str) == Some(class),
    }
}

/// Sets or takes away a finalizer.
///
/// # Errors
/// The API server refuses, or does not answer.
pub async fn carry_out(client: &Client, change: &Change) -> Result<(), kube::Error> {
    let resource = Kind::GatewayClass.resource();
    let api: Api<kube::core::DynamicObject> = Api::all_with(client.clone(), &resource);
    let mut metadata = json!({"name": &*change.class.name, "uid": change.uid});
    if change.is_held {
        metadata["finalizers"] = json!([FINALIZER]);
    }
    let patch = json!({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata});
    match api.patch(&change.class.name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&patch)).await {
        Ok(_) => Ok(()),
        // It is gone, or another one.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn class(controller: &str, metadata: Value) -> GatewayClass {
        let mut metadata = metadata;
        metadata["name"] = json!("edge");
        metadata["uid"] = json!("u");
        serde_json::from_value(json!({"metadata": metadata, "spec": {"controllerName": controller}})).unwrap()
    }

    #[test]
    fn classes_are_held_while_gateways_use_them() {
        let check = |class: GatewayClass, gateway: Option<&str>, expected: Option<bool>| {
            let mut manifests = Manifests::default();
            manifests.gateway_classes.insert(ObjectName::new("", "edge"), Written::Good(Arc::new(class.clone())));
            if let Some(name) = gateway {
                let gateway: Gateway = serde_json::from_value(
                    json!({"metadata": {"name": "web"}, "spec": {"gatewayClassName": name, "listeners": []}}),
                )
                .unwrap();
                manifests.gateways.insert(ObjectName::new("shop", "web"), Written::Good(Arc::new(gateway)));
            }
            let found = survey(&manifests);
            assert_eq!(found.first().map(|change| change.is_held), expected, "{class:?} {gateway:?}");
            assert!(found.iter().all(|change| change.uid == "u" && &*change.class.name == "edge"));
        };
        let ours = |metadata: Value| class(translate::CONTROLLER, metadata);
        let held = || json!({"finalizers": ["example.com/other", FINALIZER]});
        check(ours(json!({})), Some("edge"), Some(true));
        check(ours(json!({})), Some("other"), None);
        check(ours(json!({})), None, None);
        check(ours(held()), Some("edge"), None);
        check(ours(held()), Some("other"), Some(false));
        check(ours(held()), None, Some(false));
        check(class("example.com/other", json!({})), Some("edge"), None);
        check(class("example.com/other", held()), None, None);
        // One that is being deleted waits for the last Gateway.
        let ending = |mut metadata: Value| {
            metadata["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            ours(metadata)
        };
        check(ending(json!({})), Some("edge"), None);
        check(ending(held()), Some("edge"), None);
        check(ending(held()), None, Some(false));
        // One of the chart goes with the operator.
        let labels = json!({"app.kubernetes.io/part-of": "doorward"});
        check(ours(json!({"labels": labels})), Some("edge"), None);
        check(ours(json!({"labels": labels, "finalizers": [FINALIZER]})), Some("edge"), Some(false));
    }
}
