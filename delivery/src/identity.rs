//! Who may stream what, and the certificate that operators show.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use cause::ObjectName;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Whose token it was, as the API server tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The namespace of the ServiceAccount, which is the pod's too.
    pub namespace: Arc<str>,
    /// The ServiceAccount.
    pub service_account: Arc<str>,
    /// The pod that the token is bound to.
    pub pod_name: Arc<str>,
    /// Its uid.
    pub pod_uid: Arc<str>,
}

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// It is not valid, not for us, or not bound to a pod.
    #[error("the token is not accepted: {0}")]
    Refused(String),
    /// Nobody could be asked.
    #[error("the token cannot be reviewed now: {0}")]
    Unavailable(String),
}

/// The answer to a token, when it is there.
pub type Reviewed<'a> = Pin<Box<dyn Future<Output = Result<Identity, Unauthenticated>> + Send + 'a>>;

/// Reviews the tokens of pods.
pub trait Authenticate: Send + Sync + 'static {
    /// Whose token this is. Only tokens of our audience that are bound to a pod have an identity.
    fn authenticate<'a>(&'a self, token: &'a str) -> Reviewed<'a>;

    /// How often the token of a stream that goes on is reviewed again.
    fn again(&self) -> Duration;

    /// The ServiceAccount, in the Gateway's own namespace, that the pods of a Gateway have and nobody else.
    fn service_account(&self, gateway: &ObjectName) -> String;
}

/// A pod may stream the one Gateway whose ServiceAccount it has.
pub(crate) fn may_stream(authenticate: &dyn Authenticate, identity: &Identity, gateway: &ObjectName) -> bool {
    identity.namespace == gateway.namespace && *identity.service_account == *authenticate.service_account(gateway)
}

/// Why a certificate cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The chain is not PEM, or empty.
    #[error("the certificate chain is not valid PEM")]
    Chain,
    /// The key is not PEM.
    #[error("the private key is not valid PEM")]
    Key,
    /// The two cannot be used together.
    #[error("the certificate cannot be used: {0}")]
    Unusable(String),
}

/// The operator's certificate, which can be replaced while it serves. Clones share it.
#[derive(Clone, Debug)]
pub struct ServerCertificate(Arc<Shown>);

#[derive(Debug)]
struct Shown(ArcSwap<CertifiedKey>);

impl ServerCertificate {
    /// From a chain, the server's own certificate first, and its key, both in PEM.
    ///
    /// # Errors
    /// When they cannot be read or do not belong together.
    pub fn new(chain: &str, key: &str) -> Result<Self, CertificateError> {
        Ok(Self(Arc::new(Shown(ArcSwap::new(certified(chain, key)?)))))
    }

    /// Shows another certificate from the next handshake on. Streams go on.
    ///
    /// # Errors
    /// As [`ServerCertificate::new`]; the old one goes on then.
    pub fn replace(&self, chain: &str, key: &str) -> Result<(), CertificateError> {
        self.0.0.store(certified(chain, key)?);
        Ok(())
    }

    /// TLS 1.3 with HTTP/2 alone.
    pub(crate) fn config(&self) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.0) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

fn certified(chain: &str, key: &str) -> Result<Arc<CertifiedKey>, CertificateError> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().map_err(|_| CertificateError::Chain)?;
    if chain.is_empty() {
        return Err(CertificateError::Chain);
    }
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| CertificateError::Key)?;
    let unusable = |error: rustls::Error| CertificateError::Unusable(error.to_string());
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map(Arc::new).map_err(unusable)
}
