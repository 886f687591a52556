//! What watches of our own tell: when routes appeared, which are ready, how often a Gateway was written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use xtask::Failure;

use super::api::{Api, Watch};
use crate::doorward::{NAME, NAMESPACE};
use crate::run::until;

/// How long a watch may be behind.
const BEHIND: Duration = Duration::from_secs(30);

/// Shared with the thread of a watch.
type Shared<T> = Arc<Mutex<T>>;

/// All ApiRoutes, by `namespace/name`.
pub(super) struct Routes {
    seen: Shared<SeenRoutes>,
    _watch: Watch,
}

#[derive(Default)]
struct SeenRoutes {
    appeared: BTreeMap<String, Instant>,
    ready: BTreeSet<String>,
}

/// The default Gateway.
pub(super) struct Gateway {
    seen: Shared<SeenGateway>,
    _watch: Watch,
}

/// What was seen of it.
#[derive(Clone, Copy, Default)]
pub(super) struct SeenGateway {
    /// Changes after its first sight.
    pub(super) writes: u32,
    /// How many routes its first listener counts.
    pub(super) attached: u64,
}

impl Routes {
    /// Begins to watch.
    pub(super) fn watch(api: &Api) -> Result<Self, Failure> {
        let seen: Shared<SeenRoutes> = Arc::default();
        let told = Arc::clone(&seen);
        let watch = api.watch("/apis/doorward.dev/v1alpha1/apiroutes", move |now, kind, object| {
            let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
            let key = format!("{}/{}", text("namespace"), text("name"));
            let mut seen = locked(&told);
            if kind == "DELETED" {
                seen.ready.remove(&key);
                seen.appeared.remove(&key);
                return;
            }
            if is_ready(object) {
                seen.ready.insert(key.clone());
            } else {
                seen.ready.remove(&key);
            }
            seen.appeared.entry(key).or_insert(now);
        })?;
        Ok(Self { seen, _watch: watch })
    }

    /// When a route was first seen; waits for it.
    pub(super) fn appeared(&self, key: &str) -> Result<Instant, Failure> {
        until(BEHIND, &format!("a watch tells of ApiRoute {key}"), || {
            locked(&self.seen).appeared.get(key).copied().ok_or_else(|| "it does not".to_owned())
        })
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        locked(&self.seen).appeared.len() as u64
    }

    /// How many of these are ready at their present generation.
    pub(super) fn ready(&self, keys: &BTreeSet<String>) -> usize {
        locked(&self.seen).ready.intersection(keys).count()
    }
}

impl Gateway {
    /// Begins to watch.
    pub(super) fn watch(api: &Api) -> Result<Self, Failure> {
        let seen: Shared<SeenGateway> = Arc::default();
        let told = Arc::clone(&seen);
        let path =
            format!("/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/gateways?fieldSelector=metadata.name={NAME}");
        let watch = api.watch(&path, move |_, kind, object| {
            let mut seen = locked(&told);
            seen.writes += u32::from(kind == "MODIFIED");
            seen.attached = object["status"]["listeners"][0]["attachedRoutes"].as_u64().unwrap_or_default();
        })?;
        Ok(Self { seen, _watch: watch })
    }

    /// What was seen so far.
    pub(super) fn seen(&self) -> SeenGateway {
        *locked(&self.seen)
    }
}

fn is_ready(object: &Value) -> bool {
    let generation = &object["metadata"]["generation"];
    let mut conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|found| found["type"] == "Ready" && found["status"] == "True" && found["observedGeneration"] == *generation)
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ready_is_said_of_the_present_generation() {
        let check = |status: &str, observed: u32, expected: bool| {
            let condition = json!({"type": "Ready", "status": status, "observedGeneration": observed});
            let object = json!({"metadata": {"generation": 2}, "status": {"conditions": [{"type": "Accepted"}, condition]}});
            assert_eq!(is_ready(&object), expected, "{status} {observed}");
        };
        check("True", 2, true);
        check("True", 1, false);
        check("Unknown", 2, false);
    }
}
