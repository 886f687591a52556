//! `AiModel`: one model at one provider.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AiModelStatus, BackendTls, SecretKeyRef};

/// One model at one provider.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(group = "doorward.dev", version = "v1alpha1", kind = "AiModel", namespaced, category = "doorward")]
#[kube(doc = "One model at one provider.")]
#[kube(derive = "PartialEq")]
#[kube(status = "AiModelStatus")]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "self.provider != 'Custom' || (has(self.endpoint) && (has(self.endpoint.url) || has(self.endpoint.service)))",
    "`provider: Custom` needs `endpoint.url` or `endpoint.service`"
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

/// Where a provider is: at most one of `url` and `service`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.url) || !has(self.service)", "endpoint must not have both `url` and `service`"))]
#[x_kube(validation = ("!has(self.tls) || !has(self.service)", "`tls` stands only beside `url`"))]
pub struct ModelEndpoint {
    /// The API's base, such as `https://api.openai.com/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 2048), extend("format" = "x-url"))]
    pub url: Option<String>,
    /// A Service of the model's namespace that serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ModelService>,
    /// The wire form it speaks; omitted is the catalogue's, and `OpenAi` for Custom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// Whom to trust; omitted is the system's authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<BackendTls>,
}

/// A Service of the object's own namespace that serves a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelService {
    /// The Service's name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The Service's port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// The API's base path; omitted is `/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), extend("format" = "x-path"))]
    pub path: Option<String>,
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
