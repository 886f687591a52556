//! `ApiKey`: one credential of one consumer.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Addresses, ApiKeyStatus, Limit, NameRef};

/// One credential of one consumer; the namespace is the team.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(group = "doorward.dev", version = "v1alpha1", kind = "ApiKey", namespaced, category = "doorward")]
#[kube(doc = "One credential of one consumer; the namespace is the team.")]
#[kube(derive = "PartialEq")]
#[kube(status = "ApiKeyStatus")]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.rotation) || (has(self.issue) && self.issue == 'Generate')",
    "`rotation` stands only beside `issue: Generate`"
))]
pub struct ApiKeySpec {
    /// The application that holds the key; omitted is the object's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub consumer: Option<String>,
    /// Roles of its principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 128)), extend("x-kubernetes-list-type" = "set"))]
    pub roles: Option<Vec<String>>,
    /// The ApiRoutes that it is for; omitted is every route that admits its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub routes: Option<Vec<NameRef>>,
    /// Who writes the Secret; omitted is `Provided`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue: Option<Issue>,
    /// The Secret of this namespace that holds `key` (its text) or `sha256` (hex).
    pub secret_ref: SecretName,
    /// When the text of a generated key is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// Not valid before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub not_before: Option<String>,
    /// Not valid from this time on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub expires_at: Option<String>,
    /// Refuse it for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<bool>,
    /// From which networks it may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Addresses>,
    /// How much it may be used, beside the limits of routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub limits: Option<Vec<Limit>>,
}

/// A Secret of the object's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretName {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Who writes a key's Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Issue {
    /// Whoever applies the manifests; `doorward key new` does.
    Provided,
    /// The operator, once; only a rotation rewrites it.
    Generate,
}

/// When the text of a generated key is replaced. A new value of annotation `doorward.dev/rotate`
/// replaces it once, beside this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// The age at which it is replaced, at least `10s`; omitted never replaces it by age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), extend("format" = "x-lifetime"))]
    pub every: Option<String>,
    /// How long the old text stays good beside the new one, at least `1s` and shorter than `every`;
    /// omitted is 24h, and half of `every` where that is less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), extend("format" = "x-lifetime"))]
    pub overlap: Option<String>,
}
