//! `ApiRoute`: one API as a product.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Addresses, ApiRouteStatus, Authentication, Authorization, Consumers, Limit, ParentRef, RouteBackend, Traffic, Validation,
};

/// One API as a product: its versions, who may call, what is checked and where calls go.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(group = "doorward.dev", version = "v1alpha1", kind = "ApiRoute", namespaced, category = "doorward")]
#[kube(doc = "One API as a product: its versions, who may call, what is checked and where calls go.")]
#[kube(derive = "PartialEq")]
#[kube(status = "ApiRouteStatus")]
#[serde(rename_all = "camelCase")]
pub struct ApiRouteSpec {
    /// Gateways that should take the route; omitted is the default Gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub parent_refs: Option<Vec<ParentRef>>,
    /// Hosts that the API is served under, where a first label `*` may stand; omitted is every host of the listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 253)), extend("x-kubernetes-list-type" = "set"))]
    pub hostnames: Option<Vec<String>>,
    /// Whole segments that paths begin with; omitted is `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), extend("format" = "x-path"))]
    pub path: Option<String>,
    /// What else a request must have for this route to take it; one of the alternatives is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub matches: Option<Vec<RouteMatch>>,
    /// How a caller names a version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versioning: Option<Versioning>,
    /// The versions of the API.
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["version"]))]
    pub versions: Vec<RouteVersion>,
    /// How callers prove who they are; an open API says `mode: Anonymous`.
    pub authentication: Authentication,
    /// Whose API keys are admitted; omitted is `from: Same`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumers: Option<Consumers>,
    /// What principals may do; omitted admits every principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Authorization>,
    /// From which networks calls may come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Addresses>,
    /// What request bodies must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
    /// How much may be called; all limits count, the most restrictive decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub limits: Option<Vec<Limit>>,
    /// How requests and answers are shaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
}

/// One alternative of what a request must have; all of its conditions hold together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteMatch {
    /// One of these methods; omitted is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 32), regex(pattern = r"^[A-Z][A-Z-]*$")), extend("x-kubernetes-list-type" = "set"))]
    pub methods: Option<Vec<String>>,
    /// All of these header fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub headers: Option<Vec<ValueMatch>>,
    /// All of these query parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub query_params: Option<Vec<ValueMatch>>,
}

/// One named value that a request must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValueMatch {
    /// How the value is compared; omitted is `Exact`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ValueMatchType>,
    /// The header's or parameter's name.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// The value, or the expression that it matches as a whole.
    #[schemars(length(min = 1, max = 1024))]
    pub value: String,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ValueMatchType {
    /// It is the same.
    Exact,
    /// It matches a linear-time regular expression as a whole.
    RegularExpression,
}

/// How a caller names a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Versioning {
    /// Where a version is looked for, in this order; omitted is Path, Header, Query, MediaType.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4), extend("x-kubernetes-list-type" = "set"))]
    pub select: Option<Vec<VersionSource>>,
    /// The header field; omitted is `Api-Version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), extend("format" = "x-header-name"))]
    pub header: Option<String>,
    /// The query parameter; omitted is `version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub query: Option<String>,
    /// The parameter of the media type; omitted is `version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub media_type: Option<String>,
    /// The version requirement that serves when a caller names none; omitted is the newest Published version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("format" = "x-version-requirement"))]
    pub default: Option<String>,
}

/// Where a caller names a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VersionSource {
    /// The segment behind the route's path: `/orders/v2/...`.
    Path,
    /// A header field.
    Header,
    /// A query parameter.
    Query,
    /// A parameter of the media type in `Accept`, or in `Content-Type`.
    MediaType,
}

/// One version of the API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteVersion {
    /// The full semantic version.
    #[schemars(length(min = 5, max = 64), extend("format" = "x-semver"))]
    pub version: String,
    /// Where it is in its life; omitted is `Published`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// Since when it is deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub deprecated_at: Option<String>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub sunset_at: Option<String>,
    /// What answers its calls.
    pub backend: RouteBackend,
}

/// Where a version is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Stage {
    /// Serves whoever names it exactly, and is listed nowhere.
    Draft,
    /// Serves.
    Published,
    /// Serves, with `Deprecation`, `Sunset` and a link to its successor.
    Deprecated,
    /// Answers 410 with its successor.
    Retired,
}
