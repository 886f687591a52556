//! Where requests of one backend go, and how they are spoken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ir::{Endpoint, Roots};

use crate::{Guard, TlsIdentity};

/// How a backend is spoken to.
#[derive(Clone, Debug)]
pub enum Protocol {
    /// HTTP/1.1 without TLS.
    Http1,
    /// HTTP/2 without TLS, with prior knowledge (RFC 9113 section 3.3).
    Http2,
    /// TLS; HTTP/2 or HTTP/1.1 by ALPN.
    Tls(TlsIdentity),
}

/// A backend: built when configuration is compiled, shared by all workers.
#[derive(Debug)]
pub struct Target {
    id: u64,
    name: Arc<str>,
    endpoints: Vec<Endpoint>,
    protocol: Protocol,
    guard: Guard,
}

impl Target {
    /// A backend; `name` is how causes call it, such as `Service shop/orders:8080`.
    #[must_use]
    pub fn new(name: Arc<str>, endpoints: Vec<Endpoint>, protocol: Protocol) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), name, endpoints, protocol, guard: Guard::default() }
    }

    /// The same backend, which leads only where `guard` lets it.
    #[must_use]
    pub fn guarded(self, guard: Guard) -> Self {
        Self { guard, ..self }
    }

    /// How causes call it.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Where it is served.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// How it is spoken to.
    #[must_use]
    pub const fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// Where it may lead.
    pub(crate) const fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Tells targets of one process apart.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    /// What connections of this target may be shared with: same speech, same identity.
    pub(crate) fn speech(&self) -> Speech {
        match &self.protocol {
            Protocol::Http1 => Speech::Http1,
            Protocol::Http2 => Speech::Http2,
            Protocol::Tls(identity) => Speech::Tls(Arc::clone(identity.host()), identity.roots().clone()),
        }
    }
}

/// [`Protocol`] as part of a key: it stays the same when configuration is compiled anew.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Speech {
    Http1,
    Http2,
    Tls(Arc<str>, Roots),
}
