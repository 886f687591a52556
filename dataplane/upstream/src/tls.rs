//! TLS towards upstreams: whom we trust, whom we expect, and what a failed handshake means.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use ir::Roots;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

/// Whom a TLS connection must reach.
#[derive(Clone)]
pub struct TlsIdentity {
    config: Arc<ClientConfig>,
    server_name: ServerName<'static>,
    host: Arc<str>,
    roots: Roots,
}

impl TlsIdentity {
    /// The identity of `host`, a name or address without brackets, as `roots` vouch for it.
    ///
    /// # Errors
    ///
    /// As [`client_config`], and when `host` is neither a name nor an address.
    pub fn new(host: Arc<str>, roots: Roots) -> Result<Self, Arc<str>> {
        let server_name =
            ServerName::try_from(host.to_string()).map_err(|_| Arc::from("the host is neither a DNS name nor an address"))?;
        Ok(Self { config: client_config(&roots)?, server_name, host, roots })
    }

    pub(crate) const fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    pub(crate) const fn server_name(&self) -> &ServerName<'static> {
        &self.server_name
    }

    pub(crate) const fn host(&self) -> &Arc<str> {
        &self.host
    }

    pub(crate) const fn roots(&self) -> &Roots {
        &self.roots
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").field("host", &self.host).finish_non_exhaustive()
    }
}

/// The settings of TLS connections that trust `roots`, offering HTTP/2 and HTTP/1.1. The system's
/// are read once a process.
///
/// # Errors
///
/// What is wrong with the roots, for their owner.
pub fn client_config(roots: &Roots) -> Result<Arc<ClientConfig>, Arc<str>> {
    static SYSTEM: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    match roots {
        Roots::System => {
            if let Some(config) = SYSTEM.get() {
                return Ok(Arc::clone(config));
            }
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            let config = trusting(store, "the system has no certificate authorities")?;
            Ok(Arc::clone(SYSTEM.get_or_init(|| config)))
        }
        Roots::Given(pem) => {
            let mut store = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|_| Arc::from("the certificate authorities are not valid PEM"))?;
                store
                    .add(certificate)
                    .map_err(|_| Arc::from("one of the certificate authorities is not a usable certificate"))?;
            }
            trusting(store, "there is no certificate in the certificate authorities")
        }
    }
}

fn trusting(store: RootCertStore, when_empty: &'static str) -> Result<Arc<ClientConfig>, Arc<str>> {
    if store.is_empty() {
        return Err(when_empty.into());
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider))
        .build()
        .map_err(|_| Arc::from("the certificate authorities cannot be used"))?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Arc::from("no TLS version is available"))?
        .with_webpki_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// HTTP/2 in ALPN (RFC 9113 section 3.2).
pub(crate) const HTTP_2: &[u8] = b"h2";

/// Why a handshake with `host` failed, for the owner: our words, never the library's.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's list is open, and the rest is alike to the owner")]
pub(crate) fn reason(error: &io::Error, host: &str) -> Arc<str> {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return "the connection ended within the TLS handshake".into();
    };
    match error {
        Error::InvalidCertificate(error) => certificate_reason(error, host),
        Error::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity) => {
            "it accepts no cipher that is offered".into()
        }
        Error::AlertReceived(AlertDescription::ProtocolVersion) => "it accepts neither TLS 1.2 nor TLS 1.3".into(),
        Error::AlertReceived(AlertDescription::UnrecognisedName) => format!("it does not serve the name {host}").into(),
        Error::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::BadCertificate) => {
            "it asks for a client certificate".into()
        }
        Error::AlertReceived(AlertDescription::NoApplicationProtocol) | Error::NoApplicationProtocol => {
            "it speaks neither HTTP/2 nor HTTP/1.1".into()
        }
        Error::AlertReceived(_) => "it refused the TLS handshake".into(),
        Error::PeerIncompatible(_) => "it offers no TLS version or cipher that is accepted".into(),
        Error::InvalidMessage(_) => "it does not speak TLS on this port".into(),
        _ => "the TLS handshake failed".into(),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's list is open, and the rest is alike to the owner")]
fn certificate_reason(error: &CertificateError, host: &str) -> Arc<str> {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "its certificate is not valid yet".into(),
        CertificateError::Revoked => "its certificate is revoked".into(),
        // The latter when the issuer only has the name of a trusted one.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is not signed by a trusted authority".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is not for {host}").into()
        }
        _ => "its certificate is not acceptable".into(),
    }
}
