//! `IdentityProvider`: who vouches for tokens.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{IdentityProviderStatus, SecretKeyRef};

/// Who vouches for tokens.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(group = "doorward.dev", version = "v1alpha1", kind = "IdentityProvider", namespaced, category = "doorward")]
#[kube(doc = "Who vouches for tokens.")]
#[kube(derive = "PartialEq")]
#[kube(status = "IdentityProviderStatus")]
#[serde(rename_all = "camelCase")]
pub struct IdentityProviderSpec {
    /// `iss` of its tokens; keys are found below it by OIDC discovery unless `jwks` is given.
    #[schemars(length(min = 1, max = 2048), extend("format" = "x-issuer"))]
    pub issuer: String,
    /// `aud` must name one of these.
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub audiences: Vec<String>,
    /// Signature algorithms that are accepted; omitted is RS256, ES256 and EdDSA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 9), extend("x-kubernetes-list-type" = "set"))]
    pub algorithms: Option<Vec<Algorithm>>,
    /// Its keys, when not found by OIDC discovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Jwks>,
    /// Where it is asked about tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection: Option<Introspection>,
    /// Which claims say who a principal is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimPaths>,
    /// Clock difference that is forgiven; omitted is 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), extend("format" = "x-duration"))]
    pub leeway: Option<String>,
    /// Refuse tokens that were issued longer ago; `exp` is then optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), extend("format" = "x-lifetime"))]
    pub max_age: Option<String>,
}

/// A JWS signature algorithm (RFC 7518, RFC 8037); symmetric ones and `none` do not exist here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are those of RFC 7518")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// The keys of an issuer: exactly one of its members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.uri) != has(self.inline)", "jwks must have exactly one of `uri` and `inline`"))]
pub struct Jwks {
    /// Where the key set is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 2048), extend("format" = "x-issuer"))]
    pub uri: Option<String>,
    /// The JSON text of the key set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 65536))]
    pub inline: Option<String>,
}

/// Where an issuer is asked about tokens (RFC 7662).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Introspection {
    /// The endpoint.
    #[schemars(length(min = 8, max = 2048), extend("format" = "x-issuer"))]
    pub uri: String,
    /// The gateway's own client id.
    #[schemars(length(min = 1, max = 512))]
    pub client_id: String,
    /// The gateway's own client secret.
    pub client_secret_ref: SecretKeyRef,
}

/// Which claims say who a principal is; dots step into objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimPaths {
    /// Its name; omitted is `sub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub principal: Option<String>,
    /// Its team; omitted is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub team: Option<String>,
    /// Its roles; omitted is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub roles: Option<String>,
    /// Its scopes; omitted is `scope`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub scopes: Option<String>,
}
