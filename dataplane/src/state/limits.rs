//! The counters of limits, for all workers: exact, without a lock.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use papaya::HashMap;
use policy::window::Gcra;

/// Counters that are kept at most; each takes about 100 bytes.
pub const CAPACITY: usize = 1_000_000;

/// Which counter: a limit and the values of what it counts apart, 0 where it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LimitKey {
    /// The limit, by its stable hash.
    pub limit: u64,
    /// The principal, by its stable hash.
    pub principal: u64,
    /// The team, by its stable hash.
    pub team: u64,
    /// The client's address.
    pub address: u128,
    /// The version, by its stable hash.
    pub version: u64,
}

/// All counters.
#[derive(Debug, Default)]
pub struct Limits {
    counters: HashMap<LimitKey, AtomicU64>,
    /// How many there are, for the bound.
    count: AtomicUsize,
}

/// A view that keeps counters alive while they are used.
pub struct View<'a> {
    limits: &'a Limits,
    guard: papaya::LocalGuard<'a>,
}

impl Limits {
    /// A view for one call; it is not held across a wait.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { limits: self, guard: self.counters.guard() }
    }

    /// How many counters are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets counters that are unused at `now`: a limit that nobody has used is the same as one
    /// that is not kept.
    pub fn sweep(&self, now: u64) {
        let counters = self.counters.pin();
        counters.retain(|_, state| !Gcra::is_unused(state.load(Ordering::Relaxed), now));
        self.count.store(counters.len(), Ordering::Relaxed);
    }
}

impl View<'_> {
    /// The counter; `None` when it is new and no more can be kept.
    #[must_use]
    pub fn counter(&self, key: LimitKey) -> Option<&AtomicU64> {
        if let Some(counter) = self.limits.counters.get(&key, &self.guard) {
            return Some(counter);
        }
        if self.limits.count.load(Ordering::Relaxed) >= CAPACITY {
            return None;
        }
        self.limits.count.fetch_add(1, Ordering::Relaxed);
        Some(self.limits.counters.get_or_insert_with(key, || AtomicU64::new(0), &self.guard))
    }

    /// The counter, if it is kept; makes none.
    #[must_use]
    pub fn known(&self, key: LimitKey) -> Option<&AtomicU64> {
        self.limits.counters.get(&key, &self.guard)
    }
}
