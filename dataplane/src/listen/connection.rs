//! What is known of one client connection.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cause::Framing;
use wire::h1::{Glimpse, Violation};

use crate::gateway::Origin;
use crate::runtime::Port;

/// One client connection, shared by its requests.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The peer, or whom the PROXY protocol names.
    pub(crate) peer: SocketAddr,
    /// The port it came in on.
    pub(crate) port: Port,
    /// The TLS server name, on TLS connections.
    pub(crate) tls: Option<Tls>,
    /// What upstreams are told of it.
    pub(crate) origin: Origin,
    /// Why the guard refused the stream; set once.
    violation: RefCell<Option<Violation>>,
    /// Requests that are being answered.
    in_flight: Cell<u32>,
    /// Requests that have begun so far.
    begun: Cell<u64>,
}

/// What a TLS handshake settled.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    /// The server name that the client asked for.
    pub(crate) server_name: Option<Arc<str>>,
}

impl Connection {
    /// A connection without requests.
    #[must_use]
    pub(crate) fn new(peer: SocketAddr, port: Port, tls: Option<Tls>) -> Self {
        Self {
            peer,
            port,
            tls,
            origin: Origin::default(),
            violation: RefCell::new(None),
            in_flight: Cell::new(0),
            begun: Cell::new(0),
        }
    }

    /// The guard refused the stream.
    pub(crate) fn refuse(&self, violation: Violation) {
        self.violation.borrow_mut().get_or_insert(violation);
    }

    /// Whether the guard refused the stream.
    pub(crate) fn refused(&self) -> bool {
        self.violation.borrow().is_some()
    }

    /// Why the guard refused the stream, where it did.
    pub(crate) fn violation(&self) -> Option<Framing> {
        self.violation.borrow().as_ref().map(|violation| violation.cause.clone())
    }

    /// What could be read of the head that the guard refused, where it did; told once.
    pub(crate) fn glimpse(&self) -> Option<Box<Glimpse>> {
        self.violation.borrow_mut().as_mut().map(|violation| std::mem::take(&mut violation.glimpse))
    }

    /// A request is being answered.
    pub(crate) fn busy(&self) -> bool {
        self.in_flight.get() > 0
    }

    /// Ends when no request has been answered, or begun, for all of some `period`.
    pub(crate) async fn idle_for(&self, period: Duration) {
        loop {
            let begun = self.begun.get();
            tokio::time::sleep(period).await;
            if !self.busy() && self.begun.get() == begun {
                return;
            }
        }
    }

    /// Counts a request until the returned guard is dropped.
    pub(crate) fn begin(self: &std::rc::Rc<Self>) -> InFlight {
        self.begun.set(self.begun.get().wrapping_add(1));
        self.in_flight.set(self.in_flight.get() + 1);
        InFlight(std::rc::Rc::clone(self))
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct InFlight(std::rc::Rc<Connection>);

impl InFlight {
    /// On which connection.
    pub(crate) fn connection(&self) -> std::rc::Rc<Connection> {
        std::rc::Rc::clone(&self.0)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get().saturating_sub(1));
    }
}
