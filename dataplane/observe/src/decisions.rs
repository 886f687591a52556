//! Recent calls, kept for looking back: refused ones apart, so that the many that are served do not push out the few
//! that somebody asks about.
//!
//! A flood of refusals pushes out little of others: in each second only the first of one cause, and of one cause and
//! route, are kept with the refused ones. All others are among the recent calls, where the last ones are found.
//!
//! Bounded by calls and by memory; the oldest go first. Written by the observer's thread and read by whoever asks; no
//! request thread comes here.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem::size_of;
use std::sync::{Arc, Mutex, PoisonError};

use cause::Denial;
use serde_json::Value;

use crate::decision::DecisionId;
use crate::evidence::Record;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of all calls but those that are kept as refused.
    pub recent: Bound,
    /// Of calls that a step refused, be it for the caller's sake or for ours.
    pub refused: Bound,
    /// Refusals of one cause in one second, over all routes, that are kept as refused.
    pub alike: usize,
    /// Likewise, on one route.
    pub alike_by_route: usize,
}

/// How much is kept of one sort.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Calls.
    pub calls: usize,
    /// About how many bytes.
    pub bytes: usize,
}

/// Recent calls by their decision id. Kept in their order and searched from the last one: every call is kept, and few
/// are looked back at.
#[derive(Debug)]
pub struct Decisions {
    kept: Mutex<Kept>,
    bounds: Bounds,
}

#[derive(Debug, Default)]
struct Kept {
    recent: Records,
    refused: Records,
    second: Second,
}

#[derive(Debug, Default)]
struct Records {
    records: VecDeque<(Box<Record>, usize)>,
    bytes: usize,
}

/// Refusals of one second.
#[derive(Debug, Default)]
struct Second {
    /// Seconds since the epoch.
    number: i64,
    causes: BTreeMap<&'static str, Alike>,
}

/// Refusals of one cause.
#[derive(Debug, Default)]
struct Alike {
    all: usize,
    /// By where the names of the route lie.
    by_route: HashMap<usize, usize>,
}

impl Decisions {
    /// Keeps nothing yet.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { kept: Mutex::default(), bounds }
    }

    /// The call of this id, if it is still kept.
    #[must_use]
    pub fn get(&self, id: DecisionId) -> Option<Box<Record>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.recent.find(id).or_else(|| kept.refused.find(id))
    }

    pub(crate) fn keep(&self, records: impl Iterator<Item = Box<Record>>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { recent, refused, second } = &mut *kept;
        for record in records {
            match record.outcome.refused.as_deref() {
                Some((_, denial)) if second.is_among_first(&record, denial, &self.bounds) => {
                    refused.keep(record, self.bounds.refused);
                }
                Some(_) | None => recent.keep(record, self.bounds.recent),
            }
        }
    }
}

impl Records {
    fn find(&self, id: DecisionId) -> Option<Box<Record>> {
        let found = self.records.iter().rev().find(|(record, _)| record.evidence.received.decision == id);
        found.map(|(record, _)| record.clone())
    }

    fn keep(&mut self, record: Box<Record>, bound: Bound) {
        let weight = weight(&record);
        self.records.push_back((record, weight));
        self.bytes += weight;
        while self.records.len() > bound.calls || self.bytes > bound.bytes {
            let Some((_, weight)) = self.records.pop_front() else { break };
            self.bytes -= weight;
        }
    }
}

impl Second {
    /// Whether few of this cause came before it in its second. One that comes late counts in the second that is.
    fn is_among_first(&mut self, record: &Record, denial: &Denial, bounds: &Bounds) -> bool {
        let number = record.evidence.received.at.as_second();
        if number > self.number {
            *self = Self { number, causes: BTreeMap::new() };
        }
        let alike = self.causes.entry(denial.entry().code).or_default();
        if alike.all >= bounds.alike {
            return false;
        }
        let route = record.evidence.located.as_ref().map_or(0, |located| Arc::as_ptr(&located.names).addr());
        let on_route = alike.by_route.entry(route).or_default();
        if *on_route >= bounds.alike_by_route {
            return false;
        }
        *on_route += 1;
        alike.all += 1;
        true
    }
}

/// About how many bytes a record holds, counting what it shares as its own: too much rather than
/// too little.
fn weight(record: &Record) -> usize {
    // What the store and the allocator spend on an entry, and texts of a cause, which are bounded.
    const ENTRY: usize = 64;
    const CAUSE: usize = 512;
    let evidence = &record.evidence;
    let head = evidence.received.head.len();
    let claims = evidence.principal.as_ref().map_or(0, |principal| {
        principal.claims.iter().map(|(name, value)| name.len() + size_of::<Value>() + json_weight(value)).sum()
    });
    let causes = evidence.shadow.len() + usize::from(record.outcome.refused.is_some());
    let reports = evidence.credentials.len();
    ENTRY + size_of::<Record>() + head + claims + causes * CAUSE + reports * 128
}

fn json_weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| size_of::<Value>() + json_weight(item)).sum(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| name.len() + 2 * size_of::<Value>() + json_weight(member)).sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use cause::{Check, ObjectName};

    use super::*;
    use crate::decision::DecisionIds;
    use crate::evidence::{Located, RouteNames};
    use crate::samples;

    const ANY: Bound = Bound { calls: usize::MAX, bytes: usize::MAX };

    /// Calls in their order, told as they were made: how many, in which second, on which route, and the cause of those
    /// that were refused.
    #[derive(Default)]
    struct Made {
        ids: Option<DecisionIds>,
        routes: BTreeMap<&'static str, Arc<RouteNames>>,
    }

    impl Made {
        fn calls(&mut self, (count, second, route, denial): Calls) -> Vec<Record> {
            let names = self.routes.entry(route).or_insert_with(|| samples::located(ObjectName::new("shop", route)).names);
            let ids = self.ids.get_or_insert_with(|| DecisionIds::new(0, 0));
            let call = |_| {
                let mut record = samples::served("/a");
                record.evidence.received.decision = ids.next(7);
                record.evidence.received.at = jiff::Timestamp::from_second(second).unwrap();
                record.evidence.located = Some(Located { names: Arc::clone(names), version: None, chosen_by: None });
                record.outcome.refused = denial.map(|denial| Box::new((Check::Meter, denial())));
                record
            };
            (0..count).map(call).collect()
        }
    }

    type Calls = (usize, i64, &'static str, Option<fn() -> Denial>);

    /// Of each group of calls, how many of its first and how many of its last are found at the end.
    fn check(bounds: Bounds, groups: &[Calls], expected: &[(usize, usize)]) {
        let (store, mut made) = (Decisions::new(bounds), Made::default());
        let groups: Vec<Vec<Record>> = groups.iter().map(|group| made.calls(*group)).collect();
        for group in &groups {
            store.keep(group.iter().cloned().map(Box::new));
        }
        let found = groups.iter().map(|group| {
            let found: Vec<bool> = group.iter().map(|record| store.get(record.evidence.received.decision).is_some()).collect();
            let first = found.iter().take_while(|found| **found).count();
            let last = found[first..].iter().rev().take_while(|found| **found).count();
            assert_eq!(first + last, found.iter().filter(|found| **found).count(), "{found:?}");
            (first, last)
        });
        assert_eq!(found.collect::<Vec<_>>(), expected, "{bounds:?}");
    }

    fn bounds(recent: usize, refused: usize, (alike, alike_by_route): (usize, usize)) -> Bounds {
        let bound = |calls| Bound { calls, ..ANY };
        Bounds { recent: bound(recent), refused: bound(refused), alike, alike_by_route }
    }

    #[test]
    fn refused_calls_outlive_served_ones() {
        let role: Option<fn() -> Denial> = Some(samples::role_missing);
        let reset: Option<fn() -> Denial> = Some(|| Denial::Upstream(cause::Upstream::NoEndpoints { backend: "b".into() }));
        // What is served is pushed out by what is served, and by nothing that is refused.
        check(bounds(3, 3, (9, 9)), &[(2, 1, "a", None), (10, 1, "a", None)], &[(0, 0), (0, 3)]);
        check(bounds(3, 3, (9, 9)), &[(3, 1, "a", None), (9, 1, "a", role)], &[(3, 0), (0, 3)]);
        check(bounds(3, 3, (9, 9)), &[(2, 1, "a", role), (99, 1, "a", None)], &[(2, 0), (0, 3)]);
        check(bounds(3, 3, (9, 9)), &[(1, 1, "a", reset), (99, 1, "a", None)], &[(1, 0), (0, 3)]);
        // Of a flood, the first of each second are kept, and the last of all.
        check(bounds(3, 9, (9, 2)), &[(20, 1, "a", role)], &[(2, 3)]);
        check(bounds(3, 9, (9, 2)), &[(20, 1, "a", role), (20, 2, "a", role)], &[(2, 0), (2, 3)]);
        check(bounds(3, 9, (9, 2)), &[(20, 2, "a", role), (1, 1, "a", role), (9, 2, "a", None)], &[(2, 0), (0, 0), (0, 3)]);
        // It takes no place from another cause or route, and all routes together take as much as one cause may.
        check(bounds(3, 9, (9, 2)), &[(1, 1, "a", reset), (99, 1, "a", role), (2, 1, "b", role)], &[(1, 0), (2, 3), (2, 0)]);
        let routes = [(9, 1, "a", role), (9, 1, "b", role), (9, 1, "c", role), (1, 1, "d", reset), (3, 1, "a", None)];
        check(bounds(3, 9, (5, 2)), &routes, &[(2, 0), (2, 0), (1, 0), (1, 0), (3, 0)]);
        check(bounds(0, 0, (9, 9)), &[(2, 1, "a", None), (2, 1, "a", role)], &[(0, 0), (0, 0)]);
    }

    #[test]
    fn memory_is_bounded() {
        fn check(bytes: usize, (count, target): (usize, &str), refused: bool, expected: std::ops::RangeInclusive<usize>) {
            let bound = Bound { bytes, ..ANY };
            let store = Decisions::new(Bounds { recent: bound, refused: bound, alike: usize::MAX, alike_by_route: usize::MAX });
            let ids = DecisionIds::new(0, 0);
            let call = |_| {
                let mut record = if refused { samples::refused(target) } else { samples::served(target) };
                record.evidence.received.decision = ids.next(7);
                record
            };
            let records: Vec<Record> = (0..count).map(call).collect();
            store.keep(records.iter().cloned().map(Box::new));
            let found: Vec<bool> = records.iter().map(|record| store.get(record.evidence.received.decision).is_some()).collect();
            let kept = found.iter().filter(|found| **found).count();
            assert!(expected.contains(&kept), "{kept}");
            assert!(found[found.len() - kept..].iter().all(|found| *found), "{found:?}");
        }
        for refused in [false, true] {
            check(usize::MAX, (10, "/a"), refused, 10..=10);
            check(40_000, (100, "/a"), refused, 10..=60);
            check(40_000, (100, &"/a".repeat(4000)), refused, 4..=5);
            check(1000, (2, &"/a".repeat(4000)), refused, 0..=0);
        }
    }

    #[test]
    fn claims_weigh() {
        let mut record = samples::served("/a");
        let before = weight(&record);
        let mut facts = policy::principal::Facts::clone(&samples::principal());
        let claims = serde_json::json!({"groups": ["x".repeat(1000), {"y": "z".repeat(500)}], "n": 1});
        facts.claims = std::sync::Arc::new(claims.as_object().unwrap().clone());
        record.evidence.principal = Some(facts.into());
        assert!((1500..2500).contains(&(weight(&record) - before)));
    }
}
