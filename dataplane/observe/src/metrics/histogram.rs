//! How long calls take, in buckets from half a millisecond to a minute.

use std::time::Duration;

use super::Count;

/// The upper bounds of the buckets: in microseconds, and as the label writes them in seconds.
pub(super) const BOUNDS: [(u64, &str); 15] = [
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
    (60_000_000, "60"),
];

/// One worker's times.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// The last is for what is longer than any bound.
    buckets: [Count; BOUNDS.len() + 1],
    nanoseconds: Count,
}

impl Histogram {
    pub(super) fn observe(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|(bound, _)| bound * 1000 < nanoseconds);
        if let Some(count) = self.buckets.get(bucket) {
            count.add(1);
        }
        self.nanoseconds.add(nanoseconds);
    }
}

/// The sum of several.
#[derive(Debug, Default)]
pub(super) struct Summed {
    pub(super) buckets: [u64; BOUNDS.len() + 1],
    pub(super) nanoseconds: u64,
}

impl<'a> FromIterator<&'a Histogram> for Summed {
    fn from_iter<I: IntoIterator<Item = &'a Histogram>>(histograms: I) -> Self {
        let mut sum = Self::default();
        for histogram in histograms {
            for (total, count) in sum.buckets.iter_mut().zip(&histogram.buckets) {
                *total += count.get();
            }
            sum.nanoseconds = sum.nanoseconds.wrapping_add(histogram.nanoseconds.get());
        }
        sum
    }
}
