//! TLS by server name: the certificate comes from the configuration that serves now.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::runtime::{Port, Serving};

/// Finds the certificate of a server name in the present configuration.
#[derive(Debug)]
struct ByServerName {
    serving: Arc<Serving>,
    port: Port,
}

impl ResolvesServerCert for ByServerName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.serving.load().certificate(self.port, hello.server_name())
    }
}

/// The TLS settings of a port: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
///
/// # Errors
/// If the cryptographic provider lacks a protocol version, which the build rules out.
pub(crate) fn server_config(serving: Arc<Serving>, port: Port) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByServerName { serving, port }));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
