//! Which listener takes a request: by port, then by the most specific host name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use ir::{HostPattern, ListenerId, Protocol};
use policy::matching::HostRank;
use rustls::sign::CertifiedKey;

use super::Router;

/// What a port speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortProtocol {
    /// Plain.
    Http,
    /// TLS.
    Https,
}

/// A port of the configuration. Where it is bound, [`Placement`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// What it speaks.
    pub protocol: PortProtocol,
    /// The listeners' port; 0 where one given address serves all listeners of the protocol.
    pub number: u16,
}

/// Where listeners are bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Serves every plain listener, instead of the listeners' own ports.
    pub http: Option<SocketAddr>,
    /// Serves every TLS listener, instead of the listeners' own ports.
    pub https: Option<SocketAddr>,
    /// In a pod: listeners have its ports ([`ir::container_port`]) in place of their own, at this address.
    pub in_pod: Option<IpAddr>,
}

impl Placement {
    fn port(&self, listener: &ir::Listener) -> Port {
        let (protocol, given) = match listener.protocol {
            Protocol::Http => (PortProtocol::Http, self.http),
            Protocol::Https => (PortProtocol::Https, self.https),
        };
        Port { protocol, number: if given.is_some() { 0 } else { listener.port } }
    }

    /// The address of a port; `None` for one that no listener of a pod can have.
    #[must_use]
    pub fn address(&self, port: Port) -> Option<SocketAddr> {
        let given = match port.protocol {
            PortProtocol::Http => self.http,
            PortProtocol::Https => self.https,
        };
        given.or_else(|| match self.in_pod {
            Some(address) => Some(SocketAddr::new(address, ir::container_port(port.number)?)),
            None => Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port.number))),
        })
    }
}

/// One listener.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    /// Its name.
    pub(crate) id: ListenerId,
    /// The hosts it takes; `None` takes all.
    pub(crate) hostname: Option<HostPattern>,
    /// Its routes.
    pub(crate) router: Router,
    /// Its certificates; empty on plain ports, and where they are broken: handshakes fail then.
    pub(crate) certificates: Vec<Arc<CertifiedKey>>,
}

/// All listeners by port, the most specific host first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ports(BTreeMap<Port, Vec<Listener>>);

impl Ports {
    /// Adds a listener.
    pub(super) fn insert(&mut self, placement: &Placement, written: &ir::Listener, listener: Listener) {
        let listeners = self.0.entry(placement.port(written)).or_default();
        listeners.push(listener);
        listeners.sort_by_key(|listener| std::cmp::Reverse(HostRank::of(listener.hostname.as_ref())));
    }

    /// All listeners, to be changed.
    pub(super) fn listeners_mut(&mut self) -> impl Iterator<Item = &mut Listener> {
        self.0.values_mut().flatten()
    }

    /// All ports.
    #[must_use]
    pub(crate) fn all(&self) -> BTreeSet<Port> {
        self.0.keys().copied().collect()
    }

    /// The listener that takes a host, in lower case without port.
    #[must_use]
    pub(crate) fn listener(&self, port: Port, host: &str) -> Option<&Listener> {
        self.0.get(&port)?.iter().find(|listener| listener.hostname.as_ref().is_none_or(|pattern| pattern.matches(host)))
    }

    /// The certificate for a server name: of the listener that takes it.
    #[must_use]
    pub(crate) fn certificate(&self, port: Port, server_name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let listener = self.listener(port, &server_name.unwrap_or_default().to_ascii_lowercase())?;
        let fits = |key: &&Arc<CertifiedKey>| server_name.is_some_and(|name| names(key, name));
        listener.certificates.iter().find(fits).or_else(|| listener.certificates.first()).cloned()
    }

    /// Whether a host may be asked for on a connection that was opened for `server_name`: they
    /// have the same listener (RFC 9110 section 7.4). Listeners that share a certificate are told
    /// apart all the same, as Gateway API has it: what one checks must not serve the other.
    #[must_use]
    pub(crate) fn directed(&self, port: Port, server_name: &str, host: &str) -> bool {
        match (self.listener(port, server_name), self.listener(port, host)) {
            (Some(one), Some(other)) => one.id == other.id,
            (None, _) | (_, None) => true,
        }
    }
}

/// Whether a certificate is valid for a name.
fn names(key: &CertifiedKey, name: &str) -> bool {
    let Some(certificate) = key.cert.first() else { return false };
    let Ok(name) = rustls_pki_types::ServerName::try_from(name) else { return false };
    rustls::server::ParsedCertificate::try_from(certificate)
        .is_ok_and(|certificate| rustls::client::verify_server_name(&certificate, &name).is_ok())
}
