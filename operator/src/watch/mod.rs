//! Watching: one task for each kind and namespace, which tells the store what an API server says.
//!
//! Nothing here can fail to decode: an object is read as a tree, and what its kind makes of the
//! tree is the store's matter. So one odd object stops nobody.

mod seen;
mod tree;

use std::sync::Arc;
use std::time::Duration;

use cause::ObjectName;
use futures_util::StreamExt as _;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use serde_json::Value;
use tokio::sync::mpsc::Sender;

use crate::kinds::Kind;
pub use seen::Marks;
pub(crate) use seen::Seen;

/// Waits after an error: the first, and the longest, which is what an API server that comes back
/// after an outage is waited for.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(4));
/// The longest wait for definitions of a kind, which somebody has to install.
const UNKNOWN: Duration = Duration::from_secs(15);
/// Objects in one answer of a list.
const PAGE: u32 = 250;

/// One watch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// Of what.
    pub kind: Kind,
    /// Where; `None` is everywhere.
    pub namespace: Option<Arc<str>>,
}

/// What a watch says.
#[derive(Clone, Debug)]
pub struct News {
    /// Which watch.
    pub source: Source,
    /// What it says.
    pub what: What,
}

/// What a watch says.
#[derive(Clone, Debug)]
pub enum What {
    /// A list begins. What is not in it is gone.
    ListBegins,
    /// An object of the list.
    Listed(Box<Object>),
    /// The list is complete.
    ListEnds,
    /// An object is new or has changed.
    Changed(Box<Object>),
    /// An object is gone.
    Gone(ObjectName),
    /// The cluster does not know the kind.
    Unknown,
    /// It goes on failing, for this reason.
    Failing(Arc<str>),
}

/// One object as an API server has it.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its name.
    pub name: ObjectName,
    /// Which version of it this is.
    pub marks: Marks,
    /// What it says, without what every write changes (`managedFields`, `resourceVersion`, and the
    /// status where that is ours).
    pub value: Value,
    /// The status where that is ours; else `Null`.
    pub status: Value,
}

/// Watches until whoever listens is gone.
pub async fn watch(client: Client, source: Source, to: Sender<News>) {
    if source.kind.is_outline() {
        follow::<true>(client, source, to).await;
    } else {
        follow::<false>(client, source, to).await;
    }
}

async fn follow<const OUTLINE: bool>(client: Client, source: Source, to: Sender<News>) {
    let resource = source.kind.resource();
    let api: Api<Seen<OUTLINE>> = match &source.namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let mut config = watcher::Config::default().page_size(PAGE);
    if let Some(labels) = source.kind.selector() {
        config = config.labels(labels);
    }
    let mut events = std::pin::pin!(watcher::watcher(api, config));
    let mut pauses = Pauses::default();
    while let Some(event) = events.next().await {
        let what = match event {
            Ok(event) => {
                pauses.heard(&event);
                told(source.kind, event)
            }
            // The next event begins a new list.
            Err(error) if is_gap(&error) => {
                tracing::debug!(kind = source.kind.name(), "what changed meanwhile is not told any more, so all is listed");
                continue;
            }
            Err(error) => {
                let what = failed(&error);
                if let (What::Failing(why), true) = (&what, pauses.is_worth_telling()) {
                    tracing::warn!(kind = source.kind.name(), namespace = source.namespace.as_deref(), %why, "watching fails");
                }
                let longest = if matches!(what, What::Unknown) { UNKNOWN } else { PAUSES.1 };
                if to.send(News { source: source.clone(), what }).await.is_err() {
                    return;
                }
                tokio::time::sleep(pauses.next(longest)).await;
                continue;
            }
        };
        if to.send(News { source: source.clone(), what }).await.is_err() {
            return;
        }
    }
}

fn told<const OUTLINE: bool>(kind: Kind, event: Event<Seen<OUTLINE>>) -> What {
    match event {
        Event::Init => What::ListBegins,
        Event::InitApply(seen) => What::Listed(Box::new(seen.into_object(kind))),
        Event::InitDone => What::ListEnds,
        Event::Apply(seen) => What::Changed(Box::new(seen.into_object(kind))),
        Event::Delete(seen) => What::Gone(seen.into_object(kind).name),
    }
}

/// Whether the API server no longer knows what changed since the last event (410 Gone): no failure, but a long pause.
pub(crate) fn is_gap(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchError(status) if status.code == 410)
}

fn failed(error: &watcher::Error) -> What {
    let (watcher::Error::InitialListFailed(cause) | watcher::Error::WatchStartFailed(cause) | watcher::Error::WatchFailed(cause)) =
        error
    else {
        return What::Failing(error.to_string().into());
    };
    let kube::Error::Api(status) = cause else { return What::Failing(cause.to_string().into()) };
    if status.code == 404 {
        return What::Unknown;
    }
    What::Failing(format!("{}: {}", status.reason, status.message).into())
}

/// Doubling waits. `Default` is after a success.
#[derive(Debug, Default)]
struct Pauses {
    failures: u32,
}

impl Pauses {
    /// A list that begins has been asked for, not answered: what goes on failing tells so each time.
    fn heard<K>(&mut self, event: &Event<K>) {
        if !matches!(event, Event::Init) {
            *self = Self::default();
        }
    }

    /// The first failure is often a connection that was closed; the second one is news.
    const fn is_worth_telling(&self) -> bool {
        self.failures == 1 || (self.failures > 1 && self.failures.is_multiple_of(16))
    }

    fn next(&mut self, longest: Duration) -> Duration {
        let pause = PAUSES.0.saturating_mul(1_u32 << self.failures.min(10)).min(longest);
        self.failures = self.failures.saturating_add(1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let check = |longest: Duration, expected: &[u128]| {
            let mut pauses = Pauses::default();
            let waits: Vec<u128> = expected.iter().map(|_| pauses.next(longest).as_millis()).collect();
            assert_eq!(waits, expected);
        };
        check(PAUSES.1, &[100, 200, 400, 800, 1600, 3200, 4000, 4000]);
        check(UNKNOWN, &[100, 200, 400, 800, 1600, 3200, 6400, 12800, 15000, 15000]);
    }

    #[test]
    fn only_an_answer_ends_waits() {
        let check = |event: &Event<()>, expected: u128| {
            let mut pauses = Pauses { failures: 3 };
            pauses.heard(event);
            assert_eq!(pauses.next(PAUSES.1).as_millis(), expected, "{event:?}");
        };
        check(&Event::Init, 800);
        check(&Event::InitDone, 100);
        check(&Event::InitApply(()), 100);
        check(&Event::Apply(()), 100);
    }

    #[test]
    fn a_gap_is_told_from_failures() {
        let check = |code: u16, expected: bool| {
            let status = kube::core::Status { code, ..kube::core::Status::default() };
            assert_eq!(is_gap(&watcher::Error::WatchError(Box::new(status))), expected, "{code}");
        };
        check(410, true);
        check(500, false);
        assert!(!is_gap(&watcher::Error::NoResourceVersion));
    }

    #[test]
    fn an_unknown_kind_is_told_from_other_failures() {
        let api = |code: u16, reason: &str| {
            let status = kube::core::Status { code, reason: reason.into(), message: "m".into(), ..kube::core::Status::default() };
            watcher::Error::InitialListFailed(kube::Error::Api(Box::new(status)))
        };
        assert!(matches!(failed(&api(404, "NotFound")), What::Unknown));
        assert!(matches!(failed(&api(403, "Forbidden")), What::Failing(why) if &*why == "Forbidden: m"));
        assert!(matches!(failed(&watcher::Error::NoResourceVersion), What::Failing(_)));
    }
}
