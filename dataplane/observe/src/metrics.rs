//! Calls, counted: a shard per worker, summed when somebody asks.
//!
//! A worker is the only one that writes its shard, so counting is a load, an addition and a store
//! of a line of cache that nobody else holds. Series are bounded whatever the manifests hold:
//! routes, keys and principals are in the log, not here.
//!
//! The text (Prometheus 0.0.4) is written by ourselves: what it takes is a line per series, and a
//! library's registry would want its own counters, with a lock and a hash of the labels each time.

mod histogram;
mod names;
mod text;

use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use cause::Severity;
use jiff::Timestamp;

use crate::evidence::{Evidence, Outcome, Usage};
use histogram::Histogram;
use names::Names;

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Codes of causes that are told apart: more than there are.
const CODES: usize = 256;
/// Models that are told apart since the start; those beyond count as `other`.
const MODELS: usize = 128;

/// All that is counted, over all workers.
#[derive(Debug)]
pub struct Metrics {
    version: Arc<str>,
    started_at: Timestamp,
    workers: Vec<Arc<Counts>>,
    codes: Arc<Names<CODES>>,
    models: Arc<Names<MODELS>>,
    configuration: Configuration,
    pub(crate) records_dropped: AtomicU64,
    pub(crate) spans_dropped: AtomicU64,
    pub(crate) lines_failed: AtomicU64,
}

#[derive(Debug, Default)]
struct Configuration {
    generation: AtomicU64,
    loaded_at_second: AtomicI64,
    faults: [AtomicU64; 3],
}

/// What one worker counts.
#[derive(Debug)]
#[repr(align(128))]
struct Counts {
    /// By protocol and class of status.
    requests: [[Count; 5]; 3],
    /// By code; the last is for codes beyond the bound.
    refused: Box<[Count]>,
    shadow: Box<[Count]>,
    duration: Histogram,
    upstream: Histogram,
    begun: Count,
    ended: Count,
    opened: Count,
    closed: Count,
    bytes_in: Count,
    bytes_out: Count,
    /// By model: read, written.
    tokens: Box<[[Count; 2]]>,
}

/// A counter that one thread writes.
#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Count {
    fn add(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(amount), Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Counts {
    fn new() -> Self {
        let list = |length| (0..length).map(|_| Count::default()).collect();
        Self {
            requests: Default::default(),
            refused: list(CODES + 1),
            shadow: list(CODES + 1),
            duration: Histogram::default(),
            upstream: Histogram::default(),
            begun: Count::default(),
            ended: Count::default(),
            opened: Count::default(),
            closed: Count::default(),
            bytes_in: Count::default(),
            bytes_out: Count::default(),
            tokens: (0..=MODELS).map(|_| Default::default()).collect(),
        }
    }

    /// `ends` is read first: a pair that is read while it grows is never negative.
    fn open(begins: &Count, ends: &Count) -> u64 {
        let ended = ends.get();
        begins.get().saturating_sub(ended)
    }
}

/// What one worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Worker {
    /// Open connections.
    pub connections: u64,
    /// Calls in progress.
    pub requests: u64,
}

impl Metrics {
    /// Counters for `workers` workers, and the shard of each.
    #[must_use]
    pub fn new(version: &str, started_at: Timestamp, workers: usize) -> (Arc<Self>, Vec<Shard>) {
        let counts: Vec<Arc<Counts>> = (0..workers).map(|_| Arc::new(Counts::new())).collect();
        let metrics = Arc::new(Self {
            version: version.into(),
            started_at,
            workers: counts.clone(),
            codes: Arc::default(),
            models: Arc::default(),
            configuration: Configuration::default(),
            records_dropped: AtomicU64::new(0),
            spans_dropped: AtomicU64::new(0),
            lines_failed: AtomicU64::new(0),
        });
        let shard = |counts| Shard {
            counts,
            codes: Arc::clone(&metrics.codes),
            models: Arc::clone(&metrics.models),
            one_thread: PhantomData,
        };
        let shards = counts.into_iter().map(shard).collect();
        (metrics, shards)
    }

    /// A configuration was put into use, with this many faults of each severity.
    pub fn configured(&self, generation: u64, at: Timestamp, faults: impl Iterator<Item = Severity>) {
        let mut counted = [0_u64; 3];
        for severity in faults {
            let [errors, warnings, notices] = &mut counted;
            *match severity {
                Severity::Error => errors,
                Severity::Warning => warnings,
                Severity::Notice => notices,
            } += 1;
        }
        for (total, count) in self.configuration.faults.iter().zip(counted) {
            total.store(count, Relaxed);
        }
        self.configuration.generation.store(generation, Relaxed);
        self.configuration.loaded_at_second.store(at.as_second(), Relaxed);
    }

    /// What each worker is doing.
    #[must_use]
    pub fn workers(&self) -> Vec<Worker> {
        let worker = |counts: &Arc<Counts>| Worker {
            connections: Counts::open(&counts.opened, &counts.closed),
            requests: Counts::open(&counts.begun, &counts.ended),
        };
        self.workers.iter().map(worker).collect()
    }

    /// Records that were given away faster than they were written, and are in no log.
    #[must_use]
    pub fn records_dropped(&self) -> u64 {
        self.records_dropped.load(Relaxed)
    }
}

/// What one worker counts with; not shared between threads.
#[derive(Debug)]
pub struct Shard {
    counts: Arc<Counts>,
    codes: Arc<Names<CODES>>,
    models: Arc<Names<MODELS>>,
    one_thread: PhantomData<Cell<()>>,
}

impl Shard {
    /// Counts what nobody sums: for requests that are only described.
    #[must_use]
    pub fn detached() -> Self {
        Self { counts: Arc::new(Counts::new()), codes: Arc::default(), models: Arc::default(), one_thread: PhantomData }
    }

    /// A connection was accepted; it is open until the guard is dropped.
    #[must_use]
    pub fn connection(&self) -> Open {
        self.counts.opened.add(1);
        Open { counts: Arc::clone(&self.counts), one_thread: PhantomData }
    }

    /// A request has begun; whoever serves it says when it has ended.
    pub fn request_begun(&self) {
        self.counts.begun.add(1);
    }

    /// A request that had begun has ended.
    pub fn request_ended(&self) {
        self.counts.ended.add(1);
    }

    /// Counts a finished call.
    pub fn finished(&self, evidence: &Evidence, outcome: &Outcome) {
        let protocol = match evidence.received.protocol {
            http::Version::HTTP_2 => 2,
            http::Version::HTTP_11 => 1,
            _ => 0,
        };
        let class = usize::from((outcome.status / 100).clamp(1, 5) - 1);
        if let Some(count) = self.counts.requests.get(protocol).and_then(|classes| classes.get(class)) {
            count.add(1);
        }
        self.counts.duration.observe(outcome.duration);
        if let Some(upstream) = outcome.upstream {
            self.counts.upstream.observe(upstream);
        }
        self.counts.bytes_in.add(outcome.bytes_in);
        self.counts.bytes_out.add(outcome.bytes_out);
        if let Some((_, denial)) = outcome.refused.as_deref() {
            self.code(&self.counts.refused, denial);
        }
        for (_, denial) in &evidence.shadow {
            self.code(&self.counts.shadow, denial);
        }
        if let (Some(usage), Some(model)) = (outcome.usage, &evidence.model) {
            self.tokens(model, usage);
        }
    }

    fn code(&self, counts: &[Count], denial: &cause::Denial) {
        if let Some(count) = counts.get(self.codes.index(denial.entry().code)) {
            count.add(1);
        }
    }

    fn tokens(&self, model: &str, usage: Usage) {
        if let Some([input, output]) = self.counts.tokens.get(self.models.index(model)) {
            input.add(usage.input);
            output.add(usage.output);
        }
    }
}

/// A connection that is open until this is dropped. It stays on the thread of its shard, which
/// alone may count there.
#[derive(Debug)]
pub struct Open {
    counts: Arc<Counts>,
    one_thread: PhantomData<Rc<()>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.counts.closed.add(1);
    }
}
