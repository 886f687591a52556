//! Whether an object is one that an API server takes: its kind's own types read it and lose nothing of it.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{IngressClass, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Says what is wrong with an object of the chart.
pub(crate) fn check(object: &Value) -> Result<(), String> {
    match object["kind"].as_str().unwrap_or_default() {
        "Deployment" => kept::<Deployment>(object),
        "Service" => kept::<Service>(object),
        "ServiceAccount" => kept::<ServiceAccount>(object),
        "ClusterRole" => kept::<ClusterRole>(object),
        "ClusterRoleBinding" => kept::<ClusterRoleBinding>(object),
        "Role" => kept::<Role>(object),
        "RoleBinding" => kept::<RoleBinding>(object),
        "IngressClass" => kept::<IngressClass>(object),
        "NetworkPolicy" => kept::<NetworkPolicy>(object),
        "PodDisruptionBudget" => kept::<PodDisruptionBudget>(object),
        "HorizontalPodAutoscaler" => kept::<HorizontalPodAutoscaler>(object),
        "Pod" => kept::<Pod>(object),
        "GatewayClass" | "Gateway" | "GatewayConfig" => judged(object),
        // Their definitions are the Prometheus operator's.
        "ServiceMonitor" => has(object, "/spec/endpoints/0/port"),
        "PodMonitor" => has(object, "/spec/podMetricsEndpoints/0/port"),
        other => Err(format!("nobody knows {other} here")),
    }
}

/// A field that no type knows is lost when it is written again.
fn kept<T: DeserializeOwned + Serialize>(object: &Value) -> Result<(), String> {
    let read: T = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    let written = serde_json::to_value(&read).map_err(|error| error.to_string())?;
    lost(object, &written, "")
}

fn lost(given: &Value, kept: &Value, path: &str) -> Result<(), String> {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => given
            .iter()
            .try_for_each(|(name, value)| lost(value, kept.get(name).unwrap_or(&Value::Null), &format!("{path}.{name}"))),
        (Value::Array(given), Value::Array(kept)) if given.len() == kept.len() => {
            given.iter().zip(kept).enumerate().try_for_each(|(at, (given, kept))| lost(given, kept, &format!("{path}[{at}]")))
        }
        // An empty list or map may be left out.
        (Value::Array(list), Value::Null) if list.is_empty() => Ok(()),
        (Value::Object(map), Value::Null) if map.is_empty() => Ok(()),
        (given, kept) if given == kept => Ok(()),
        (given, kept) => Err(format!("{path} is {given}, understood as {kept}")),
    }
}

/// By the schemas that `doorward check` knows.
fn judged(object: &Value) -> Result<(), String> {
    let file = manifest::read("chart.yaml", object.to_string().as_bytes(), files::catalog());
    match file.findings.first() {
        None => Ok(()),
        Some(finding) => Err(format!("{}: {}", finding.fault.field, finding.fault.message())),
    }
}

fn has(object: &Value, pointer: &str) -> Result<(), String> {
    object.pointer(pointer).map(drop).ok_or_else(|| format!("no {pointer}"))
}

#[test]
fn an_unknown_field_is_found() {
    let service =
        |field: &str| serde_json::json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 1, field: "a"}]}});
    assert_eq!(check(&service("name")), Ok(()));
    assert_eq!(check(&service("nam")), Err(".spec.ports[0].nam is \"a\", understood as null".to_owned()));
}
