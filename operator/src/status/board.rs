//! Which statuses are to be written now. Pure: what is known, what is wanted and the time go in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ir::SharedMap;
use jiff::Timestamp;
use serde_json::Value;
use translate::ApiRouteStanding;

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

/// What the status of a route that is in order is made of, beside the object itself.
#[derive(Clone, Debug)]
pub struct Basis {
    /// What it means.
    pub standing: Arc<ApiRouteStanding>,
    /// Which of its Gateways serve it.
    pub served: Vec<bool>,
}

impl Basis {
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.standing, &other.standing) && self.served == other.served
    }
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
    /// What was found to say what it should, and what of.
    settled: BTreeMap<Key, (Basis, Known)>,
}

/// What is to be done, being found out object by object.
#[derive(Debug)]
pub struct Planning<'a> {
    board: &'a mut Board,
    known: &'a SharedMap<Key, Known>,
    now: Instant,
    time: Timestamp,
    plan: Plan,
}

#[derive(Debug)]
struct Past {
    /// The object after our last write, until watching tells the same.
    after: Option<Known>,
    next: Instant,
    failures: u32,
}

impl Board {
    /// Begins to plan, where the objects are as `known`.
    pub fn begin<'a>(&'a mut self, known: &'a SharedMap<Key, Known>, now: Instant, time: Timestamp) -> Planning<'a> {
        let is_needed = |past: &Past| past.after.is_some() || past.failures > 0 || past.next > now;
        self.past.retain(|key, past| is_needed(past) && known.contains_key(key));
        self.settled.retain(|key, _| known.contains_key(key));
        Planning { board: self, known, now, time, plan: Plan::default() }
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

    /// Whether an object was found to say what it should, and nothing that this was found from has changed.
    fn is_settled(&self, key: &Key, basis: Option<&Basis>, told: &Known) -> bool {
        let Some((basis, (known, object))) = basis.zip(self.settled.get(key)) else { return false };
        basis.is_same(known) && object == told
    }

    /// What was written needs not be remembered from when it is told.
    fn heard(&mut self, key: &Key, told: &Known) {
        if let Some(past) = self.past.get_mut(key)
            && past.after.as_ref().is_some_and(|after| !is_newer(&after.marks.version, &told.marks.version))
        {
            past.after = None;
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

impl Planning<'_> {
    /// Whether an object is written if it should be: what it should say is made only where that is not known.
    pub fn consider(&mut self, key: Key, basis: Option<Basis>, wanted: impl FnOnce() -> Wanted) {
        let Self { board, known, now, .. } = self;
        let Some(told) = known.get(&key).filter(|object| !object.marks.is_ending) else { return };
        // The end of a write plans again.
        if board.flying.len() >= FLYING || board.flying.contains(&key) || board.is_settled(&key, basis.as_ref(), told) {
            return;
        }
        board.heard(&key, told);
        let Wanted { status, settles } = wanted();
        let object = board.newest(&key, told);
        let present = object.status.value();
        let Some(status) = merge(key.kind, &status, &present, self.time) else {
            if let Some(basis) = basis.filter(|_| std::ptr::eq(object, told)) {
                board.settled.insert(key, (basis, told.clone()));
            }
            return;
        };
        let next = board.past.get(&key).map(|past| past.next).max(settles).filter(|next| *next > *now);
        if let Some(next) = next {
            self.plan.again = Some(self.plan.again.map_or(next, |again| again.min(next)));
            return;
        }
        let version = (key.kind == Kind::HttpRoute).then(|| Arc::clone(&object.marks.version));
        let transition = transition(key.kind, &present, &status);
        self.plan.writes.push(Write { key: key.clone(), uid: Arc::clone(&object.marks.uid), version, status, transition });
        board.flying.insert(key);
    }

    /// What is to be done.
    #[must_use]
    pub fn end(self) -> Plan {
        self.plan
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
    let reason = text(after, "reason").unwrap_or_default();
    let is_told = match (was.as_deref(), is.as_str()) {
        (Some("False"), "True") => true,
        (Some("False"), "False") => false,
        // What was never ready is still being made.
        (Some("True"), "False") => true,
        (_, "False") => !STARTING.contains(&reason.as_str()),
        _ => false,
    };
    let is_good = is == "True";
    let message = text(after, "message").filter(|message| !message.is_empty()).unwrap_or_else(|| {
        let word = if is_good { "It is served by every data plane that is ready" } else { "It is not ready" };
        format!("{word} ({summary} is {is}, {reason}).")
    });
    is_told.then_some(Transition { is_good, reason, message })
}

/// Why something is not ready that has just been made.
const STARTING: [&str; 2] = ["NoResources", "AddressNotAssigned"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::StatusText;
    use crate::watch::Marks;
    use cause::ObjectName;

    fn key() -> Key {
        Key::new(Kind::ApiRoute, ObjectName::new("shop", "orders"))
    }

    fn status(ready: &str) -> Value {
        json!({"conditions": [{"type": "Ready", "status": ready, "reason": "R", "message": "m", "lastTransitionTime": "t"}]})
    }

    fn known(version: &str, status: Value) -> Known {
        let marks = Marks { uid: "u".into(), generation: 1, version: version.into(), is_ending: false, is_written: false };
        Known { marks, status: StatusText::of(&status) }
    }

    struct Scene {
        board: Board,
        known: SharedMap<Key, Known>,
        begin: Instant,
    }

    impl Scene {
        fn new(known: Known) -> Self {
            Self { board: Board::default(), known: SharedMap::from_iter([(key(), known)]), begin: Instant::now() }
        }

        fn at(&self, milliseconds: u64) -> Instant {
            self.begin + Duration::from_millis(milliseconds)
        }

        /// How many writes there are, and when to plan again.
        fn plan(&mut self, wanted: &str, settles: Option<u64>, at: u64) -> (usize, Option<u64>) {
            let settles = settles.map(|settles| self.at(settles));
            let now = self.at(at);
            let mut planning = self.board.begin(&self.known, now, Timestamp::UNIX_EPOCH);
            planning.consider(key(), None, || Wanted { status: status(wanted), settles });
            let plan = planning.end();
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
    fn what_is_in_order_is_made_anew_only_when_something_of_it_changed() {
        let standing = |path: &str| {
            let verdict = || translate::Verdict { holds: true, reason: "R", message: path.into() };
            let standing = translate::Standing { accepted: verdict(), resolved_refs: verdict(), stalled: None };
            Arc::new(ApiRouteStanding { standing, parents: Vec::new(), status: Default::default() })
        };
        let mut scene = Scene::new(known("7", status("True")));
        let mut check = |known: Known, standing: &Arc<ApiRouteStanding>, served: &[bool], expected: bool| {
            scene.known.insert(key(), known);
            let (basis, mut is_made) = (Basis { standing: Arc::clone(standing), served: served.to_vec() }, false);
            let mut planning = scene.board.begin(&scene.known, scene.begin, Timestamp::UNIX_EPOCH);
            planning.consider(key(), Some(basis), || {
                is_made = true;
                Wanted { status: status("True"), settles: None }
            });
            assert!(planning.end().writes.is_empty());
            assert_eq!(is_made, expected, "{served:?}");
        };
        let (one, other) = (standing("/a"), standing("/b"));
        check(known("7", status("True")), &one, &[true], true);
        check(known("7", status("True")), &one, &[true], false);
        check(known("7", status("True")), &other, &[true], true);
        check(known("7", status("True")), &other, &[true, false], true);
        check(known("8", status("True")), &other, &[true, false], true);
        check(known("8", status("True")), &other, &[true, false], false);
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
        scene.known.remove(&key());
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

    #[test]
    fn what_is_being_made_is_no_failure_and_every_event_says_something() {
        let check = |before: Option<&str>, after: (&str, &str, &str), expected: Option<&str>| {
            let before = before.map_or(Value::Null, status);
            let (truth, reason, message) = after;
            let after = json!({"conditions": [{"type": "Ready", "status": truth, "reason": reason, "message": message}]});
            let told = transition(Kind::ApiRoute, &before, &after).map(|transition| transition.message);
            assert_eq!(told.as_deref(), expected, "{before} -> {after}");
        };
        check(None, ("False", "NoResources", "m"), None);
        check(Some("Unknown"), ("False", "NoResources", "m"), None);
        check(Some("Unknown"), ("False", "AddressNotAssigned", "m"), None);
        check(Some("True"), ("False", "NoResources", "m"), Some("m"));
        check(None, ("False", "BackendNotFound", "m"), Some("m"));
        check(Some("True"), ("False", "Refused", ""), Some("It is not ready (Ready is False, Refused)."));
        let good = "It is served by every data plane that is ready (Ready is True, Ready).";
        check(Some("False"), ("True", "Ready", ""), Some(good));
    }
}
