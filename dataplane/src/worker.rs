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
use crate::runtime::Runtime;
use crate::state::{State, TokenCache};

/// A handle on the configuration that a request keeps from its first check to its last byte.
pub type Current = Rc<Arc<Runtime>>;

/// What the requests of one thread share.
pub struct Worker {
    runtime: RefCell<Current>,
    /// The thread's number, from 0.
    pub number: u32,
    /// Counters and key sets, shared by all threads.
    pub state: Arc<State>,
    /// Connections to upstreams.
    pub upstreams: Upstreams,
    /// Tokens that were verified before.
    pub tokens: RefCell<TokenCache>,
    /// This thread's counters.
    pub metrics: Shard,
    /// Where finished calls go.
    pub recorder: Recorder,
    /// Where ids come from.
    pub decisions: DecisionIds,
    /// Time.
    pub clock: Clock,
    /// Connections that are open.
    pub open: OpenConnections,
    random: Cell<u64>,
}

/// What a worker is made of, beside its configuration.
pub struct Parts {
    /// Counters and key sets.
    pub state: Arc<State>,
    /// Connections to upstreams.
    pub upstreams: Upstreams,
    /// Counters of this thread.
    pub metrics: Shard,
    /// Where finished calls go.
    pub recorder: Recorder,
    /// Time.
    pub clock: Clock,
    /// The thread's number.
    pub number: u32,
    /// Any random number.
    pub seed: u64,
}

impl Worker {
    /// A worker that serves this configuration.
    #[must_use]
    pub fn new(runtime: Arc<Runtime>, parts: Parts) -> Self {
        Self {
            runtime: RefCell::new(Rc::new(runtime)),
            number: parts.number,
            state: parts.state,
            upstreams: parts.upstreams,
            tokens: RefCell::new(TokenCache::default()),
            metrics: parts.metrics,
            recorder: parts.recorder,
            decisions: DecisionIds::new(parts.number, u32::try_from(parts.seed & 0xffff_ffff).unwrap_or(0)),
            clock: parts.clock,
            open: OpenConnections::default(),
            random: Cell::new(parts.seed | 1),
        }
    }

    /// The configuration that serves now.
    #[must_use]
    pub fn runtime(&self) -> Current {
        Rc::clone(&self.runtime.borrow())
    }

    /// Serves this configuration from the next request on.
    pub fn swap(&self, runtime: Arc<Runtime>) {
        *self.runtime.borrow_mut() = Rc::new(runtime);
    }

    /// Ends when no connection is open.
    pub async fn idle(&self) {
        self.open.idle().await;
    }

    /// A number for spreading load; not for secrets (xorshift64*).
    pub fn random(&self) -> u64 {
        let mut state = self.random.get();
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.random.set(state);
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// Counts open connections, so that a worker that stops can wait for the last.
#[derive(Debug, Default)]
pub struct OpenConnections {
    count: Rc<Cell<usize>>,
    none: Rc<Notify>,
}

/// One open connection.
#[derive(Debug)]
pub struct OpenConnection {
    count: Rc<Cell<usize>>,
    none: Rc<Notify>,
}

impl OpenConnections {
    /// Counts a connection until the guard is dropped.
    #[must_use]
    pub fn enter(&self) -> OpenConnection {
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
