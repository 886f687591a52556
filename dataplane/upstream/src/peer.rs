//! What a worker knows of one address: its connections, its load, its health.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::h1::H1;
use crate::h2::{H2, Stream};
use crate::target::Speech;

/// What tells peers apart: connections are shared within one, also across configurations.
pub(crate) type PeerKey = (std::net::SocketAddr, Speech);

/// One address, spoken to in one way.
pub(crate) struct Peer {
    address: std::net::SocketAddr,
    /// Kept connections, the last used at the end.
    idle: RefCell<Vec<Idle>>,
    shared: RefCell<Vec<Rc<H2>>>,
    in_flight: Cell<usize>,
    health: Cell<Health>,
    /// Whether someone is opening a connection to share, and who waits for it.
    connecting: Cell<bool>,
    connected: Notify,
    /// Whether the last connection spoke HTTP/2; `None` until TLS has agreed on something.
    multiplexes: Cell<Option<bool>>,
}

struct Idle {
    h1: Box<H1>,
    /// How often it was swept past.
    rounds: u32,
}

/// Connects that failed in a row, and until when the peer is tried last.
#[derive(Clone, Copy, Default)]
struct Health {
    failures: u32,
    shunned_until: Option<Instant>,
}

impl Peer {
    pub(crate) fn new(address: std::net::SocketAddr, speech: &Speech) -> Self {
        Self {
            address,
            idle: RefCell::default(),
            shared: RefCell::default(),
            in_flight: Cell::new(0),
            health: Cell::default(),
            connecting: Cell::new(false),
            connected: Notify::new(),
            multiplexes: Cell::new(match speech {
                Speech::Http1 => Some(false),
                Speech::Http2 => Some(true),
                Speech::Tls(..) => None,
            }),
        }
    }

    pub(crate) const fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Counts a call in flight until the guard is dropped.
    pub(crate) fn enter(self: &Rc<Self>) -> Active {
        self.in_flight.set(self.in_flight.get() + 1);
        Active(Rc::clone(self))
    }

    /// The connection that was used last, or a stream of a shared one.
    pub(crate) fn kept(&self) -> Option<Kept> {
        if self.multiplexes.get() == Some(true) {
            let mut shared = self.shared.borrow_mut();
            shared.retain(|h2| !h2.is_closed());
            return shared.iter().find_map(H2::stream).map(Kept::Stream);
        }
        let mut idle = self.idle.borrow_mut();
        // One that is too old was swept away.
        idle.pop().map(|last| Kept::H1(last.h1))
    }

    /// Keeps a connection that is between two messages.
    pub(crate) fn keep(&self, mut h1: Box<H1>) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_LIMIT {
            h1.rest();
            idle.push(Idle { h1, rounds: 0 });
        }
    }

    /// Keeps a new shared connection.
    pub(crate) fn share(&self, h2: Rc<H2>) {
        self.shared.borrow_mut().push(h2);
    }

    /// Whether calls may share connections here, as far as is known.
    pub(crate) fn may_multiplex(&self) -> bool {
        self.multiplexes.get() != Some(false)
    }

    /// Closes connections that are old or ended, once each [`SWEEP`]: so no call looks at the clock for it. Returns
    /// whether any are left.
    pub(crate) fn sweep(&self, now: Instant) -> bool {
        let mut idle = self.idle.borrow_mut();
        idle.retain_mut(|kept| {
            kept.rounds += 1;
            kept.rounds <= IDLE_ROUNDS && kept.h1.is_alive()
        });
        let mut shared = self.shared.borrow_mut();
        let long_ago = now.checked_sub(IDLE).unwrap_or(now);
        shared.retain(|h2| !h2.is_closed() && !h2.is_idle_since(long_ago));
        !idle.is_empty() || !shared.is_empty()
    }

    /// A connect failed: for a while, longer each time, others come first.
    pub(crate) fn failed(&self) {
        let failures = self.health.get().failures.saturating_add(1);
        let pause = FIRST_SHUN.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(LAST_SHUN);
        self.health.set(Health { failures, shunned_until: Some(Instant::now() + pause) });
    }

    /// A connect succeeded.
    pub(crate) fn recovered(&self, multiplexes: bool) {
        self.health.set(Health::default());
        self.multiplexes.set(Some(multiplexes));
    }

    /// Whether others come first.
    pub(crate) fn is_shunned(&self) -> bool {
        self.health.get().shunned_until.is_some_and(|until| until > Instant::now())
    }

    /// The right to connect where connections are shared, or `None` after someone else has tried: one connection
    /// serves all who wait.
    pub(crate) async fn connect_alone(self: &Rc<Self>) -> Option<Connecting> {
        if self.connecting.replace(true) {
            self.connected.notified().await;
            return None;
        }
        Some(Connecting(Rc::clone(self)))
    }
}

/// A connection to use.
pub(crate) enum Kept {
    H1(Box<H1>),
    Stream(Stream),
}

/// A call in flight at a peer.
pub(crate) struct Active(Rc<Peer>);

impl Active {
    pub(crate) const fn peer(&self) -> &Rc<Peer> {
        &self.0
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get().saturating_sub(1));
    }
}

/// The right to connect; at its end, whoever waits looks again.
pub(crate) struct Connecting(Rc<Peer>);

impl Drop for Connecting {
    fn drop(&mut self) {
        self.0.connecting.set(false);
        self.0.connected.notify_waiters();
    }
}

/// How long a connection is kept unused: shorter than the keep-alive of usual servers, which is
/// 60 s and more, so that it is mostly us who close.
const IDLE: Duration = Duration::from_secs(50);
/// How often connections are looked at that nobody uses.
pub(crate) const SWEEP: Duration = Duration::from_secs(5);
/// Sweeps that a connection outlives unused.
const IDLE_ROUNDS: u32 = 10;

/// Connections kept unused.
const IDLE_LIMIT: usize = 128;

const FIRST_SHUN: Duration = Duration::from_millis(250);
const LAST_SHUN: Duration = Duration::from_secs(10);
