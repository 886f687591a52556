//! What the operator says of each kind: read by people and pipelines, never by Doorward itself.
//!
//! Words are texts here, not enumerations: an object that a newer version wrote must stay readable
//! to an older one.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The largest whole number that every JSON reader keeps exact.
const MAX_GENERATION: i64 = (1 << 53) - 1;

/// What the operator says of an ApiRoute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = pending()))]
pub struct ApiRouteStatus {
    /// The generation that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = MAX_GENERATION))]
    pub observed_generation: Option<i64>,
    /// How it is, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// The hosts that it is served under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub hosts: Option<String>,
    /// Its versions, newest first, with the stage of those that are not Published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub versions: Option<String>,
    /// How callers prove who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub authentication: Option<String>,
    /// What each Gateway that it names says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub parents: Vec<RouteParent>,
    /// What holds for its calls at each Gateway, and where each rule comes from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["gateway"]))]
    pub effective: Vec<EffectivePolicy>,
}

/// What a Gateway says of a route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteParent {
    /// The Gateway.
    pub parent_ref: StatusParentRef,
    /// Who says it.
    #[schemars(length(max = 253))]
    pub controller_name: String,
    /// How the route is there, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
}

/// The Gateway that a route's parent says it of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusParentRef {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
    /// The listener that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub section_name: Option<String>,
}

/// What holds for a route's calls at one Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EffectivePolicy {
    /// The Gateway, as `namespace/name`.
    #[schemars(length(max = 317))]
    pub gateway: String,
    /// Its listeners that take the route.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 253)), extend("x-kubernetes-list-type" = "atomic"))]
    pub listeners: Vec<String>,
    /// Each rule that holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub rules: Vec<EffectiveRule>,
}

/// One rule that holds, and where it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveRule {
    /// What it is about, such as `timeouts.response` or `limits.per-key`.
    #[schemars(length(max = 128))]
    pub name: String,
    /// What it says.
    #[schemars(length(max = 1024))]
    pub value: String,
    /// `ApiRoute`, the GatewayConfig as `GatewayConfig namespace/name`, or `Default`.
    #[schemars(length(max = 352))]
    pub from: String,
}

/// What the operator says of an ApiKey.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = pending()))]
pub struct ApiKeyStatus {
    /// The generation that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = MAX_GENERATION))]
    pub observed_generation: Option<i64>,
    /// How it is, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// Active, Rotating, Suspended, Expired or NotYetValid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub state: Option<String>,
    /// The application that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub consumer: Option<String>,
    /// The part of its text that may be told, where the text is one of Doorward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub public_id: Option<String>,
    /// From when on it is not valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub expires_at: Option<String>,
    /// Until when the newest text that a rotation replaced and that is still good is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub previous_until: Option<String>,
    /// All texts that rotations replaced and that are still good, newest first, and those that ended early because too
    /// many others were replaced after them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub earlier_texts: Vec<EarlierText>,
    /// When its text is replaced by its age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub next_rotation_at: Option<String>,
}

/// A text of a key that a rotation replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EarlierText {
    /// The part of it that may be told, where it is one of Doorward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub public_id: Option<String>,
    /// From when on it is not good.
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub until: String,
    /// Present where it ended before its overlap was over, because only four earlier texts are good at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_early: Option<bool>,
}

/// What the operator says of an AiModel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = pending()))]
pub struct AiModelStatus {
    /// The generation that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = MAX_GENERATION))]
    pub observed_generation: Option<i64>,
    /// How it is, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// The wire form that its provider speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub dialect: Option<String>,
    /// Where calls to it go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2400))]
    pub endpoint: Option<String>,
}

/// What the operator says of an IdentityProvider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = pending()))]
pub struct IdentityProviderStatus {
    /// The generation that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = MAX_GENERATION))]
    pub observed_generation: Option<i64>,
    /// How it is, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// Where its keys come from: `Inline`, `Discovery`, or the URL of the key set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub keys: Option<String>,
}

/// What the operator says of a GatewayConfig.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = pending()))]
pub struct GatewayConfigStatus {
    /// The generation that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = MAX_GENERATION))]
    pub observed_generation: Option<i64>,
    /// How it is, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// The Gateways that it holds for, as `namespace/name`; those beyond the first 64 are not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 21000))]
    pub gateways: Option<String>,
}

/// The status of an object that no operator has seen yet.
fn pending() -> serde_json::Value {
    serde_json::json!({"conditions": [{
        "type": "Ready",
        "status": "Unknown",
        "reason": "Pending",
        "message": "Waiting for the operator.",
        "lastTransitionTime": "1970-01-01T00:00:00Z",
    }]})
}

/// Conditions as Kubernetes bounds them (KEP-1623).
fn conditions(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "description": "How it is, by type.",
        "type": "array",
        "maxItems": 8,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {"description": "What it is about.", "type": "string", "minLength": 1, "maxLength": 316},
                "status": {"description": "Whether it holds.", "type": "string", "enum": ["True", "False", "Unknown"]},
                "reason": {"description": "Why, in one word.", "type": "string", "minLength": 1, "maxLength": 1024},
                "message": {"description": "Why, and what to do.", "type": "string", "maxLength": 32768},
                "lastTransitionTime": {
                    "description": "Since when the status is so.", "type": "string", "format": "date-time", "maxLength": 64,
                },
                "observedGeneration": {
                    "description": "The generation that it is about.",
                    "type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_GENERATION,
                },
            },
        },
    })
}
