//! `AiModel`: one model at one provider.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BackendTls, SecretKeyRef};

/// One model at one provider.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(group = "doorward.dev", version = "v1alpha1", kind = "AiModel", namespaced, category = "doorward")]
#[kube(doc = "One model at one provider.")]
#[kube(derive = "PartialEq")]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "self.provider != 'Custom' || (has(self.endpoint) && has(self.endpoint.url))",
    "`provider: Custom` needs `endpoint.url`"
))]
pub struct AiModelSpec {
    /// An id of the built-in catalogue, or `Custom`.
    #[schemars(length(min = 1, max = 63), extend("enum" = ["Custom", "openai"]))]
    pub provider: String,
    /// What the provider calls the model.
    #[schemars(length(min = 1, max = 256))]
    pub model: String,
    /// Where the provider is, when not where the catalogue says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<ModelEndpoint>,
    /// The gateway's own credential at the provider; omitted sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
}

/// Where a provider is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelEndpoint {
    /// The API's base, such as `https://api.openai.com/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 2048), extend("format" = "x-url"))]
    pub url: Option<String>,
    /// The wire form it speaks; omitted is the catalogue's, and `OpenAi` for Custom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// Whom to trust; omitted is the system's authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<BackendTls>,
}

/// A provider's wire form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Dialect {
    /// OpenAI's.
    OpenAi,
}

/// The gateway's own credential at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// Where it is.
    pub secret_ref: SecretKeyRef,
}
