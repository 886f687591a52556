//! The counters of limits, for all workers: exact, without a lock.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use papaya::HashMap;
use policy::window::Gcra;

/// Counters that are kept at most; each takes about 100 bytes.
pub(crate) const CAPACITY: usize = 1_000_000;
/// Counters that the table has room for from the start. It grows late, so a table that begins small is soon so full
/// that each lookup passes a score of others.
const ROOM: usize = 32 * 1024;

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
#[derive(Debug)]
pub(crate) struct Limits {
    counters: HashMap<LimitKey, AtomicU64, Folding>,
    /// How many there are, for the bound.
    count: AtomicUsize,
}

/// A view that keeps counters alive while they are used.
pub(crate) struct View<'a> {
    limits: &'a Limits,
    guard: papaya::LocalGuard<'a>,
}

impl Default for Limits {
    fn default() -> Self {
        let counters = HashMap::builder().capacity(ROOM).hasher(Folding::default()).build();
        Self { counters, count: AtomicUsize::new(0) }
    }
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

/// Hashes keys whose parts are keyed hashes themselves, but for addresses. Nobody outside knows where it starts, so
/// addresses cannot be chosen to collide.
#[derive(Clone, Debug)]
struct Folding {
    start: u64,
}

impl Default for Folding {
    fn default() -> Self {
        Self { start: RandomState::new().hash_one(0) }
    }
}

impl BuildHasher for Folding {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(self.start)
    }
}

struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, part: u64) {
        // Any odd number with many bits set; the halves of the product hold all that went in.
        let product = u128::from(self.0 ^ part) * 0x9E37_79B9_7F4A_7C15;
        let (low, high) = (product & u128::from(u64::MAX), product >> 64);
        self.0 = u64::try_from(low ^ high).unwrap_or(0);
    }

    fn write_u128(&mut self, part: u128) {
        self.write_u64(u64::try_from(part >> 64).unwrap_or(0));
        self.write_u64(u64::try_from(part & u128::from(u64::MAX)).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_spread() {
        let folding = Folding::default();
        let keys = (0..4096_u64).flat_map(|number| {
            [
                LimitKey { limit: 7, principal: number, ..LimitKey::default() },
                LimitKey { limit: 7, address: u128::from(number), ..LimitKey::default() },
                LimitKey { limit: 7, address: u128::from(number) << 64, ..LimitKey::default() },
            ]
        });
        let hashes: Vec<u64> = keys.map(|key| folding.hash_one(key)).collect();
        for bits in [0, 57] {
            let mut counts = [0_usize; 128];
            for hash in &hashes {
                counts[usize::try_from(hash >> bits & 127).unwrap()] += 1;
            }
            assert!(counts.iter().all(|count| (40..170).contains(count)), "{bits}: {counts:?}");
        }
    }
}
