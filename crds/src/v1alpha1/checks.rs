//! Who may call, from where and how much.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NameRef;

/// How callers prove who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "has(self.mode) && self.mode == 'Anonymous' ? !has(self.methods) : has(self.methods)",
    "`methods` must name at least one method, unless `mode` is Anonymous, where there must be none"
))]
pub struct Authentication {
    /// Whether callers must prove who they are; omitted is `Required`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<AuthenticationMode>,
    /// What is accepted, tried by what a request carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub methods: Option<Vec<Method>>,
}

/// Whether callers must prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AuthenticationMode {
    /// A good credential is needed.
    Required,
    /// A request without a credential is admitted; one with a bad credential is not.
    Optional,
    /// Credentials are not looked at.
    Anonymous,
    /// Evaluated as `Required`; what that would refuse is recorded and goes on as anonymous.
    Shadow,
}

/// One accepted kind of credential: exactly one of its members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "[has(self.apiKey), has(self.jwt), has(self.introspection)].filter(x, x).size() == 1",
    "a method must have exactly one of `apiKey`, `jwt` and `introspection`"
))]
pub struct Method {
    /// An ApiKey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<ApiKeyMethod>,
    /// A signed token in `Authorization: Bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<TokenMethod>,
    /// A token in `Authorization: Bearer` that the issuer is asked about (RFC 7662).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection: Option<TokenMethod>,
}

/// Where an API key is sent: exactly one of its members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "[has(self.header), has(self.bearer), has(self.query)].filter(x, x).size() == 1",
    "apiKey must have exactly one of `header`, `bearer` and `query`"
))]
pub struct ApiKeyMethod {
    /// In this header field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), extend("format" = "x-header-name"))]
    pub header: Option<String>,
    /// In `Authorization: Bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<BearerSource>,
    /// In this query parameter; it is redacted in logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub query: Option<String>,
}

/// `Authorization: Bearer`; there is nothing to say about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BearerSource {}

/// Tokens of one issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenMethod {
    /// The IdentityProvider; one of another namespace needs a ReferenceGrant there.
    pub provider_ref: NameRef,
}

/// Whose API keys are admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "self.from == 'Selector' ? has(self.selector) : !has(self.selector)",
    "`selector` must stand beside `from: Selector` and nowhere else"
))]
pub struct Consumers {
    /// Keys of which namespaces.
    pub from: ConsumersFrom,
    /// The labels of admitted namespaces; the own namespace is admitted too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// Whether it refuses; omitted is `Enforce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Enforcement>,
}

/// Keys of which namespaces are admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConsumersFrom {
    /// Of the route's own.
    Same,
    /// Of every one.
    All,
    /// Of those whose labels match.
    Selector,
}

/// Labels that must all be there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Label and value.
    #[schemars(schema_with = "bounded_labels")]
    pub match_labels: BTreeMap<String, String>,
}

/// One to 16 labels with values as Kubernetes bounds them.
fn bounded_labels(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "description": "Label and value.",
        "type": "object",
        "minProperties": 1,
        "maxProperties": 16,
        "additionalProperties": {"type": "string", "maxLength": 63},
    })
}

/// What principals may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authorization {
    /// Deny rules are judged first; where there is an Allow rule, one must match.
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub rules: Vec<AuthorizationRule>,
}

/// One rule; all of its conditions hold together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizationRule {
    /// Its name, which refusals tell.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// What a match does; omitted is `Allow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// One of these methods; `GET` covers `HEAD`. Omitted is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 32), regex(pattern = r"^[A-Z][A-Z-]*$")), extend("x-kubernetes-list-type" = "set"))]
    pub methods: Option<Vec<String>>,
    /// One of these roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 128)), extend("x-kubernetes-list-type" = "set"))]
    pub roles: Option<Vec<String>>,
    /// All of these scopes (RFC 6749 section 3.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 128), regex(pattern = r"^[!#-\[\]-~]+$")), extend("x-kubernetes-list-type" = "set"))]
    pub scopes: Option<Vec<String>>,
    /// A CEL expression that is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub when: Option<String>,
    /// Whether it counts; omitted is `Enforce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Enforcement>,
}

/// What a matching rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Effect {
    /// Admits.
    Allow,
    /// Refuses.
    Deny,
}

/// Whether a check refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Enforcement {
    /// It refuses.
    Enforce,
    /// It is evaluated and recorded, and never refuses.
    Shadow,
}

/// Networks that may or may not call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.allow) || has(self.deny)", "addresses must have `allow` or `deny`"))]
pub struct Addresses {
    /// Only these may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), inner(length(min = 2, max = 64)), extend("x-kubernetes-list-type" = "set"))]
    pub allow: Option<Vec<String>>,
    /// These may not; judged first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), inner(length(min = 2, max = 64)), extend("x-kubernetes-list-type" = "set"))]
    pub deny: Option<Vec<String>>,
    /// Whether it refuses; omitted is `Enforce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Enforcement>,
}

/// What request bodies must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    /// The largest body that is accepted, such as `1Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), extend("format" = "x-quantity"))]
    pub max_body_bytes: Option<String>,
}

/// A named limit of requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    /// Its name, which refusals tell.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// What is counted apart; omitted counts all calls together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4), extend("x-kubernetes-list-type" = "set"))]
    pub per: Option<Vec<Dimension>>,
    /// Requests a window.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub requests: i64,
    /// The window.
    #[schemars(length(min = 2, max = 32), extend("format" = "x-duration"))]
    pub window: String,
    /// How many calls may come at once; omitted is `requests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub burst: Option<i64>,
    /// Whether it refuses; omitted is `Enforce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Enforcement>,
}

/// What a limit counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Dimension {
    /// Each principal; anonymous callers share one count.
    Principal,
    /// Each team.
    Team,
    /// Each client address; IPv6 by /64.
    ClientAddress,
    /// Each version of the API.
    Version,
}
