//! Which statuses are to be written now. Pure: what is known, what is wanted and the time go in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use super::merge::merge;
use crate::kinds::Kind;
use crate::store::{Key, Known};

/// Between two writes of one object's status, so that a Gateway that gets a thousand routes is
/// written a few times.
const APART: Duration = Duration::from_millis(400);
/// Waits after a write that failed: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// Writes under way at once.
const FLYING: usize = 64;

/// What a status should say.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The status without times.
    pub status: Value,
    /// Until when something better is expected, so that it is not worth a write.
    pub settles: Option<Instant>,
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Of what.
    pub key: Key,
    /// Only if it is still this object.
    pub uid: Arc<str>,
    /// Only if it is still this version, where others write into the same list.
    pub version: Option<Arc<str>>,
    /// The status.
    pub status: Value,
    /// What there is to tell of it.
    pub transition: Option<Transition>,
}

/// A change that whoever looks at the object's events should find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Whether it is for the better.
    pub is_good: bool,
    /// In one word.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// What became of a write.
#[derive(Clone, Debug)]
pub enum Written {
    /// The object now.
    Done(Known),
    /// The object is gone or another one.
    Gone,
    /// It is to be tried again.
    Failed,
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Plan {
    /// Writes to begin now.
    pub writes: Vec<Write>,
    /// When to plan again, if nothing else happens.
    pub again: Option<Instant>,
}

/// What was written, and what is being written.
#[derive(Debug, Default)]
pub struct Board {
    past: BTreeMap<Key, Past>,
    flying: BTreeSet<Key>,
}

#[derive(Debug)]
struct Past {
    /// The object after our last write, until watching tells the same.
    after: Option<Known>,
    next: Instant,
    failures: u32,
}

impl Board {
    /// What to write of `wanted`, where the objects are as `known`.
    pub fn plan(&mut self, wanted: &BTreeMap<Key, Wanted>, known: &BTreeMap<Key, Known>, now: Instant, time: Timestamp) -> Plan {
        self.past.retain(|key, _| known.contains_key(key));
        let mut plan = Plan::default();
        for (key, wanted) in wanted {
            let Some(object) = known.get(key).filter(|object| !object.marks.is_ending) else { continue };
            let object = self.newest(key, object);
            let Some(status) = merge(key.kind, &wanted.status, &object.status, time) else { continue };
            let next = self.past.get(key).map(|past| past.next).max(wanted.settles).filter(|next| *next > now);
            if let Some(next) = next {
                plan.again = Some(plan.again.map_or(next, |again| again.min(next)));
                continue;
            }
            if self.flying.contains(key) || self.flying.len() >= FLYING {
                // The end of a write plans again.
                continue;
            }
            let version = (key.kind == Kind::HttpRoute).then(|| Arc::clone(&object.marks.version));
            let transition = transition(key.kind, &object.status, &status);
            plan.writes.push(Write { key: key.clone(), uid: Arc::clone(&object.marks.uid), version, status, transition });
            self.flying.insert(key.clone());
        }
        plan
    }

    /// A write ended.
    pub fn ended(&mut self, key: &Key, written: Written, now: Instant) {
        self.flying.remove(key);
        match written {
            Written::Done(object) => {
                self.past.insert(key.clone(), Past { after: Some(object), next: now + APART, failures: 0 });
            }
            Written::Gone => {
                self.past.remove(key);
            }
            Written::Failed => {
                let past = self.past.entry(key.clone()).or_insert(Past { after: None, next: now, failures: 0 });
                past.next = now + PAUSES.0.saturating_mul(1_u32 << past.failures.min(8)).min(PAUSES.1);
                past.failures = past.failures.saturating_add(1);
                past.after = None;
            }
        }
    }

    /// The object as it was told, or as our own write left it where that is newer.
    fn newest<'a>(&'a self, key: &Key, told: &'a Known) -> &'a Known {
        let after = self.past.get(key).and_then(|past| past.after.as_ref());
        after
            .filter(|after| after.marks.uid == told.marks.uid && is_newer(&after.marks.version, &told.marks.version))
            .unwrap_or(told)
    }
}

/// Resource versions can be compared as numbers (KEP-5504); where they are none, the told one counts.
fn is_newer(version: &str, than: &str) -> bool {
    let number = |text: &str| text.parse::<u128>().ok();
    matches!((number(version), number(than)), (Some(version), Some(than)) if version > than)
}

/// What there is to tell: that it went wrong, or that it is right again.
fn transition(kind: Kind, before: &Value, after: &Value) -> Option<Transition> {
    let summary = if kind.group() == crds::GROUP { "Ready" } else { "Programmed" };
    let text = |status: &Value, field: &str| -> Option<String> {
        let mut conditions = status.get("conditions").and_then(Value::as_array).into_iter().flatten();
        let condition = conditions.find(|condition| condition.get("type").and_then(Value::as_str) == Some(summary))?;
        condition.get(field).and_then(Value::as_str).map(str::to_owned)
    };
    let (was, is) = (text(before, "status"), text(after, "status")?);
    let is_told = match (was.as_deref(), is.as_str()) {
        (Some("False"), "True") => true,
        (was, "False") => was != Some("False"),
        _ => false,
    };
    is_told.then(|| Transition {
        is_good: is == "True",
        reason: text(after, "reason").unwrap_or_default(),
        message: text(after, "message").unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::watch::Marks;
    use cause::ObjectName;

    fn key() -> Key {
        Key::new(Kind::ApiRoute, ObjectName::new("shop", "orders"))
    }

    fn status(ready: &str) -> Value {
        json!({"conditions": [{"type": "Ready", "status": ready, "reason": "R", "message": "m", "lastTransitionTime": "t"}]})
    }

    fn known(version: &str, status: Value) -> Known {
        let marks = Marks { uid: "u".into(), generation: 1, version: version.into(), is_ending: false };
        Known { marks, status: Arc::new(status) }
    }

    struct Scene {
        board: Board,
        known: BTreeMap<Key, Known>,
        begin: Instant,
    }

    impl Scene {
        fn new(known: Known) -> Self {
            Self { board: Board::default(), known: BTreeMap::from([(key(), known)]), begin: Instant::now() }
        }

        fn at(&self, milliseconds: u64) -> Instant {
            self.begin + Duration::from_millis(milliseconds)
        }

        /// How many writes there are, and when to plan again.
        fn plan(&mut self, wanted: &str, settles: Option<u64>, at: u64) -> (usize, Option<u64>) {
            let settles = settles.map(|settles| self.at(settles));
            let wanted = BTreeMap::from([(key(), Wanted { status: status(wanted), settles })]);
            let now = self.at(at);
            let plan = self.board.plan(&wanted, &self.known, now, Timestamp::UNIX_EPOCH);
            let again = plan.again.map(|again| u64::try_from((again - self.begin).as_millis()).unwrap());
            (plan.writes.len(), again)
        }

        fn done(&mut self, version: &str, ready: &str, at: u64) {
            let now = self.at(at);
            self.board.ended(&key(), Written::Done(known(version, status(ready))), now);
        }
    }

    #[test]
    fn a_write_is_made_once_and_the_next_one_waits() {
        let mut scene = Scene::new(known("7", Value::Null));
        assert_eq!(scene.plan("True", None, 0), (1, None));
        assert_eq!(scene.plan("True", None, 1), (0, None), "it is under way");
        scene.done("9", "True", 10);
        assert_eq!(scene.plan("True", None, 11), (0, None), "what was written counts before it is told");
        assert_eq!(scene.plan("False", None, 12), (0, Some(410)));
        assert_eq!(scene.plan("False", None, 410), (1, None));
        scene.done("11", "False", 420);
        scene.known.insert(key(), known("10", status("True")));
        assert_eq!(scene.plan("False", None, 900), (0, None), "an older version is told late");
        scene.known.insert(key(), known("12", status("True")));
        assert_eq!(scene.plan("False", None, 900), (1, None), "somebody else wrote");
    }

    #[test]
    fn what_will_change_in_a_moment_is_not_written() {
        let mut scene = Scene::new(known("7", Value::Null));
        assert_eq!(scene.plan("Unknown", Some(100), 0), (0, Some(100)));
        assert_eq!(scene.plan("Unknown", Some(100), 100), (1, None));
    }

    #[test]
    fn failures_are_tried_again_ever_later() {
        let mut scene = Scene::new(known("7", Value::Null));
        let mut waits = Vec::new();
        let mut at = 0;
        for _ in 0..7 {
            assert_eq!(scene.plan("True", None, at).0, 1);
            let now = scene.at(at);
            scene.board.ended(&key(), Written::Failed, now);
            let again = scene.plan("True", None, at).1.unwrap();
            waits.push(again - at);
            at = again;
        }
        assert_eq!(waits, [200, 400, 800, 1600, 3200, 5000, 5000]);
        scene.known.clear();
        assert_eq!(scene.plan("True", None, at), (0, None), "it is gone");
    }

    #[test]
    fn going_wrong_and_being_right_again_are_told() {
        let check = |before: Value, after: &str, expected: Option<bool>| {
            let told = transition(Kind::ApiRoute, &before, &status(after)).map(|transition| transition.is_good);
            assert_eq!(told, expected, "{before} -> {after}");
        };
        check(Value::Null, "Unknown", None);
        check(Value::Null, "True", None);
        check(Value::Null, "False", Some(false));
        check(status("Unknown"), "False", Some(false));
        check(status("True"), "False", Some(false));
        check(status("False"), "False", None);
        check(status("False"), "Unknown", None);
        check(status("False"), "True", Some(true));
        check(status("True"), "True", None);
    }
}
