//! A new connection: TCP, TLS where it is asked for, HTTP by what was agreed.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::failure::connect_reason;
use crate::h1::H1;
use crate::h2::H2;
use crate::peer::Peer;
use crate::stream::Transport;
use crate::target::{Protocol, Target};
use crate::tls;

/// A connection that has served nothing yet.
pub(crate) enum Fresh {
    H1(Box<H1>),
    H2(Rc<H2>),
}

/// Connects to `peer` as `target` speaks, within `limit_ms`.
pub(crate) async fn connect(target: &Target, peer: &Peer, limit_ms: u64) -> Result<Fresh, cause::Upstream> {
    let connecting = timeout(Duration::from_millis(limit_ms), establish(target, peer));
    let fresh = connecting
        .await
        .unwrap_or_else(|_| Err(cause::Upstream::ConnectTimeout { backend: Arc::clone(target.name()), limit_ms }));
    match &fresh {
        Ok(Fresh::H1(_)) => peer.recovered(false),
        Ok(Fresh::H2(_)) => peer.recovered(true),
        Err(_) => peer.failed(),
    }
    fresh
}

async fn establish(target: &Target, peer: &Peer) -> Result<Fresh, cause::Upstream> {
    let backend = || Arc::clone(target.name());
    let unreachable = |error: std::io::Error| cause::Upstream::Unreachable {
        backend: backend(),
        reason: connect_reason(&error, peer.address()),
    };
    let tcp = TcpStream::connect(peer.address()).await.map_err(unreachable)?;
    tcp.set_nodelay(true).map_err(unreachable)?;
    let (transport, http2) = match target.protocol() {
        Protocol::Http1 => (Transport::Plain(tcp), false),
        Protocol::Http2 => (Transport::Plain(tcp), true),
        Protocol::Tls(identity) => {
            let stream = TlsConnector::from(Arc::clone(identity.config()))
                .connect(identity.server_name().clone(), tcp)
                .await
                .map_err(|error| cause::Upstream::Tls { backend: backend(), reason: tls::reason(&error, identity.host()) })?;
            let http2 = stream.get_ref().1.alpn_protocol() == Some(tls::HTTP_2);
            (Transport::Tls(Box::new(stream)), http2)
        }
    };
    if http2 {
        let lost = |_| cause::Upstream::Reset { backend: backend(), reason: "the connection was lost as it began".into() };
        H2::start(transport).await.map(Fresh::H2).map_err(lost)
    } else {
        Ok(Fresh::H1(Box::new(H1::start(transport))))
    }
}
