//! From request threads to whoever writes: one bounded queue per worker, one thread behind them.
//!
//! A request thread pushes a record and goes on; when the queue is full the record is counted and
//! dropped, because a log that cannot keep up must not slow down calls. The thread sleeps until
//! somebody wakes it. A worker wakes it for the first record only: after that the thread looks
//! again by itself every [`GATHER`] until a look finds nothing, so under load one wake-up and one
//! write serve many records.
//!
//! **Invariant:** a push allocates nothing, takes no lock and makes a system call only when the
//! thread sleeps.

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;

use crate::decisions::{Bound, Bounds, Decisions};
use crate::evidence::Record;
use crate::log;
use crate::metrics::{Metrics, Shard};
use crate::otlp::Spans;
use crate::refusals::LastHour;

/// Records of one worker that may wait.
pub const CAPACITY: usize = 4096;
/// How long the thread lets records gather while they keep coming.
const GATHER: Duration = Duration::from_millis(10);
/// A worker wakes the thread after this many records even then: a quarter of its queue.
const NUDGE: usize = CAPACITY / 4;
/// A batch is written once it is this long.
const WRITE: usize = 64 << 10;

/// What is kept for looking back. Of all calls few enough to stay in a core's cache: each record is written to the
/// memory of one that was forgotten. Refused ones are few, or alike: a flood of one cause fills their place in a
/// quarter of a minute, and on one route in a minute.
const KEPT: Bounds = Bounds {
    recent: Bound { calls: 1024, bytes: 8 << 20 },
    refused: Bound { calls: 4096, bytes: 8 << 20 },
    alike: 256,
    alike_by_route: 64,
};

/// What runs.
#[derive(Clone, Debug)]
pub struct Process {
    /// The version of Doorward.
    pub version: Arc<str>,
    /// When it began.
    pub started_at: jiff::Timestamp,
}

/// What can change while the gateway runs.
#[derive(Debug)]
pub struct Settings {
    /// Whether calls are logged.
    pub access_log: bool,
    /// Base address of the causes' pages, without a trailing slash.
    pub docs: Arc<str>,
    /// Where spans go; `None` makes none.
    pub spans: Option<Spans>,
}

/// What the records and counters of a gateway are read by, from any thread.
#[derive(Clone, Debug)]
pub struct ObserverHandle {
    shared: Arc<Shared>,
    thread: Thread,
    /// Calls kept for looking back.
    pub decisions: Arc<Decisions>,
    /// Refusals of the last hour.
    pub last_hour: Arc<LastHour>,
    /// All counters.
    pub metrics: Arc<Metrics>,
}

/// The thread behind the queues. Dropping it is [`Observer::stop`].
#[derive(Debug)]
pub struct Observer {
    handle: ObserverHandle,
    thread: Option<JoinHandle<()>>,
}

/// One worker's end of its queue.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    worker: usize,
    thread: Thread,
    pushed: Cell<usize>,
}

#[derive(Debug)]
struct Shared {
    queues: Box<[ArrayQueue<Box<Record>>]>,
    /// Whether the thread sleeps until it is woken.
    idle: AtomicBool,
    closed: AtomicBool,
    /// Settings that the thread has not taken over yet.
    changed: Mutex<Option<Settings>>,
    /// Calls of `catch_up`, and which of them are answered.
    asked: AtomicU64,
    answered: Mutex<u64>,
    caught_up: Condvar,
    metrics: Arc<Metrics>,
}

impl Recorder {
    /// Gives records to nobody: for requests that are only described.
    #[must_use]
    pub fn detached() -> Self {
        let (metrics, _) = Metrics::new("", jiff::Timestamp::UNIX_EPOCH, 0);
        Self { shared: Arc::new(Shared::new(0, metrics)), worker: 0, thread: thread::current(), pushed: Cell::new(0) }
    }

    /// Gives a finished call away; drops and counts it when the queue is full.
    pub fn record(&self, record: Box<Record>) {
        let Some(queue) = self.shared.queues.get(self.worker) else { return };
        if queue.push(record).is_err() {
            self.shared.metrics.records_dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // Pairs with the fence in `Observing::sleep`: either this sees that the thread is about to
        // sleep, or the thread sees the record.
        fence(Ordering::SeqCst);
        let pushed = self.pushed.get().wrapping_add(1);
        self.pushed.set(pushed);
        let first = self.shared.idle.load(Ordering::Relaxed) && self.shared.idle.swap(false, Ordering::Relaxed);
        if first || pushed.is_multiple_of(NUDGE) {
            self.thread.unpark();
        }
    }
}

impl Observer {
    /// Starts the thread, which writes the access log to `log` in whole lines; makes a recorder and
    /// a shard of `metrics` for each of `workers` workers. Fails when the system gives no thread.
    pub fn start(
        workers: usize,
        settings: Settings,
        log: Box<dyn Write + Send>,
        process: &Process,
    ) -> io::Result<(Self, Vec<(Recorder, Shard)>)> {
        let (metrics, shards) = Metrics::new(&process.version, process.started_at, workers);
        let shared = Arc::new(Shared::new(workers, Arc::clone(&metrics)));
        let decisions = Arc::new(Decisions::new(KEPT));
        let last_hour = Arc::new(LastHour::default());
        let observing = Observing {
            shared: Arc::clone(&shared),
            settings,
            log,
            decisions: Arc::clone(&decisions),
            last_hour: Arc::clone(&last_hour),
            batch: Vec::new(),
            lines: Vec::with_capacity(WRITE),
        };
        let thread = thread::Builder::new().name("observer".to_owned()).spawn(move || observing.run())?;
        let handle = ObserverHandle { shared, thread: thread.thread().clone(), decisions, last_hour, metrics };
        let recorder = |(worker, shard)| {
            let (shared, thread) = (Arc::clone(&handle.shared), handle.thread.clone());
            (Recorder { shared, worker, thread, pushed: Cell::new(0) }, shard)
        };
        let recorders = shards.into_iter().enumerate().map(recorder).collect();
        Ok((Self { handle, thread: Some(thread) }, recorders))
    }

    /// What can be asked from any thread.
    #[must_use]
    pub fn handle(&self) -> ObserverHandle {
        self.handle.clone()
    }

    /// Writes out what waits and ends the thread. What is given away later is lost, so end the
    /// workers first.
    pub fn stop(self) {
        drop(self);
    }
}

impl ObserverHandle {
    /// Changes the settings from the next batch on. Spans that wait for the former place go there.
    pub fn change(&self, settings: Settings) {
        *self.shared.changed.lock().unwrap_or_else(PoisonError::into_inner) = Some(settings);
        self.thread.unpark();
    }

    /// Waits until every record that was given away before this call is written and can be looked
    /// back at; `false` when that takes longer than `limit`. Blocks its thread: not for workers.
    #[must_use]
    pub fn catch_up(&self, limit: Duration) -> bool {
        let ticket = self.shared.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.thread.unpark();
        let answered = self.shared.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.shared.caught_up.wait_timeout_while(answered, limit, |answered| *answered < ticket);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.handle.shared.closed.store(true, Ordering::SeqCst);
        self.handle.thread.unpark();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so on stderr; there is nothing left to write.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn new(workers: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            queues: (0..workers).map(|_| ArrayQueue::new(CAPACITY)).collect(),
            idle: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            changed: Mutex::new(None),
            asked: AtomicU64::new(0),
            answered: Mutex::new(0),
            caught_up: Condvar::new(),
            metrics,
        }
    }
}

/// What the thread owns.
struct Observing {
    shared: Arc<Shared>,
    settings: Settings,
    log: Box<dyn Write + Send>,
    decisions: Arc<Decisions>,
    last_hour: Arc<LastHour>,
    #[expect(clippy::vec_box, reason = "records go on as they came")]
    batch: Vec<Box<Record>>,
    lines: Vec<u8>,
}

impl Observing {
    fn run(mut self) {
        loop {
            // Both are read before the queues: what was pushed before either is seen below.
            let closed = self.shared.closed.load(Ordering::SeqCst);
            let asked = self.shared.asked.load(Ordering::SeqCst);
            self.take_settings();
            let seen = self.drain();
            self.answer(asked);
            if closed {
                self.export();
                return;
            }
            if self.settings.spans.as_ref().and_then(|spans| spans.due_in(Instant::now())) == Some(Duration::ZERO) {
                self.export();
            }
            if seen {
                thread::park_timeout(GATHER);
            } else {
                self.sleep(asked);
            }
        }
    }

    /// Sleeps until woken, or until spans are due, unless something came in the meantime.
    fn sleep(&self, asked: u64) {
        self.shared.idle.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        // A wake-up may have been used up by whatever the log or the exporter waited for, so all that
        // wakes is looked at once more.
        let waiting = self.shared.queues.iter().any(|queue| !queue.is_empty())
            || self.shared.asked.load(Ordering::SeqCst) != asked
            || self.shared.closed.load(Ordering::SeqCst)
            || self.shared.changed.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if !waiting {
            match self.settings.spans.as_ref().and_then(|spans| spans.due_in(Instant::now())) {
                Some(due) => thread::park_timeout(due),
                None => thread::park(),
            }
        }
        self.shared.idle.store(false, Ordering::Relaxed);
    }

    fn take_settings(&mut self) {
        let changed = self.shared.changed.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(changed) = changed {
            // What was recorded before the change belongs to the former settings.
            self.drain();
            self.export();
            self.settings = changed;
        }
    }

    /// Takes what the queues hold now; says whether there was anything.
    fn drain(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let mut seen = false;
        for queue in &shared.queues {
            // At most a whole queue at a time: one busy worker does not keep the others waiting.
            for _ in 0..CAPACITY {
                let Some(record) = queue.pop() else { break };
                seen = true;
                self.take(record);
            }
        }
        self.write();
        seen
    }

    fn take(&mut self, record: Box<Record>) {
        if self.settings.access_log && log::write(&record, &self.settings.docs, &mut self.lines).is_err() {
            self.shared.metrics.lines_failed.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(spans) = &mut self.settings.spans {
            let dropped = spans.add(&record, &self.settings.docs, Instant::now());
            self.shared.metrics.spans_dropped.fetch_add(dropped, Ordering::Relaxed);
        }
        self.batch.push(record);
        if self.lines.len() >= WRITE || self.batch.len() >= CAPACITY {
            self.write();
        }
    }

    fn write(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        self.last_hour.count(&self.batch);
        self.decisions.keep(self.batch.drain(..));
        let written = self.log.write_all(&self.lines).and_then(|()| self.log.flush());
        if written.is_err() {
            let lines = self.lines.iter().filter(|octet| **octet == b'\n').count();
            let lines = u64::try_from(lines).unwrap_or(u64::MAX);
            self.shared.metrics.lines_failed.fetch_add(lines, Ordering::Relaxed);
        }
        self.lines.clear();
    }

    fn export(&mut self) {
        if let Some(spans) = &mut self.settings.spans {
            let dropped = spans.flush();
            self.shared.metrics.spans_dropped.fetch_add(dropped, Ordering::Relaxed);
        }
    }

    fn answer(&self, asked: u64) {
        let mut answered = self.shared.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if *answered < asked {
            *answered = asked;
            self.shared.caught_up.notify_all();
        }
    }
}
