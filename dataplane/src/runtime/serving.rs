//! The configuration that serves now.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::sign::CertifiedKey;

use super::{Port, Runtime};

/// The configuration that serves now, swapped whole. Read by TLS handshakes and by workers when
/// they are told of a swap; requests use their worker's own handle.
#[derive(Debug)]
pub(crate) struct Serving(ArcSwap<Runtime>);

/// What a handshake needs of the configuration.
pub(crate) struct Certificates(arc_swap::Guard<Arc<Runtime>>);

impl Serving {
    /// Begins with this configuration.
    #[must_use]
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        Self(ArcSwap::new(runtime))
    }

    /// Serves this configuration from now on.
    pub(crate) fn swap(&self, runtime: Arc<Runtime>) {
        self.0.store(runtime);
    }

    /// The configuration.
    #[must_use]
    pub(crate) fn runtime(&self) -> Arc<Runtime> {
        self.0.load_full()
    }

    pub(crate) fn load(&self) -> Certificates {
        Certificates(self.0.load())
    }
}

impl Certificates {
    pub(crate) fn certificate(&self, port: Port, server_name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        self.0.ports.certificate(port, server_name)
    }
}
