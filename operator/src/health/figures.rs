//! What is counted. The series are bounded: by kind, never by object.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::kinds::Kind;

/// Upper bounds of the buckets of how long a round takes, in seconds.
const BUCKETS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];

/// All figures of one operator.
#[derive(Debug)]
pub struct Figures {
    awaited: Mutex<Option<String>>,
    objects: Mutex<BTreeMap<Kind, usize>>,
    rounds: [AtomicU64; BUCKETS.len() + 1],
    round_micros: AtomicU64,
    revisions: AtomicU64,
    leader: AtomicU64,
    replicas: AtomicU64,
    writes: [AtomicU64; 2],
    watch_failures: AtomicU64,
    last_good: [AtomicU64; 2],
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            awaited: Mutex::new(Some("it is starting".to_owned())),
            objects: Mutex::default(),
            rounds: Default::default(),
            round_micros: AtomicU64::new(0),
            revisions: AtomicU64::new(0),
            leader: AtomicU64::new(0),
            replicas: AtomicU64::new(0),
            writes: Default::default(),
            watch_failures: AtomicU64::new(0),
            last_good: Default::default(),
        }
    }
}

impl Figures {
    /// What readiness waits for; `None` is nothing.
    pub fn await_for(&self, what: Option<String>) {
        *self.awaited.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// What readiness waits for.
    #[must_use]
    pub fn awaited(&self) -> Option<String> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many objects of each kind there are.
    pub fn objects(&self, counts: BTreeMap<Kind, usize>) {
        *self.objects.lock().unwrap_or_else(PoisonError::into_inner) = counts;
    }

    /// One translation of everything, published.
    pub fn round(&self, took: Duration) {
        let bucket = BUCKETS.iter().position(|bound| took.as_secs_f64() <= *bound).unwrap_or(BUCKETS.len());
        if let Some(count) = self.rounds.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.round_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// New revisions of Gateways.
    pub fn revisions(&self, count: u64) {
        self.revisions.fetch_add(count, Ordering::Relaxed);
    }

    /// Whether it leads.
    pub fn leader(&self, leads: bool) {
        self.leader.store(u64::from(leads), Ordering::Relaxed);
    }

    /// Data planes that are connected.
    pub fn replicas(&self, count: usize) {
        self.replicas.store(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// One status written, or not.
    pub fn write(&self, is_done: bool) {
        if let Some(count) = self.writes.get(usize::from(!is_done)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A watch that failed.
    pub fn watch_failure(&self) {
        self.watch_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Objects that serve an earlier version, and how many of these would not outlive all operators.
    pub fn last_good(&self, serving: usize, lost: usize) {
        for (gauge, count) in self.last_good.iter().zip([serving, lost]) {
            gauge.store(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// In the text format of Prometheus.
    #[must_use]
    pub fn to_text(&self) -> String {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut text = String::new();
        one(&mut text, ("leader", "gauge", "Whether this operator writes."), read(&self.leader));
        one(&mut text, ("ready", "gauge", "Whether this operator knows the cluster."), u64::from(self.awaited().is_none()));
        one(&mut text, ("stream_replicas", "gauge", "Data planes that are connected."), read(&self.replicas));
        one(&mut text, ("revisions_total", "counter", "States of Gateways that were published."), read(&self.revisions));
        one(&mut text, ("watch_failures_total", "counter", "Failures of watches."), read(&self.watch_failures));
        let [serving, lost] = &self.last_good;
        one(
            &mut text,
            ("last_good", "gauge", "Objects whose newest version is refused and an earlier one serves."),
            read(serving),
        );
        one(&mut text, ("last_good_unwritten", "gauge", "Those of them whose earlier version is not written down."), read(lost));
        head(&mut text, ("status_writes_total", "counter", "Writes of statuses."));
        for (outcome, count) in ["done", "failed"].iter().zip(&self.writes) {
            line(&mut text, &format!("status_writes_total{{outcome=\"{outcome}\"}}"), read(count));
        }
        head(&mut text, ("objects", "gauge", "Objects that are watched."));
        for (kind, count) in &*self.objects.lock().unwrap_or_else(PoisonError::into_inner) {
            let name = format!("objects{{kind=\"{}\"}}", kind.name());
            line(&mut text, &name, u64::try_from(*count).unwrap_or(u64::MAX));
        }
        self.rounds_to(&mut text);
        text
    }

    fn rounds_to(&self, text: &mut String) {
        head(text, ("reconcile_seconds", "histogram", "From a change to what is published."));
        let mut sum = 0;
        let bounds = BUCKETS.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(&self.rounds) {
            sum += count.load(Ordering::Relaxed);
            line(text, &format!("reconcile_seconds_bucket{{le=\"{bound}\"}}"), sum);
        }
        let seconds = Duration::from_micros(self.round_micros.load(Ordering::Relaxed)).as_secs_f64();
        let _written = writeln!(text, "doorward_operator_reconcile_seconds_sum {seconds}");
        line(text, "reconcile_seconds_count", sum);
    }
}

fn head(text: &mut String, (name, kind, help): (&str, &str, &str)) {
    let _written = writeln!(text, "# HELP doorward_operator_{name} {help}\n# TYPE doorward_operator_{name} {kind}");
}

fn line(text: &mut String, name: &str, value: u64) {
    let _written = writeln!(text, "doorward_operator_{name} {value}");
}

fn one(text: &mut String, about: (&str, &str, &str), value: u64) {
    head(text, about);
    line(text, about.0, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_as_they_were_counted() {
        let figures = Figures::default();
        figures.leader(true);
        figures.round(Duration::from_millis(2));
        figures.round(Duration::from_secs(3));
        figures.write(true);
        figures.write(false);
        figures.write(true);
        figures.objects(BTreeMap::from([(Kind::HttpRoute, 3)]));
        let text = figures.to_text();
        for expected in [
            "doorward_operator_leader 1",
            "doorward_operator_ready 0",
            "doorward_operator_reconcile_seconds_bucket{le=\"0.001\"} 0",
            "doorward_operator_reconcile_seconds_bucket{le=\"0.0025\"} 1",
            "doorward_operator_reconcile_seconds_bucket{le=\"+Inf\"} 2",
            "doorward_operator_reconcile_seconds_sum 3.002",
            "doorward_operator_reconcile_seconds_count 2",
            "doorward_operator_status_writes_total{outcome=\"done\"} 2",
            "doorward_operator_status_writes_total{outcome=\"failed\"} 1",
            "doorward_operator_objects{kind=\"HTTPRoute\"} 3",
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected}\n{text}");
        }
    }
}
