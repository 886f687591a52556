//! How many calls a limit admits: the generic cell rate algorithm on one number.
//!
//! The number is the theoretical arrival time: when the limit would be unused again. All times are
//! nanoseconds since an epoch that the caller chooses, on a clock that never goes back. A state of
//! 0 is an unused limit. Up to `burst` calls pass at once; after that one more each interval
//! (`window / requests`).

mod combined;
mod limit;

use std::sync::atomic::{AtomicU64, Ordering};

pub use combined::{Combined, Counter, look, take_all};
pub use limit::{RequestLimit, reset_seconds};

/// Far below the largest number, so that sums of it with any real time do not overflow.
const DEEPEST: u64 = u64::MAX / 4;

/// The rule of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    interval: u64,
    depth: u64,
}

/// What a limit says of one call. Times are nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Whether the call is admitted.
    pub admitted: bool,
    /// Calls that would be admitted right after this one.
    pub remaining: u64,
    /// When refused: until one call is admitted.
    pub retry_after: u64,
    /// Until the limit is unused again.
    pub reset_after: u64,
}

impl Gcra {
    /// A rule of `requests` a window, of which `burst` may come at once. Zeros count as 1.
    #[must_use]
    pub const fn new(requests: u64, window_ms: u64, burst: u64) -> Self {
        let (requests, burst) = (at_least_one(requests), at_least_one(burst));
        let window = at_least_one(window_ms).saturating_mul(1_000_000);
        // Rounded up: a window never admits more than it says.
        let interval = window.div_ceil(requests);
        let interval = if interval > DEEPEST { DEEPEST } else { interval };
        let depth = interval.saturating_mul(burst);
        Self { interval, depth: if depth > DEEPEST { DEEPEST } else { depth } }
    }

    /// The state after one call and what it means. A refused call leaves the state as it was.
    #[must_use]
    pub const fn decide(&self, state: u64, now: u64) -> (u64, Reading) {
        let start = if state > now { state } else { now };
        let end = start.saturating_add(self.interval);
        let used = end - now;
        if used <= self.depth {
            let remaining = (self.depth - used) / self.interval;
            (end, Reading { admitted: true, remaining, retry_after: 0, reset_after: used })
        } else {
            let retry_after = used - self.depth;
            (state, Reading { admitted: false, remaining: 0, retry_after, reset_after: start - now })
        }
    }

    /// What [`Gcra::take`] would say now; takes nothing.
    #[must_use]
    pub fn peek(&self, state: &AtomicU64, now: u64) -> Reading {
        self.decide(state.load(Ordering::Relaxed), now).1
    }

    /// What is left for later calls; takes nothing, and sets nothing aside for the present one.
    #[must_use]
    pub fn left(&self, state: &AtomicU64, now: u64) -> Reading {
        let reading = self.peek(state, now);
        if !reading.admitted {
            return reading;
        }
        let reset_after = reading.reset_after.saturating_sub(self.interval);
        Reading { remaining: reading.remaining + 1, reset_after, ..reading }
    }

    /// Takes one call. Exact under concurrency: of N admitted calls, N were allowed.
    pub fn take(&self, state: &AtomicU64, now: u64) -> Reading {
        // The count guards nothing but itself, so relaxed ordering is enough.
        let mut seen = state.load(Ordering::Relaxed);
        loop {
            let (next, reading) = self.decide(seen, now);
            if !reading.admitted {
                return reading;
            }
            match state.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return reading,
                Err(current) => seen = current,
            }
        }
    }

    /// Gives back a call that was taken just before and admitted nothing.
    pub(crate) fn refund(&self, state: &AtomicU64) {
        let mut seen = state.load(Ordering::Relaxed);
        while let Err(current) =
            state.compare_exchange_weak(seen, seen.saturating_sub(self.interval), Ordering::Relaxed, Ordering::Relaxed)
        {
            seen = current;
        }
    }

    /// Whether a state is that of an unused limit, so that whoever keeps it may forget it.
    #[must_use]
    pub const fn is_unused(state: u64, now: u64) -> bool {
        state <= now
    }
}

const fn at_least_one(number: u64) -> u64 {
    if number == 0 { 1 } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_rule_admits_its_burst_and_then_its_rate() {
        /// Each call: when (ms), and `Ok(remaining)` or `Err(retry after in ms)`.
        fn check(rule: (u64, u64, u64), calls: &[(u64, Result<u64, u64>)]) {
            let gcra = Gcra::new(rule.0, rule.1, rule.2);
            let state = AtomicU64::new(0);
            for (at, expected) in calls {
                let now = 5 * SECOND + at * 1_000_000;
                let reading = gcra.take(&state, now);
                let said = if reading.admitted { Ok(reading.remaining) } else { Err(reading.retry_after / 1_000_000) };
                assert_eq!(said, *expected, "{rule:?} at {at}");
            }
        }
        check((2, 1000, 2), &[(0, Ok(1)), (0, Ok(0)), (0, Err(500)), (499, Err(1)), (500, Ok(0)), (500, Err(500))]);
        check((2, 1000, 2), &[(0, Ok(1)), (0, Ok(0)), (5000, Ok(1)), (5000, Ok(0)), (5000, Err(500))]);
        check((100, 60_000, 1), &[(0, Ok(0)), (0, Err(600)), (600, Ok(0))]);
        check((1, 86_400_000, 1), &[(0, Ok(0)), (1000, Err(86_399_000))]);
        check((10, 1000, 20), &[(0, Ok(19)), (100, Ok(19)), (100, Ok(18))]);
        check((0, 0, 0), &[(0, Ok(0)), (0, Err(1)), (1, Ok(0))]);
        check((u64::MAX, u64::MAX, u64::MAX), &[(0, Ok(DEEPEST - 1)), (0, Ok(DEEPEST - 2))]);
    }

    #[test]
    fn a_refund_gives_the_call_back() {
        let gcra = Gcra::new(3, 3000, 3);
        let state = AtomicU64::new(0);
        let now = 9 * SECOND;
        assert_eq!((gcra.take(&state, now).remaining, gcra.take(&state, now).remaining), (2, 1));
        gcra.refund(&state);
        assert_eq!(gcra.peek(&state, now).remaining, 1);
        assert_eq!(gcra.take(&state, now).remaining, 1);
        let unused = AtomicU64::new(0);
        gcra.refund(&unused);
        assert!(Gcra::is_unused(unused.load(Ordering::Relaxed), now));
    }

    #[test]
    fn n_allowed_means_n_from_any_number_of_threads() {
        let gcra = Gcra::new(1000, 3_600_000, 1000);
        let state = AtomicU64::new(0);
        let admitted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| (0..500).filter(|_| gcra.take(&state, SECOND).admitted).count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 1000);
    }

    proptest! {
        /// The naive model keeps every admitted call: one more is refused exactly when, since some
        /// admitted call, there would be more than the burst and the intervals that passed.
        #[test]
        fn a_rule_agrees_with_counting(
            requests in 1_u64..20, window_ms in 1_u64..5000, burst in 1_u64..10,
            steps in prop::collection::vec(0_u64..2_000_000_000, 1..80),
        ) {
            let gcra = Gcra::new(requests, window_ms, burst);
            let state = AtomicU64::new(0);
            let interval = (window_ms * 1_000_000).div_ceil(requests);
            let mut admitted: Vec<u64> = Vec::new();
            let mut now = SECOND;
            for step in steps {
                // Most steps are short, so that bursts are met.
                now += if step % 3 == 0 { step } else { step / 1000 };
                let fits = admitted.iter().enumerate().all(|(index, first)| {
                    let calls = (admitted.len() - index + 1) as u64;
                    calls <= burst || (calls - burst) * interval <= now - first
                });
                let reading = gcra.take(&state, now);
                prop_assert_eq!(reading.admitted, fits);
                if reading.admitted {
                    admitted.push(now);
                } else {
                    // One call is admitted exactly when it says, and not a nanosecond before.
                    let copy = AtomicU64::new(state.load(Ordering::Relaxed));
                    prop_assert!(!gcra.peek(&copy, now + reading.retry_after - 1).admitted);
                    prop_assert!(gcra.peek(&copy, now + reading.retry_after).admitted);
                }
            }
        }
    }
}
