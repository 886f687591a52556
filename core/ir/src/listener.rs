//! Where requests come in.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{CertificateId, HostPattern, ListenerId, Part, Secret};

/// One listener of a Gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    /// The Gateway and the listener's name.
    pub id: ListenerId,
    /// The port.
    pub port: u16,
    /// Plain or TLS.
    pub protocol: Protocol,
    /// The hosts it takes; `None` takes all.
    pub hostname: Option<HostPattern>,
    /// Certificates, for TLS; at least one, or the fault for which handshakes fail.
    pub certificates: Part<Vec<CertificateId>>,
}

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// HTTP/1.1 and HTTP/2 with prior knowledge.
    Http,
    /// The same over TLS.
    Https,
}

/// A certificate chain and its private key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// The Secret.
    pub id: CertificateId,
    /// The chain, in PEM, the host's own certificate first.
    pub chain: Arc<str>,
    /// The private key, in PEM.
    pub key: Secret,
}
