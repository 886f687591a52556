//! Time: of the system, or moved by hand in tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use jiff::Timestamp;

/// Where time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's clocks.
    System {
        /// When the process began.
        began: Instant,
    },
    /// Nanoseconds since the epoch, moved by hand.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clocks.
    #[must_use]
    pub fn system() -> Self {
        Self::System { began: Instant::now() }
    }

    /// A clock that stands at `now` until it is moved.
    #[must_use]
    pub fn manual(now: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(nanoseconds(now))))
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System { .. } => Timestamp::now(),
            Self::Manual(at) => Timestamp::from_nanosecond(i128::from(at.load(Ordering::Relaxed))).unwrap_or_default(),
        }
    }

    /// Nanoseconds that never go back, for limits: changing the time of day frees no quota.
    #[must_use]
    pub fn monotonic(&self) -> u64 {
        match self {
            // An hour ahead, so that a state of 0 is a limit unused for long.
            Self::System { began } => {
                u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX).saturating_add(3_600_000_000_000)
            }
            Self::Manual(at) => u64::try_from(at.load(Ordering::Relaxed)).unwrap_or(0),
        }
    }

    /// Moves a manual clock; the system's stays.
    pub fn set(&self, now: Timestamp) {
        if let Self::Manual(at) = self {
            at.store(nanoseconds(now), Ordering::Relaxed);
        }
    }
}

fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}
