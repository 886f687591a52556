//! Where requests go.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{HeaderChanges, ModelId, Part, ServiceId};

/// What answers a version's requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Backend {
    /// Services of the cluster, by weight; at least one, weights may be 0.
    Services(Vec<WeightedService>),
    /// A URL.
    Url(UrlBackend),
    /// The unified AI API over these models, by the names that callers use.
    Models(Vec<ModelId>),
    /// A fixed answer.
    Response(FixedResponse),
    /// A redirect.
    Redirect(Redirect),
}

/// One Service and its share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightedService {
    /// The Service and port, or why it cannot serve its share.
    pub service: Part<ServiceId>,
    /// Its share; 0 takes nothing.
    pub weight: u32,
    /// Changes to the fields of requests that go to it, after those of the route.
    pub request_headers: Option<HeaderChanges>,
    /// Changes to the fields of its answers, before those of the route.
    pub response_headers: Option<HeaderChanges>,
}

/// `http` or `https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scheme {
    /// Plain.
    Http,
    /// TLS.
    Https,
}

/// A URL that requests are sent to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UrlBackend {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// Host name or address, without brackets.
    pub host: Arc<str>,
    /// Port.
    pub port: u16,
    /// Put before the forwarded path; without a trailing slash, empty for none.
    pub path: Arc<str>,
    /// Certificate authorities that are trusted.
    pub roots: Roots,
}

/// Certificate authorities that are trusted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Roots {
    /// The system's.
    System,
    /// These alone, in PEM.
    Given(Arc<str>),
}

/// A Service's port, resolved to addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// The Service and port.
    pub id: ServiceId,
    /// Where it is served.
    pub endpoints: Vec<Endpoint>,
    /// Speak HTTP/2 without TLS (`appProtocol: kubernetes.io/h2c`).
    pub http2: bool,
}

/// One address of a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Endpoint {
    /// An address that the cluster says a Service has.
    Address(SocketAddr),
    /// What somebody wrote (`externalName`, the host of a URL), and a port: a name that is resolved when connecting, or
    /// an address.
    Name(Arc<str>, u16),
}

/// A fixed answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedResponse {
    /// Status, 200 to 599.
    pub status: u16,
    /// Header fields.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// The body.
    pub body: Arc<str>,
}

/// A redirect; what is `None` stays as in the request (Gateway API, HTTPRequestRedirectFilter).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// The scheme.
    pub scheme: Option<Scheme>,
    /// The host.
    pub hostname: Option<Arc<str>>,
    /// The port.
    pub port: Option<u16>,
    /// The path.
    pub path: Option<crate::PathRewrite>,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}
