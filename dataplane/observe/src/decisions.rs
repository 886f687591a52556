//! Recent calls, kept for looking back.
//!
//! Bounded twice, by calls and by memory; the oldest go first. Written by the observer's thread
//! and read by whoever asks; no request thread comes here.

use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::decision::DecisionId;
use crate::evidence::Record;

/// Recent calls by their decision id. Kept in their order and searched from the last one: every
/// call is kept, and few are looked back at.
#[derive(Debug)]
pub struct Decisions {
    kept: Mutex<Kept>,
    calls: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Kept {
    records: VecDeque<(Box<Record>, usize)>,
    bytes: usize,
}

impl Decisions {
    /// Keeps at most `calls` calls and about `bytes` bytes.
    #[must_use]
    pub fn new(calls: usize, bytes: usize) -> Self {
        Self { kept: Mutex::default(), calls, bytes }
    }

    /// The call of this id, if it is still kept.
    #[must_use]
    pub fn get(&self, id: DecisionId) -> Option<Box<Record>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.records.iter().rev().find(|(record, _)| record.evidence.received.decision == id);
        found.map(|(record, _)| record.clone())
    }

    pub(crate) fn keep(&self, records: impl Iterator<Item = Box<Record>>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            let weight = weight(&record);
            kept.records.push_back((record, weight));
            kept.bytes += weight;
            while kept.records.len() > self.calls || kept.bytes > self.bytes {
                let Some((_, weight)) = kept.records.pop_front() else { break };
                kept.bytes -= weight;
            }
        }
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
    use super::*;
    use crate::decision::DecisionIds;
    use crate::samples;

    #[expect(clippy::vec_box, reason = "records go on as they came")]
    fn calls(count: usize, target: &str) -> Vec<Box<Record>> {
        let ids = DecisionIds::new(0, 0);
        let call = |_| {
            let mut record = samples::served(target);
            record.evidence.received.decision = ids.next(7);
            Box::new(record)
        };
        (0..count).map(call).collect()
    }

    #[test]
    fn the_oldest_go_first() {
        fn check(calls: usize, bytes: usize, records: &[Box<Record>], expected: std::ops::RangeInclusive<usize>) {
            let store = Decisions::new(calls, bytes);
            store.keep(records.iter().cloned());
            let found: Vec<bool> = records.iter().map(|record| store.get(record.evidence.received.decision).is_some()).collect();
            let kept = found.iter().filter(|found| **found).count();
            assert!(expected.contains(&kept), "{kept}");
            assert!(found[found.len() - kept..].iter().all(|found| *found), "{found:?}");
        }
        check(3, usize::MAX, &calls(10, "/a"), 3..=3);
        check(usize::MAX, usize::MAX, &calls(10, "/a"), 10..=10);
        check(usize::MAX, 40_000, &calls(100, "/a"), 10..=60);
        check(usize::MAX, 40_000, &calls(100, &"/a".repeat(4000)), 4..=5);
        check(usize::MAX, 1000, &calls(2, &"/a".repeat(4000)), 0..=0);
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
