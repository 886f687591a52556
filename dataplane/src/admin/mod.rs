//! The gateway's own servers: management (owner's view, loopback unless asked otherwise), and
//! metrics with health.
//!
//! They share no thread with traffic, so overload of the one does not silence the other. Both are
//! plain HTTP/1.1 and only read: nothing here changes the gateway.

mod answer;
mod doors;
mod serve;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;

use observe::report::Report;
use observe::status::Status;
use tokio::net::TcpListener;

use crate::explain::Described;

/// What the servers ask of a gateway. Clones ask the same gateway.
pub trait Asked: Clone + Send + Sync + 'static {
    /// All counters in Prometheus' text format ([`observe::metrics::CONTENT_TYPE`]).
    fn metrics(&self) -> String;
    /// How the gateway is.
    fn status(&self) -> Status;
    /// Whether it takes requests: its first configuration serves and it is not stopping.
    fn ready(&self) -> bool;
    /// The call of this decision id, if it is still kept. May block for a moment.
    fn decision(&self, id: &str) -> Option<Report>;
    /// What would become of this request now; `None` when the gateway has stopped.
    fn explain(&self, described: Described) -> impl Future<Output = Option<Report>> + Send;
}

/// Which of the two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `GET /status`, `GET /decisions/{id}`, `POST /explain`. Answers to addresses and `localhost`
    /// only: a page of another site can have its own name lead here.
    Management,
    /// `GET /metrics`, `GET /livez`, `GET /readyz`.
    Metrics,
}

/// A server whose address is taken and that does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    door: Door,
}

impl Server {
    /// Takes an address; port 0 takes a free one.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn bind(address: SocketAddr, door: Door) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, door })
    }

    /// The address as it is bound.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is dropped.
    pub async fn serve(self, asked: impl Asked) {
        serve::serve(self.listener, self.door, asked).await;
    }
}
