//! Which generation of each object is in what a Gateway's data planes were sent, and since when.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cause::ObjectName;
use delivery::Revision;
use ir::{RouteKind, Snapshot};

use crate::kinds::Kind;
use crate::store::{Key, Store};

/// What a Gateway's data planes should hold.
#[derive(Clone, Debug)]
pub struct Holding {
    /// The newest revision.
    pub revision: Revision,
    /// How long calls in flight may go on when a data plane ends.
    pub drain: Duration,
    /// The objects in it.
    pub objects: BTreeMap<Key, Held>,
}

/// One object in what a Gateway's data planes were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The generation that was translated.
    pub generation: i64,
    /// The first revision that it was in.
    pub revision: Revision,
    /// When that was published.
    pub since: Instant,
}

impl Holding {
    /// What is held after a publication to a Gateway with this GatewayConfig.
    #[must_use]
    pub fn after(
        before: Option<&Self>,
        (gateway, config): (&ObjectName, Option<&ObjectName>),
        snapshot: &Snapshot,
        revision: Revision,
        store: &Store,
    ) -> Self {
        let now = Instant::now();
        let mut objects = BTreeMap::new();
        let config = config.map(|config| Key::new(Kind::GatewayConfig, config.clone()));
        for key in contained(gateway, snapshot).chain(config) {
            let generation = store.known(&key).map(|known| known.marks.generation).unwrap_or_default();
            let known = before.and_then(|before| before.objects.get(&key)).filter(|held| held.generation == generation);
            objects.insert(key, known.copied().unwrap_or(Held { generation, revision, since: now }));
        }
        Self { revision, drain: Duration::from_millis(snapshot.settings.timeouts.drain_ms), objects }
    }
}

/// The objects with a status of ours that a snapshot is made of.
fn contained(gateway: &ObjectName, snapshot: &Snapshot) -> impl Iterator<Item = Key> {
    let routes = snapshot.routes.keys().map(|id| {
        let kind = match id.kind {
            RouteKind::ApiRoute => Kind::ApiRoute,
            RouteKind::HttpRoute => Kind::HttpRoute,
            RouteKind::Ingress => Kind::Ingress,
        };
        Key::new(kind, id.name.clone())
    });
    let keys = snapshot.keys.keys().map(|id| Key::new(Kind::ApiKey, id.0.clone()));
    let models = snapshot.models.keys().map(|id| Key::new(Kind::AiModel, id.0.clone()));
    let providers = snapshot.providers.keys().map(|id| Key::new(Kind::IdentityProvider, id.0.clone()));
    std::iter::once(Key::new(Kind::Gateway, gateway.clone())).chain(routes).chain(keys).chain(models).chain(providers)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::watch::{Marks, News, Object, Source, What};

    #[test]
    fn a_generation_is_held_since_the_first_revision_that_it_was_in() {
        let name = ObjectName::new("edge", "web");
        let store = |generation: i64| {
            let mut store = Store::default();
            for kind in [Kind::Gateway, Kind::GatewayConfig] {
                let marks = Marks { uid: "u".into(), generation, version: "1".into(), is_ending: false };
                let object = Object { name: name.clone(), marks, value: json!({}), status: Value::Null };
                store.take(News { source: Source { kind, namespace: None }, what: What::Changed(Box::new(object)) });
            }
            store
        };
        let mut before: Option<Holding> = None;
        let mut check = |revision: u64, generation: i64, config: Option<&ObjectName>, expected: &[(Kind, u64)]| {
            let (snapshot, store) = (Snapshot::default(), store(generation));
            let holding = Holding::after(before.as_ref(), (&name, config), &snapshot, Revision(revision), &store);
            let found: Vec<(Kind, u64)> = holding.objects.iter().map(|(key, held)| (key.kind, held.revision.0)).collect();
            assert_eq!(found, expected, "{revision} {generation}");
            before = Some(holding);
        };
        check(1, 1, None, &[(Kind::Gateway, 1)]);
        check(2, 1, None, &[(Kind::Gateway, 1)]);
        check(3, 1, Some(&name), &[(Kind::GatewayConfig, 3), (Kind::Gateway, 1)]);
        check(4, 2, Some(&name), &[(Kind::GatewayConfig, 4), (Kind::Gateway, 4)]);
    }
}
