//! What is counted. The series are bounded: by kind and by Gateway, never by any other object.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cause::ObjectName;
use delivery::Replica;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::kinds::Kind;
use crate::watch::Source;

/// Upper bounds of the buckets of how long a round takes, in seconds.
const BUCKETS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];

/// How long a watch counts as failing after a failure: one that goes on failing tells so every few seconds.
const FAILING: Duration = Duration::from_secs(30);

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
    queue: AtomicU64,
    last_round_micros: AtomicU64,
    due: Mutex<Option<Timestamp>>,
    failing: Mutex<BTreeMap<Source, (Arc<str>, Instant)>>,
    gateways: Mutex<BTreeMap<ObjectName, Gateway>>,
}

/// One Gateway as `/status` tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gateway {
    /// The newest revision.
    pub revision: u64,
    /// Its replicas by pod.
    pub replicas: BTreeMap<Arc<str>, Replica>,
}

impl Gateway {
    /// How many connected replicas serve the newest revision, are behind it, and refuse a part of what they were sent.
    fn counts(&self) -> [(&'static str, usize); 3] {
        let count = |is: &dyn Fn(&Replica) -> bool| self.replicas.values().filter(|it| it.connected && is(it)).count();
        let is_current = |it: &Replica| it.applied.is_some_and(|applied| applied.0 >= self.revision);
        [
            ("current", count(&is_current)),
            ("behind", count(&|it| !is_current(it))),
            ("refusing", count(&|it| !it.refused.is_empty())),
        ]
    }
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
            queue: AtomicU64::new(0),
            last_round_micros: AtomicU64::new(0),
            due: Mutex::default(),
            failing: Mutex::default(),
            gateways: Mutex::default(),
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
        self.last_round_micros.store(micros, Ordering::Relaxed);
    }

    /// When time alone will change what objects mean.
    pub fn due(&self, next: Option<Timestamp>) {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// News of watches that wait.
    pub fn queue(&self, depth: usize) {
        self.queue.store(u64::try_from(depth).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Why a watch fails; `None` is that it does not.
    pub fn watch(&self, source: &Source, why: Option<Arc<str>>) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => drop(failing.insert(source.clone(), (why, Instant::now()))),
            None => drop(failing.remove(source)),
        }
    }

    /// What Gateways should serve and their replicas said.
    pub fn gateways(&self, gateways: BTreeMap<ObjectName, Gateway>) {
        *self.gateways.lock().unwrap_or_else(PoisonError::into_inner) = gateways;
    }

    /// Everything that is known of this operator, as JSON.
    #[must_use]
    pub fn to_status(&self) -> Value {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let gateways = self.gateways.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let replica = |(pod, replica): (&Arc<str>, &Replica)| {
            let refused = replica
                .refused
                .iter()
                .map(|refusal| json!({"resource": refusal.resource.to_string(), "reason": &*refusal.reason}));
            json!({
                "pod": &**pod, "connected": replica.connected, "applied": replica.applied.map(|applied| applied.0),
                "refused": refused.collect::<Vec<_>>(),
            })
        };
        // One that is resumed tells nothing until something changes.
        let failing = failing.iter().filter(|(_, (_, at))| at.elapsed() < FAILING).map(
            |(source, (why, _))| json!({"kind": source.kind.name(), "namespace": source.namespace.as_deref(), "reason": &**why}),
        );
        let gateways = gateways.iter().map(|(name, gateway)| {
            json!({
                "gateway": name.to_string(), "revision": gateway.revision,
                "replicas": gateway.replicas.iter().map(replica).collect::<Vec<_>>(),
            })
        });
        let objects: Map<String, Value> = objects.iter().map(|(kind, count)| (kind.name().to_owned(), json!(count))).collect();
        json!({
            "leader": read(&self.leader) == 1,
            "waitsFor": self.awaited(),
            "objects": objects,
            "failingWatches": failing.collect::<Vec<_>>(),
            "gateways": gateways.collect::<Vec<_>>(),
            "queue": read(&self.queue),
            "lastRoundSeconds": Duration::from_micros(read(&self.last_round_micros)).as_secs_f64(),
            "nextDue": self.due.lock().unwrap_or_else(PoisonError::into_inner).map(|next| next.to_string()),
        })
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
        one(&mut text, ("queue", "gauge", "News of watches that wait to be taken in."), read(&self.queue));
        head(
            &mut text,
            ("gateway_replicas", "gauge", "Connected data planes of a Gateway, by what they said of its newest state."),
        );
        for (name, gateway) in &*self.gateways.lock().unwrap_or_else(PoisonError::into_inner) {
            for (state, count) in gateway.counts() {
                let name = format!("gateway_replicas{{gateway=\"{name}\",state=\"{state}\"}}");
                line(&mut text, &name, u64::try_from(count).unwrap_or(u64::MAX));
            }
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
        let replica = |applied, refused| {
            let id = ir::ResourceId::Route(ir::RouteId::api(ObjectName::new("shop", "orders")));
            let refusal = delivery::Refusal { resource: id, reason: "no such word".into() };
            Replica {
                uid: "u".into(),
                connected: true,
                applied: Some(delivery::Revision(applied)),
                refused: [refusal].into_iter().take(refused).collect(),
            }
        };
        let replicas = BTreeMap::from([("a".into(), replica(5, 0)), ("b".into(), replica(4, 1))]);
        figures.gateways(BTreeMap::from([(ObjectName::new("edge", "web"), Gateway { revision: 5, replicas })]));
        figures.queue(7);
        let source = Source { kind: Kind::Secret, namespace: None };
        figures.watch(&source, Some("Forbidden: m".into()));
        let status = figures.to_status();
        assert_eq!((&status["leader"], &status["queue"], &status["objects"]["HTTPRoute"]), (&json!(true), &json!(7), &json!(3)));
        assert_eq!(status["gateways"][0]["replicas"][1]["refused"][0]["reason"], json!("no such word"));
        assert_eq!(status["failingWatches"], json!([{"kind": "Secret", "namespace": null, "reason": "Forbidden: m"}]));
        figures.watch(&source, None);
        assert_eq!(figures.to_status()["failingWatches"], json!([]));
        let text = figures.to_text();
        for expected in [
            "doorward_operator_gateway_replicas{gateway=\"edge/web\",state=\"current\"} 1",
            "doorward_operator_gateway_replicas{gateway=\"edge/web\",state=\"behind\"} 1",
            "doorward_operator_gateway_replicas{gateway=\"edge/web\",state=\"refusing\"} 1",
            "doorward_operator_queue 7",
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
