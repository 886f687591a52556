//! The pods of data planes.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::ObjectName;
use serde_json::Value;

use crate::kinds::GATEWAY_NAME;
use crate::provision;
use crate::watch::Marks;

/// One pod of a Gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPlane {
    /// The label that names its Gateway, which is in the pod's namespace: a long name stands there by a hash.
    pub gateway: Arc<str>,
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// Whether it is Ready and not going.
    pub is_ready: bool,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pods {
    pods: BTreeMap<ObjectName, DataPlane>,
}

impl Pods {
    pub(super) fn put(&mut self, name: &ObjectName, marks: &Marks, value: &Value) -> bool {
        let label = value.pointer("/metadata/labels").and_then(|labels| labels.get(GATEWAY_NAME)).and_then(Value::as_str);
        let Some(gateway) = label else { return self.remove(name) };
        let conditions = value.pointer("/status/conditions").and_then(Value::as_array);
        let is_ready = conditions.into_iter().flatten().any(|condition| {
            let text = |field: &str| condition.get(field).and_then(Value::as_str);
            text("type") == Some("Ready") && text("status") == Some("True")
        });
        let pod = DataPlane { gateway: gateway.into(), uid: Arc::clone(&marks.uid), is_ready: is_ready && !marks.is_ending };
        self.pods.insert(name.clone(), pod.clone()).as_ref() != Some(&pod)
    }

    pub(super) fn remove(&mut self, name: &ObjectName) -> bool {
        self.pods.remove(name).is_some()
    }

    /// The pods of a Gateway that serve.
    pub fn ready<'a>(&'a self, gateway: &'a ObjectName) -> impl Iterator<Item = (&'a ObjectName, &'a DataPlane)> {
        let label = provision::label_value(&gateway.name);
        let is_its = move |name: &ObjectName, pod: &DataPlane| name.namespace == gateway.namespace && *pod.gateway == *label;
        self.pods.iter().filter(move |(name, pod)| pod.is_ready && is_its(name, pod))
    }
}
