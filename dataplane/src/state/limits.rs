//! The counters of limits, for all workers: exact, without a lock.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use papaya::HashMap;
use policy::window::Gcra;

/// Counters that are kept at most; each takes about 100 bytes.
pub(crate) const CAPACITY: usize = 1_000_000;

/// Which counter: a limit and the values of what it counts apart, 0 where it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct LimitKey {
    /// The limit, by its stable hash.
    pub(crate) limit: u64,
    /// The principal, by its stable hash.
    pub(crate) principal: u64,
    /// The team, by its stable hash.
    pub(crate) team: u64,
    /// The client's address.
    pub(crate) address: u128,
    /// The version, by its stable hash.
    pub(crate) version: u64,
}

/// All counters.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    counters: HashMap<LimitKey, AtomicU64>,
    /// How many there are, for the bound.
    count: AtomicUsize,
}

/// A view that keeps counters alive while they are used.
pub(crate) struct View<'a> {
    limits: &'a Limits,
    guard: papaya::LocalGuard<'a>,
}

impl Limits {
    /// A view for one call; it is not held across a wait.
    #[must_use]
    pub(crate) fn view(&self) -> View<'_> {
        View { limits: self, guard: self.counters.guard() }
    }

    /// Forgets counters that are unused at `now`: a limit that nobody has used is the same as one
    /// that is not kept.
    pub(crate) fn sweep(&self, now: u64) {
        let counters = self.counters.pin();
        counters.retain(|_, state| !Gcra::is_unused(state.load(Ordering::Relaxed), now));
        self.count.store(counters.len(), Ordering::Relaxed);
    }
}

impl View<'_> {
    /// The counter; `None` when it is new and no more can be kept.
    #[must_use]
    pub(crate) fn counter(&self, key: LimitKey) -> Option<&AtomicU64> {
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
    pub(crate) fn known(&self, key: LimitKey) -> Option<&AtomicU64> {
        self.limits.counters.get(&key, &self.guard)
    }
}
