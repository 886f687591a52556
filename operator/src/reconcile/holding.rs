//! Which generation of each object is in what a Gateway's data planes were sent, and since when.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cause::ObjectName;
use delivery::Revision;
use ir::{KeyId, ModelId, ProviderId, RouteId, RouteKind, SharedMap, Snapshot};

use crate::kinds::Kind;
use crate::store::{Key, Known};

/// What a Gateway's data planes should hold.
#[derive(Clone, Debug)]
pub struct Holding {
    /// The newest revision.
    pub revision: Revision,
    /// How long calls in flight may go on when a data plane ends.
    pub drain: Duration,
    /// The objects in it.
    pub objects: SharedMap<Key, Held>,
    /// What they were found from.
    basis: Basis,
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

/// What the objects of a holding are found from.
#[derive(Clone, Debug, Default)]
struct Basis {
    snapshot: Snapshot,
    config: Option<Key>,
    known: SharedMap<Key, Known>,
}

impl Holding {
    /// What is held after a publication to a Gateway with this GatewayConfig: only what is not as it was before is looked at.
    #[must_use]
    pub fn after(
        before: Option<&Self>,
        (gateway, config): (&ObjectName, Option<&ObjectName>),
        snapshot: &Snapshot,
        revision: Revision,
        known: &SharedMap<Key, Known>,
    ) -> Self {
        let config = config.map(|config| Key::new(Kind::GatewayConfig, config.clone()));
        let basis = Basis { snapshot: snapshot.clone(), config, known: known.clone() };
        let mut objects = before.map(|before| before.objects.clone()).unwrap_or_default();
        let (now, gateway) = (Instant::now(), Key::new(Kind::Gateway, gateway.clone()));
        let earlier = before.map(|before| before.basis.clone()).unwrap_or_default();
        let changed = basis.since(&earlier);
        for key in changed.into_iter().chain([gateway.clone()]) {
            if key != gateway && !basis.contains(&key) {
                objects.remove(&key);
                continue;
            }
            let marks = known.get(&key).map(|known| &known.marks);
            let generation = marks.map(|marks| marks.generation).unwrap_or_default();
            // Another object of the name may have begun anew.
            let is_other = marks.map(|marks| &marks.uid) != earlier.known.get(&key).map(|known| &known.marks.uid);
            if is_other || objects.get(&key).is_none_or(|held| held.generation != generation) {
                objects.insert(key, Held { generation, revision, since: now });
            }
        }
        Self { revision, drain: Duration::from_millis(snapshot.settings.timeouts.drain_ms), objects, basis }
    }
}

#[cfg(test)]
impl Holding {
    /// One of these objects, whatever they are found from.
    pub(crate) fn of(revision: Revision, objects: impl IntoIterator<Item = (Key, Held)>) -> Self {
        Self { revision, drain: Duration::ZERO, objects: objects.into_iter().collect(), basis: Basis::default() }
    }
}

impl Basis {
    /// The objects that may be held otherwise than they were.
    fn since(&self, before: &Self) -> BTreeSet<Key> {
        let (now, earlier) = (&self.snapshot, &before.snapshot);
        let mut keys = BTreeSet::new();
        keys.extend(names(&now.routes, &earlier.routes, |id| Key::new(kind_of(id.kind), id.name.clone())));
        keys.extend(names(&now.keys, &earlier.keys, |id| Key::new(Kind::ApiKey, id.0.clone())));
        keys.extend(names(&now.models, &earlier.models, |id| Key::new(Kind::AiModel, id.0.clone())));
        keys.extend(names(&now.providers, &earlier.providers, |id| Key::new(Kind::IdentityProvider, id.0.clone())));
        keys.extend([&self.config, &before.config].into_iter().flatten().cloned());
        let told = self.known.since(&before.known, |one, other| {
            (one.marks.generation, &one.marks.uid) == (other.marks.generation, &other.marks.uid)
        });
        keys.extend(told.map(|difference| difference.key().clone()).filter(|key| self.contains(key)));
        keys
    }

    /// Whether an object with a status of ours is in what data planes were sent.
    fn contains(&self, key: &Key) -> bool {
        let routes = |kind: RouteKind| {
            let first = RouteId { kind, name: key.name.clone(), rule: 0 };
            self.snapshot.routes.range_from(&first).next().is_some_and(|(id, _)| id.kind == kind && id.name == key.name)
        };
        match key.kind {
            Kind::ApiRoute => routes(RouteKind::ApiRoute),
            Kind::HttpRoute => routes(RouteKind::HttpRoute),
            Kind::Ingress => routes(RouteKind::Ingress),
            Kind::ApiKey => self.snapshot.keys.contains_key(&KeyId(key.name.clone())),
            Kind::AiModel => self.snapshot.models.contains_key(&ModelId(key.name.clone())),
            Kind::IdentityProvider => self.snapshot.providers.contains_key(&ProviderId(key.name.clone())),
            Kind::GatewayConfig => self.config.as_ref() == Some(key),
            Kind::GatewayClass
            | Kind::Gateway
            | Kind::ReferenceGrant
            | Kind::IngressClass
            | Kind::Service
            | Kind::EndpointSlice
            | Kind::Secret
            | Kind::ConfigMap
            | Kind::Namespace
            | Kind::Pod => false,
        }
    }
}

/// The objects of entries that one of two maps has and the other has not.
fn names<K: Ord, V>(now: &SharedMap<K, V>, before: &SharedMap<K, V>, key: impl Fn(&K) -> Key) -> Vec<Key> {
    now.since(before, |_, _| true).map(|difference| key(difference.key())).collect()
}

const fn kind_of(kind: RouteKind) -> Kind {
    match kind {
        RouteKind::ApiRoute => Kind::ApiRoute,
        RouteKind::HttpRoute => Kind::HttpRoute,
        RouteKind::Ingress => Kind::Ingress,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cause::{Fault, FaultCause, FieldPath};
    use ir::{Part, Route};
    use serde_json::{Value, json};

    use super::*;
    use crate::store::Store;
    use crate::watch::{Marks, News, Object, Source, What};

    #[test]
    fn a_generation_is_held_since_the_first_revision_that_it_was_in() {
        let name = ObjectName::new("edge", "web");
        let store = |generation: i64| {
            let mut store = Store::default();
            for kind in [Kind::Gateway, Kind::GatewayConfig] {
                let marks = Marks { uid: "u".into(), generation, version: "1".into(), is_ending: false, is_written: false };
                let object = Object { name: name.clone(), marks, value: json!({}), status: Value::Null };
                store.take(News { source: Source { kind, namespace: None }, what: What::Changed(Box::new(object)) });
            }
            store
        };
        let mut before: Option<Holding> = None;
        let mut check = |revision: u64, generation: i64, config: Option<&ObjectName>, expected: &[(Kind, u64)]| {
            let (snapshot, store) = (Snapshot::default(), store(generation));
            let holding = Holding::after(before.as_ref(), (&name, config), &snapshot, Revision(revision), store.known());
            let found: Vec<(Kind, u64)> = holding.objects.iter().map(|(key, held)| (key.kind, held.revision.0)).collect();
            assert_eq!(found, expected, "{revision} {generation}");
            before = Some(holding);
        };
        check(1, 1, None, &[(Kind::Gateway, 1)]);
        check(2, 1, None, &[(Kind::Gateway, 1)]);
        check(3, 1, Some(&name), &[(Kind::GatewayConfig, 3), (Kind::Gateway, 1)]);
        check(4, 2, Some(&name), &[(Kind::GatewayConfig, 4), (Kind::Gateway, 4)]);
    }

    /// Routes and keys come, change and go by numbers that stand for anything.
    #[test]
    fn what_is_held_is_what_is_found_from_scratch() {
        let mut random = 7_u64;
        let mut number = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let gateway = ObjectName::new("edge", "web");
        let (mut snapshot, mut known) = (Snapshot::default(), SharedMap::new());
        let mut before: Option<Holding> = None;
        let mut held = 0;
        for step in 1..500 {
            let name = ObjectName::new("shop", format!("o{}", number(9)));
            let kind = if number(2) == 0 { RouteKind::ApiRoute } else { RouteKind::HttpRoute };
            let id = RouteId { kind, name: name.clone(), rule: u16::try_from(number(2)).unwrap() };
            match number(4) {
                0 => drop(snapshot.routes.remove(&id)),
                1 => {
                    let marks = Marks { generation: i64::try_from(number(5)).unwrap(), ..Marks::default() };
                    known.insert(Key::new(kind_of(kind), name), Known { marks, ..Known::default() });
                }
                _ => {
                    let serve = Part::Broken(Arc::new(Fault::error(id.object(), FieldPath::root(), FaultCause::RouteBroken)));
                    let (hostnames, listeners, matches) = Default::default();
                    let created_at = None;
                    let route = Route { id: id.clone(), created_at, hostnames, listeners, matches, serve };
                    snapshot.routes.insert(id, Arc::new(route));
                }
            }
            let after = |before: Option<&Holding>| Holding::after(before, (&gateway, None), &snapshot, Revision(step), &known);
            let found = |holding: &Holding| -> Vec<(Key, i64)> {
                holding.objects.iter().map(|(key, held)| (key.clone(), held.generation)).collect()
            };
            let now = after(before.as_ref());
            assert_eq!(found(&now), found(&after(None)), "step {step}");
            held += now.objects.len();
            before = Some(now);
        }
        assert!(held > 1_000, "{held}");
    }
}
