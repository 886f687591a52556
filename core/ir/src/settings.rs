//! How data planes behave: `GatewayConfig`.

use std::net::IpAddr;
use std::sync::Arc;

use cause::Disclosure;
use serde::{Deserialize, Serialize};

/// The settings of one gateway; [`Settings::default`] is safe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Whose address counts as the client's.
    pub client_address: ClientAddress,
    /// What a caller that has proven a credential may learn.
    pub disclosure: Disclosure,
    /// The defaults of all times.
    pub timeouts: Timeouts,
    /// Methods that are served beside the usual seven.
    pub methods: Vec<Arc<str>>,
    /// The access log.
    pub access_log: AccessLog,
    /// Where traces go; `None` sends none.
    pub traces: Option<Traces>,
    /// Base address of the causes' pages, without a trailing slash.
    pub docs: Arc<str>,
    /// Which addresses a URL of a manifest may lead to.
    pub reach: Reach,
    /// Addresses that it may not lead to whatever `reach` says, unless that is [`Reach::Anywhere`]: the API server's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<IpAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            client_address: ClientAddress::Peer,
            disclosure: Disclosure::Standard,
            timeouts: Timeouts::default(),
            methods: Vec::new(),
            access_log: AccessLog::Json,
            traces: None,
            docs: "https://doorward.dev/causes".into(),
            reach: Reach::Anywhere,
            never: Vec::new(),
        }
    }
}

/// Which addresses the `url` of a backend, a key set, an introspection or a model may lead to, and the `externalName` of
/// a Service. Other Services are not concerned: their addresses are the cluster's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reach {
    /// To all: whoever writes the manifests owns the machine.
    #[default]
    Anywhere,
    /// To all but loopback and link-local ones.
    Private,
    /// To none of those, nor of private networks.
    Public,
}

/// Whose address counts as the client's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientAddress {
    /// The peer of the connection.
    Peer,
    /// The one that a PROXY protocol header names, which every connection must begin with.
    ProxyProtocol,
    /// An entry of a header field, counted from the right: `hops` trusted proxies stand before us.
    Forwarded {
        /// Trusted proxies, at least 1.
        hops: u8,
        /// `x-forwarded-for` or `forwarded`, in lower case.
        header: Arc<str>,
    },
}

/// Times, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// From the first byte of a request to the end of its head.
    pub header_ms: u64,
    /// A kept connection without a request.
    pub idle_ms: u64,
    /// The TLS handshake.
    pub handshake_ms: u64,
    /// Connecting to an upstream.
    pub connect_ms: u64,
    /// The head of an upstream's answer.
    pub response_ms: u64,
    /// Between two bytes of a stream.
    pub stream_ms: u64,
    /// How long calls in flight may go on when the gateway stops.
    pub drain_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            header_ms: 10_000,
            idle_ms: 60_000,
            handshake_ms: 5_000,
            connect_ms: 5_000,
            response_ms: 60_000,
            stream_ms: 60_000,
            drain_ms: 30_000,
        }
    }
}

/// The access log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessLog {
    /// One JSON object a line.
    #[default]
    Json,
    /// None.
    Off,
}

/// Where traces go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traces {
    /// The OTLP/HTTP endpoint, such as `http://127.0.0.1:4318`.
    pub endpoint: Arc<str>,
    /// Share of traces that begin here and are kept, in millionths.
    pub sample_ppm: u32,
}
