//! Times, and what of them is told.

use super::report::Report;

/// What happened to one new route, in milliseconds after its creation was begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// When the API server had answered.
    pub(super) written: f64,
    /// When a watch of ours had seen it.
    pub(super) watched: f64,
    /// When a data plane had answered a call to it with 200.
    pub(super) served: f64,
}

/// The longest that a new route may take beyond what the API server takes, for 99 of 100, in milliseconds.
const BAR: f64 = 30.0;

/// Tells what the API server took, what all took, and the difference.
pub(super) fn tell(report: &mut Report, samples: &[Sample]) {
    let of = |share: f64, time: fn(&Sample) -> f64| percentile(samples.iter().map(time), share);
    for (share, name) in [(0.5, "p50"), (0.99, "p99")] {
        report.tell(&format!("API server: create answered, {name}"), "ms", of(share, |sample| sample.written));
        report.tell(&format!("API server: create seen by a watch, {name}"), "ms", of(share, |sample| sample.watched));
        report.tell(&format!("create to first 200, {name}"), "ms", of(share, |sample| sample.served));
    }
    let beyond = |sample: &Sample| sample.served - sample.watched;
    report.tell("create to first 200 beyond the API server's, p50", "ms", of(0.5, beyond));
    report.judge("create to first 200 beyond the API server's, p99", "ms", of(0.99, beyond), BAR);
    report.note(format!("of {} routes", samples.len()));
}

/// The smallest value that a share of all does not exceed (nearest rank); none of none.
fn percentile(values: impl IntoIterator<Item = f64>, share: f64) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    let rank = (0..values.len()).find(|rank| (rank + 1) as f64 >= share * values.len() as f64)?;
    values.get(rank).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_found() {
        let check = |count: u32, share: f64, expected: Option<f64>| {
            let values = (1..=count).rev().map(f64::from);
            assert_eq!(percentile(values, share), expected, "{count} {share}");
        };
        check(0, 0.5, None);
        check(1, 0.99, Some(1.0));
        check(60, 0.99, Some(60.0));
        check(200, 0.99, Some(198.0));
        check(200, 0.5, Some(100.0));
    }
}
