//! Records that flow, wait, overflow and are written at the end.

use std::sync::mpsc;

use bytes::Bytes;
use jiff::Timestamp;

use super::*;
use crate::decision::DecisionIds;
use crate::samples;

const PATIENCE: Duration = Duration::from_secs(30);

/// A log that gives each write away, and waits for leave to go on where it is gated.
struct Output {
    written: mpsc::Sender<Vec<u8>>,
    gate: Option<mpsc::Receiver<()>>,
}

impl Write for Output {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.written.send(octets.to_vec()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        if let Some(gate) = &self.gate {
            gate.recv().map_err(gone)?;
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Running {
    observer: Observer,
    recorders: Vec<Recorder>,
    written: mpsc::Receiver<Vec<u8>>,
}

fn settings(access_log: bool, spans: Option<Spans>) -> Settings {
    Settings { access_log, docs: "https://docs".into(), spans }
}

fn start(workers: usize, settings: Settings, gate: Option<mpsc::Receiver<()>>) -> Running {
    let (sender, written) = mpsc::channel();
    let log = Box::new(Output { written: sender, gate });
    let process = Process { version: "1".into(), started_at: Timestamp::UNIX_EPOCH };
    let (observer, recorders) = Observer::start(workers, settings, log, &process).unwrap();
    Running { observer, recorders: recorders.into_iter().map(|(recorder, _)| recorder).collect(), written }
}

fn lines(written: &mpsc::Receiver<Vec<u8>>) -> usize {
    written.try_iter().map(|octets| octets.iter().filter(|octet| **octet == b'\n').count()).sum()
}

#[test]
fn all_workers_records_are_written_before_the_end() {
    let running = start(4, settings(true, None), None);
    let each = 10_000;
    thread::scope(|scope| {
        for recorder in running.recorders {
            scope.spawn(move || {
                let ids = DecisionIds::new(u32::try_from(recorder.worker).unwrap(), 0);
                for _ in 0..each {
                    let mut record = samples::refused("/a");
                    record.evidence.received.decision = ids.next(1);
                    recorder.record(Box::new(record));
                }
            });
        }
    });
    let handle = running.observer.handle();
    running.observer.stop();
    let dropped = usize::try_from(handle.metrics.records_dropped()).unwrap();
    assert_eq!(lines(&running.written) + dropped, 4 * each);
    let now = samples::evidence("/a").received.at;
    assert_eq!(handle.last_hour.refusals(now, 1).refused, u64::try_from(4 * each - dropped).unwrap());
}

#[test]
fn a_full_queue_drops_and_counts() {
    let (open, gate) = mpsc::channel();
    let running = start(1, settings(true, None), Some(gate));
    let recorder = &running.recorders[0];
    recorder.record(Box::new(samples::served("/a")));
    let first = running.written.recv_timeout(PATIENCE).unwrap();
    assert_eq!(first.last(), Some(&b'\n'));
    // The thread is held in its write, so nothing leaves the queue.
    for _ in 0..CAPACITY + 5 {
        recorder.record(Box::new(samples::served("/a")));
    }
    assert_eq!(running.observer.handle.metrics.records_dropped(), 5);
    drop(open);
    let handle = running.observer.handle();
    running.observer.stop();
    assert_eq!(handle.metrics.lines_failed.load(Ordering::Relaxed), u64::try_from(CAPACITY + 1).unwrap());
}

#[test]
fn a_record_can_be_looked_back_at_once() {
    let running = start(2, settings(false, None), None);
    for round in 0..200 {
        let mut record = samples::served("/a");
        let id = DecisionIds::new(0, round).next(u64::from(round));
        record.evidence.received.decision = id;
        running.recorders[1].record(Box::new(record));
        assert!(running.observer.handle.catch_up(PATIENCE));
        assert!(running.observer.handle.decisions.get(id).is_some());
    }
    running.observer.stop();
    assert_eq!(lines(&running.written), 0, "the log is off");
}

#[test]
fn a_sleeping_thread_is_woken_by_a_record() {
    let running = start(1, settings(true, None), None);
    for _ in 0..20 {
        assert!(running.observer.handle.catch_up(PATIENCE));
        while !running.observer.handle.shared.idle.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        running.recorders[0].record(Box::new(samples::served("/a")));
        running.written.recv_timeout(PATIENCE).unwrap();
    }
}

#[test]
fn settings_change_between_records() {
    fn spans(sender: mpsc::Sender<Bytes>, take: bool) -> Option<Spans> {
        Some(Spans::new("doorward", "1", Box::new(move |batch| take && sender.send(batch).is_ok())))
    }
    let (first, taken) = mpsc::channel();
    let running = start(1, settings(true, spans(first, true)), None);
    running.recorders[0].record(Box::new(samples::served("/a")));
    assert!(running.observer.handle.catch_up(PATIENCE));
    assert_eq!(lines(&running.written), 1);
    let (second, refused) = mpsc::channel();
    running.observer.handle.change(settings(false, spans(second, false)));
    assert!(running.observer.handle.catch_up(PATIENCE));
    assert_eq!(taken.try_iter().count(), 1, "spans of the former settings went to the former place");
    running.recorders[0].record(Box::new(samples::served("/b")));
    running.recorders[0].record(Box::new(samples::served("/c")));
    let handle = running.observer.handle();
    running.observer.stop();
    assert_eq!(lines(&running.written), 0);
    assert_eq!(refused.try_iter().count(), 0);
    assert_eq!(handle.metrics.spans_dropped.load(Ordering::Relaxed), 2);
}

#[test]
fn spans_leave_when_they_are_due() {
    let (sender, taken) = mpsc::channel();
    let spans = Spans::new("doorward", "1", Box::new(move |batch| sender.send(batch).is_ok()));
    let running = start(1, settings(false, Some(spans)), None);
    running.recorders[0].record(Box::new(samples::served("/a")));
    assert!(!taken.recv_timeout(PATIENCE).unwrap().is_empty());
}

#[test]
fn a_detached_recorder_leaves_nothing() {
    let recorder = Recorder::detached();
    recorder.record(Box::new(samples::served("/a")));
    assert_eq!(recorder.shared.metrics.records_dropped(), 0);
}
