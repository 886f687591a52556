//! One thread that serves requests: its own event loop, connection pools and counters.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use observe::decision::DecisionIds;
use observe::metrics::Shard;
use observe::observer::Recorder;
use tokio::sync::Notify;
use upstream::Upstreams;

use crate::clock::Clock;
use crate::gateway::KnownRefusals;
use crate::runtime::Runtime;
use crate::state::{State, TokenCache};

/// A handle on the configuration that a request keeps from its first check to its last byte.
pub(crate) type Current = Rc<Arc<Runtime>>;

/// What the requests of one thread share.
pub(crate) struct Worker {
    runtime: RefCell<Current>,
    /// The thread's number, from 0.
    pub(crate) number: u32,
    /// Counters and key sets, shared by all threads.
    pub(crate) state: Arc<State>,
    /// Connections to upstreams.
    pub(crate) upstreams: Upstreams,
    /// Tokens that were verified before.
    pub(crate) tokens: RefCell<TokenCache>,
    /// Refusals that were written before.
    pub(crate) refusals: RefCell<KnownRefusals>,
    /// This thread's counters.
    pub(crate) metrics: Shard,
    /// Where finished calls go.
    pub(crate) recorder: Recorder,
    /// Where ids come from.
    pub(crate) decisions: DecisionIds,
    /// Time.
    pub(crate) clock: Clock,
    /// Connections that are open.
    pub(crate) open: OpenConnections,
    /// Whether clients are to go elsewhere.
    pub(crate) leaving: Leaving,
    random: Cell<u64>,
    /// When a connection was last complained of, in monotonic nanoseconds.
    complained_at: Cell<Option<u64>>,
}

/// What a worker is made of, beside its configuration.
pub(crate) struct Parts {
    /// Counters and key sets.
    pub(crate) state: Arc<State>,
    /// Connections to upstreams.
    pub(crate) upstreams: Upstreams,
    /// Counters of this thread.
    pub(crate) metrics: Shard,
    /// Where finished calls go.
    pub(crate) recorder: Recorder,
    /// Time.
    pub(crate) clock: Clock,
    /// The thread's number.
    pub(crate) number: u32,
    /// Any random number.
    pub(crate) seed: u64,
}

impl Worker {
    /// A worker that serves this configuration.
    #[must_use]
    pub(crate) fn new(runtime: Arc<Runtime>, parts: Parts) -> Self {
        Self {
            runtime: RefCell::new(Rc::new(runtime)),
            number: parts.number,
            state: parts.state,
            upstreams: parts.upstreams,
            tokens: RefCell::default(),
            refusals: RefCell::default(),
            metrics: parts.metrics,
            recorder: parts.recorder,
            decisions: DecisionIds::new(parts.number, u32::try_from(parts.seed & 0xffff_ffff).unwrap_or(0)),
            clock: parts.clock,
            open: OpenConnections::default(),
            leaving: Leaving::default(),
            random: Cell::new(parts.seed | 1),
            complained_at: Cell::new(None),
        }
    }

    /// The configuration that serves now.
    #[must_use]
    pub(crate) fn runtime(&self) -> Current {
        Rc::clone(&self.runtime.borrow())
    }

    /// Serves this configuration from the next request on.
    pub(crate) fn swap(&self, runtime: Arc<Runtime>) {
        if runtime.forsakes {
            self.upstreams.retain(runtime.targets());
        }
        *self.runtime.borrow_mut() = Rc::new(runtime);
    }

    /// Ends when no connection is open.
    pub(crate) async fn idle(&self) {
        self.open.idle().await;
    }

    /// Whether a connection may be complained of in the log: one a minute, since whoever can connect can cause it.
    pub(crate) fn may_complain(&self) -> bool {
        const PAUSE: u64 = 60_000_000_000;
        let now = self.clock.monotonic();
        let may = self.complained_at.get().is_none_or(|at| now.saturating_sub(at) >= PAUSE);
        if may {
            self.complained_at.set(Some(now));
        }
        may
    }

    /// A number for spreading load; not for secrets (xorshift64*).
    pub(crate) fn random(&self) -> u64 {
        let mut state = self.random.get();
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.random.set(state);
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// Whether a worker, which still serves, has its clients go elsewhere: a connection that is closed between two calls may
/// meet the second of them on its way, and one that says before that it ends does not.
#[derive(Debug, Default)]
pub(crate) struct Leaving {
    has_begun: Cell<bool>,
    begins: Notify,
}

impl Leaving {
    /// Whether they are to go elsewhere.
    pub(crate) const fn has_begun(&self) -> bool {
        self.has_begun.get()
    }

    /// From now on they are.
    pub(crate) fn begin(&self) {
        self.has_begun.set(true);
        self.begins.notify_waiters();
    }

    /// Ends when it begins; never where it has begun, which leaves whoever comes later alone.
    pub(crate) async fn begins(&self) {
        match self.has_begun() {
            true => std::future::pending().await,
            false => self.begins.notified().await,
        }
    }
}

/// Counts open connections, so that a worker that stops can wait for the last.
#[derive(Debug, Default)]
pub(crate) struct OpenConnections {
    count: Rc<Cell<usize>>,
    none: Rc<Notify>,
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    count: Rc<Cell<usize>>,
    none: Rc<Notify>,
}

impl OpenConnections {
    /// Counts a connection until the guard is dropped.
    #[must_use]
    pub(crate) fn enter(&self) -> OpenConnection {
        self.count.set(self.count.get() + 1);
        OpenConnection { count: Rc::clone(&self.count), none: Rc::clone(&self.none) }
    }

    async fn idle(&self) {
        while self.count.get() > 0 {
            self.none.notified().await;
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.count.set(self.count.get().saturating_sub(1));
        if self.count.get() == 0 {
            self.none.notify_one();
        }
    }
}
