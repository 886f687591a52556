//! `GatewayConfig`: how data planes behave.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Deployment, GatewayConfigStatus};

/// How data planes behave; everything has a safe default.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(group = "doorward.dev", version = "v1alpha1", kind = "GatewayConfig", namespaced, category = "doorward")]
#[kube(doc = "How data planes behave; everything has a safe default.")]
#[kube(derive = "PartialEq")]
#[kube(status = "GatewayConfigStatus")]
#[serde(rename_all = "camelCase")]
pub struct GatewayConfigSpec {
    /// Whose address counts as the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<ClientAddress>,
    /// What a caller that has proven a credential may learn; omitted is `Standard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disclosure: Option<Disclosure>,
    /// Times that hold where a route says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
    /// Methods that are served beside GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 32), regex(pattern = r"^[A-Z][A-Z-]*$")), extend("x-kubernetes-list-type" = "set"))]
    pub methods: Option<Vec<String>>,
    /// What is seen from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<Telemetry>,
    /// Where the pages of causes are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs: Option<Docs>,
    /// What upstreams may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstreams: Option<Upstreams>,
    /// How data planes are deployed in a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Deployment>,
}

/// What upstreams may be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Upstreams {
    /// Whether a `url`, key set, introspection or model endpoint and the `externalName` of a Service may lead to
    /// private addresses (RFC 1918, RFC 4193, RFC 6598) in a cluster; omitted is `Deny`. Other Services are not concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_addresses: Option<PrivateAddresses>,
}

/// Whether addresses of private networks may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PrivateAddresses {
    /// They may.
    Allow,
    /// They are refused.
    Deny,
}

/// Whose address counts as the client's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "self.source == 'Forwarded' || !has(self.forwarded)",
    "`forwarded` stands only beside `source: Forwarded`"
))]
pub struct ClientAddress {
    /// Where it is taken from.
    pub source: ClientAddressSource,
    /// How a forwarding header is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<Forwarded>,
}

/// Where the client's address is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClientAddressSource {
    /// The peer of the connection.
    Peer,
    /// The PROXY protocol header that every connection must begin with.
    ProxyProtocol,
    /// A header field that trusted proxies append to.
    Forwarded,
}

/// How a forwarding header is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Forwarded {
    /// Trusted proxies before the gateway; omitted is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16))]
    pub hops: Option<i32>,
    /// The field; omitted is `X-Forwarded-For`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("enum" = ["X-Forwarded-For", "Forwarded"]))]
    pub header: Option<String>,
}

/// What a caller that has proven a credential may learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Disclosure {
    /// Only the class of the refusal.
    Minimal,
    /// What the caller can act on.
    Standard,
    /// What the owner sees too.
    Full,
}

/// Times that hold where a route says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeouts {
    /// From the first byte of a request to the end of its head; omitted is 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), extend("format" = "x-duration"))]
    pub header: Option<String>,
    /// A kept connection without a request; omitted is 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), extend("format" = "x-duration"))]
    pub idle: Option<String>,
    /// The TLS handshake; omitted is 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), extend("format" = "x-duration"))]
    pub handshake: Option<String>,
    /// Connecting to an upstream; omitted is 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), extend("format" = "x-duration"))]
    pub connect: Option<String>,
    /// The head of an upstream's answer; omitted is 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), extend("format" = "x-duration"))]
    pub response: Option<String>,
    /// Between two bytes of a stream; omitted is 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), extend("format" = "x-duration"))]
    pub stream: Option<String>,
    /// How long calls in flight may go on when the gateway stops; omitted is 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), extend("format" = "x-duration"))]
    pub drain: Option<String>,
}

/// What is seen from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Telemetry {
    /// The access log; omitted is `Json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLog>,
    /// Where traces go; omitted sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces: Option<Traces>,
}

/// The access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AccessLog {
    /// One JSON object a call, on standard output.
    Json,
    /// None.
    Off,
}

/// Where traces go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Traces {
    /// The OTLP/HTTP endpoint, such as `http://otel-collector:4318`.
    #[schemars(length(min = 8, max = 2048), extend("format" = "x-url"))]
    pub endpoint: String,
    /// The share of calls without a trace of their own that begin one, 0 to 1; omitted is 0.01.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), regex(pattern = r"^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$"))]
    pub sample: Option<String>,
}

/// Where the pages of causes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Docs {
    /// The address before the code.
    #[schemars(length(min = 8, max = 2048), extend("format" = "x-url"))]
    pub base_url: String,
}
