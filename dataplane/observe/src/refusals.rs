//! What was refused in the last hour, minute by minute.
//!
//! Written by the observer's thread from records and read by whoever asks. Times are those of the
//! records, so nothing here reads a clock.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cause::ObjectName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::evidence::Record;

/// Minutes that are kept.
const MINUTES: usize = 60;
/// Pairs of code and route that one minute tells apart; beyond them only codes are.
const PAIRS: usize = 128;

/// The calls of the last hour.
#[derive(Debug)]
pub struct LastHour(Mutex<[Minute; MINUTES]>);

#[derive(Debug, Default)]
struct Minute {
    /// Minutes since the epoch.
    number: i64,
    calls: u64,
    refused: BTreeMap<(&'static str, Option<ObjectName>), u64>,
}

/// What was refused in the last hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals {
    /// All calls.
    pub calls: u64,
    /// Those that were refused.
    pub refused: u64,
    /// The most frequent causes, most frequent first.
    pub top: Vec<Top>,
}

/// One cause in the last hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Top {
    /// Its code.
    pub code: String,
    /// How often.
    pub count: u64,
    /// The route where it happened most, where one was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
}

impl Default for LastHour {
    fn default() -> Self {
        Self(Mutex::new(std::array::from_fn(|_| Minute::default())))
    }
}

impl LastHour {
    /// The `limit` most frequent causes of the 60 minutes that end with the one of `now`.
    #[must_use]
    pub fn refusals(&self, now: Timestamp, limit: usize) -> Refusals {
        let last = minute(now);
        let minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut refusals = Refusals::default();
        let mut codes: BTreeMap<&str, BTreeMap<Option<&ObjectName>, u64>> = BTreeMap::new();
        for minute in minutes.iter().filter(|minute| (0..60).contains(&(last - minute.number))) {
            refusals.calls += minute.calls;
            for ((code, route), count) in &minute.refused {
                refusals.refused += count;
                *codes.entry(code).or_default().entry(route.as_ref()).or_default() += count;
            }
        }
        refusals.top = codes
            .into_iter()
            .map(|(code, routes)| Top {
                code: code.to_owned(),
                count: routes.values().sum(),
                route: routes.iter().max_by_key(|(_, count)| **count).and_then(|(route, _)| route.map(ToString::to_string)),
            })
            .collect();
        refusals.top.sort_by_key(|top| std::cmp::Reverse(top.count));
        refusals.top.truncate(limit);
        refusals
    }

    pub(crate) fn count(&self, records: &[Box<Record>]) {
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            let number = minute(record.evidence.received.at);
            let index = usize::try_from(number.rem_euclid(60)).unwrap_or(0);
            let Some(slot) = minutes.get_mut(index) else { continue };
            if slot.number < number {
                *slot = Minute { number, ..Minute::default() };
            }
            if slot.number > number {
                continue;
            }
            slot.calls += 1;
            if let Some((_, denial)) = record.outcome.refused.as_deref() {
                let code = denial.entry().code;
                let route = record.evidence.located.as_ref().map(|located| located.route().clone());
                let pair = (code, route);
                let full = slot.refused.len() >= PAIRS && !slot.refused.contains_key(&pair);
                *slot.refused.entry(if full { (code, None) } else { pair }).or_default() += 1;
            }
        }
    }
}

fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

#[cfg(test)]
mod tests {

    use cause::{Check, Denial, Limit};

    use super::*;
    use crate::samples;

    fn call(second: i64, route: &str, denial: Option<Denial>) -> Box<Record> {
        let mut record = samples::served("/a");
        record.evidence.received.at = Timestamp::from_second(second).unwrap();
        record.evidence.located = Some(samples::located(ObjectName::new("shop", route)));
        record.outcome.refused = denial.map(|denial| Box::new((Check::Meter, denial)));
        Box::new(record)
    }

    fn full() -> Option<Denial> {
        Some(Denial::Limit(Limit::StoreFull { capacity: 5 }))
    }

    #[test]
    fn an_hour_is_summed_and_forgotten() {
        let hour = LastHour::default();
        let role = || Some(samples::role_missing());
        hour.count(&[call(60, "a", full()), call(119, "b", full()), call(120, "b", full()), call(121, "a", role())]);
        hour.count(&[call(3599, "a", None)]);
        let top = |code: &str, count, route: &str| Top { code: code.to_owned(), count, route: Some(route.to_owned()) };
        let check = |second, limit, expected: Refusals| {
            assert_eq!(hour.refusals(Timestamp::from_second(second).unwrap(), limit), expected, "{second}");
        };
        let (store, access) = (top("limit.store_full", 3, "shop/b"), top("access.role_missing", 1, "shop/a"));
        check(3659, 5, Refusals { calls: 5, refused: 4, top: vec![store.clone(), access.clone()] });
        check(3659, 1, Refusals { calls: 5, refused: 4, top: vec![store] });
        let later = top("limit.store_full", 1, "shop/b");
        check(3660, 5, Refusals { calls: 3, refused: 2, top: vec![access, later] });
        check(7200, 5, Refusals::default());
        // The slot of minute 1 now holds minute 61: a record of minute 1 that comes late is not counted there.
        hour.count(&[call(3660, "c", full()), call(61, "c", full())]);
        let seen = hour.refusals(Timestamp::from_second(3661).unwrap(), 5);
        assert_eq!((seen.calls, seen.refused), (4, 3));
    }

    #[test]
    fn many_routes_are_bounded() {
        let hour = LastHour::default();
        let calls: Vec<_> = (0..1000).map(|index| call(60, &format!("r{index}"), full())).collect();
        hour.count(&calls);
        let kept = hour.0.lock().unwrap()[1].refused.len();
        assert!(kept <= PAIRS + 1, "{kept}");
        assert_eq!(hour.refusals(Timestamp::from_second(60).unwrap(), 5).refused, 1000);
    }
}
