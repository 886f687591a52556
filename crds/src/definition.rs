//! What an API server is told of each kind, and what it would check.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use schemars::JsonSchema;
use serde_json::Value;

use crate::columns;
use crate::standard::{
    ConfigMap, EndpointSlice, Gateway, GatewayClass, HttpRoute, Ingress, IngressClass, Namespace, ReferenceGrant, Secret, Service,
};
use crate::v1alpha1::{AiModel, ApiKey, ApiRoute, GatewayConfig, IdentityProvider};

/// One kind that manifests may have.
#[derive(Clone, Debug)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// Its OpenAPI schema, without references.
    pub schema: Value,
}

impl Kind {
    /// Whether its objects are of a namespace.
    #[must_use]
    pub fn is_namespaced(&self) -> bool {
        !matches!(self.kind, "Namespace" | "GatewayClass" | "IngressClass")
    }
}

/// The definitions of our kinds, in the order in which they are listed everywhere.
#[must_use]
pub fn definitions() -> [CustomResourceDefinition; 5] {
    let mut definitions = [ApiRoute::crd(), ApiKey::crd(), AiModel::crd(), IdentityProvider::crd(), GatewayConfig::crd()];
    for (definition, columns) in definitions.iter_mut().zip(columns::all()) {
        for version in &mut definition.spec.versions {
            version.additional_printer_columns = Some(columns.clone());
        }
    }
    definitions
}

/// Every kind that manifests may have: ours with the schema of their definition, standard ones
/// with the schema of their type.
#[must_use]
pub fn kinds() -> Vec<Kind> {
    let ours = ["ApiRoute", "ApiKey", "AiModel", "IdentityProvider", "GatewayConfig"];
    let mut kinds: Vec<Kind> = definitions()
        .into_iter()
        .zip(ours)
        .map(|(definition, kind)| Kind {
            group: crate::GROUP,
            version: crate::VERSION,
            kind,
            schema: schema_of_definition(&definition),
        })
        .collect();
    let gateway = "gateway.networking.k8s.io";
    kinds.extend([
        Kind { group: gateway, version: "v1", kind: "GatewayClass", schema: schema_of::<GatewayClass>() },
        Kind { group: gateway, version: "v1", kind: "Gateway", schema: schema_of::<Gateway>() },
        Kind { group: gateway, version: "v1", kind: "HTTPRoute", schema: schema_of::<HttpRoute>() },
        Kind { group: gateway, version: "v1", kind: "ReferenceGrant", schema: schema_of::<ReferenceGrant>() },
        Kind { group: gateway, version: "v1beta1", kind: "ReferenceGrant", schema: schema_of::<ReferenceGrant>() },
        Kind { group: "networking.k8s.io", version: "v1", kind: "Ingress", schema: schema_of::<Ingress>() },
        Kind { group: "networking.k8s.io", version: "v1", kind: "IngressClass", schema: schema_of::<IngressClass>() },
        Kind { group: "", version: "v1", kind: "Service", schema: schema_of::<Service>() },
        Kind { group: "discovery.k8s.io", version: "v1", kind: "EndpointSlice", schema: schema_of::<EndpointSlice>() },
        Kind { group: "", version: "v1", kind: "Secret", schema: schema_of::<Secret>() },
        Kind { group: "", version: "v1", kind: "ConfigMap", schema: schema_of::<ConfigMap>() },
        Kind { group: "", version: "v1", kind: "Namespace", schema: schema_of::<Namespace>() },
    ]);
    kinds
}

/// The name of each definition's file in `crds/generated`, and what it says.
#[must_use]
pub fn generated() -> Vec<(String, Value)> {
    let name = |definition: &CustomResourceDefinition| format!("{}_{}.yaml", definition.spec.group, definition.spec.names.plural);
    definitions().iter().map(|definition| (name(definition), published(definition))).collect()
}

/// The definition as an API server should have it: our own formats say to `doorward check` which
/// syntax a text has, and an API server would warn of each.
fn published(definition: &CustomResourceDefinition) -> Value {
    let mut value = serde_json::to_value(definition).unwrap_or(Value::Null);
    strip_own_formats(&mut value);
    value
}

fn strip_own_formats(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("x-")) {
                members.remove("format");
            }
            members.values_mut().for_each(strip_own_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_own_formats),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn schema_of_definition(definition: &CustomResourceDefinition) -> Value {
    definition
        .spec
        .versions
        .first()
        .and_then(|version| version.schema.as_ref())
        .and_then(|schema| schema.open_api_v3_schema.as_ref())
        .and_then(|schema| serde_json::to_value(schema).ok())
        .unwrap_or(Value::Null)
}

fn schema_of<T: JsonSchema>() -> Value {
    let settings = schemars::generate::SchemaSettings::openapi3().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}
