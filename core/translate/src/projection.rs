//! What one Gateway serves of all that was translated.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use cause::ObjectName;
use ir::{
    Backend, Key, KeyId, Listener, ListenerId, Method, Model, ModelEndpoint, ModelId, Part, ProviderId, Route, RouteId,
    ServiceId, Snapshot,
};

use crate::translation::Translation;

impl Translation {
    /// The snapshot of one Gateway: its listeners, the routes on them, and only what those need. Values
    /// are shared with this translation, so that what did not change is the same `Arc`.
    #[must_use]
    pub fn for_gateway(&self, gateway: &ObjectName) -> Snapshot {
        let whole = &self.snapshot;
        let listeners: BTreeMap<ListenerId, Listener> =
            of_gateway(&whole.listeners, gateway).map(|(id, listener)| (id.clone(), listener.clone())).collect();
        let shown = listeners.values().filter_map(|listener| listener.certificates.as_result().ok()).flatten();
        let certificates =
            shown.filter_map(|id| Some((id.clone(), Arc::clone(whole.certificates.get(id)?)))).collect::<BTreeMap<_, _>>();
        let routes: BTreeMap<RouteId, Arc<Route>> =
            whole.routes.iter().filter_map(|(id, route)| Some((id.clone(), on_gateway(route, gateway)?))).collect();
        let mut needs = Needs::default();
        routes.values().for_each(|route| needs.add(route));
        for (_, model) in whole.models.iter().filter(|(id, _)| needs.models.contains(id)).collect::<Vec<_>>() {
            needs.add_model(model);
        }
        Snapshot {
            certificates,
            keys: self.keys_of(gateway),
            providers: picked(&whole.providers, &needs.providers),
            models: picked(&whole.models, &needs.models),
            services: picked(&whole.services, &needs.services),
            settings: self.settings.get(gateway).cloned().unwrap_or_else(|| whole.settings.clone()),
            listeners,
            routes,
        }
    }

    /// The keys that a Gateway must know: those that one of its routes admits, and those that no
    /// Gateway's routes admit, so that their callers learn that they hold a key of no use here.
    fn keys_of(&self, gateway: &ObjectName) -> BTreeMap<KeyId, Arc<Key>> {
        let Some(here) = self.doors.get(gateway) else { return BTreeMap::new() };
        let is_known_here =
            |key: &Key| here.admits(key) || (here.may_meet(key) && !self.doors.values().any(|door| door.admits(key)));
        let keys = self.snapshot.keys.iter().filter(|(_, key)| is_known_here(key));
        keys.map(|(id, key)| (id.clone(), Arc::clone(key))).collect()
    }
}

/// Whose keys the routes of a Gateway admit. A Gateway without a route that takes keys has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Door {
    /// Keys of every namespace.
    all: bool,
    /// Keys of these namespaces.
    namespaces: BTreeSet<Arc<str>>,
    /// The routes that take keys, sorted; none where no key names any.
    routes: Vec<RouteId>,
}

impl Door {
    fn admits(&self, key: &Key) -> bool {
        (self.all || self.namespaces.contains(&key.id.0.namespace)) && self.may_meet(key)
    }

    /// Whether the key is for a route here.
    fn may_meet(&self, key: &Key) -> bool {
        key.routes.as_ref().is_none_or(|routes| routes.iter().any(|route| self.routes.binary_search(route).is_ok()))
    }
}

/// Whose keys each Gateway admits.
pub(crate) fn doors(snapshot: &Snapshot) -> BTreeMap<ObjectName, Door> {
    let mut doors: BTreeMap<ObjectName, Door> = BTreeMap::new();
    if snapshot.keys.is_empty() {
        return doors;
    }
    let are_named = snapshot.keys.values().any(|key| key.routes.is_some());
    for route in snapshot.routes.values() {
        let Ok(serve) = route.serve.as_result() else { continue };
        if !serve.checks.authentication.methods.iter().any(|method| matches!(method, Method::ApiKey(_))) {
            continue;
        }
        // Listeners are sorted by their Gateways.
        let mut last = None;
        for gateway in route.listeners.iter().map(|listener| &listener.gateway) {
            if last.replace(gateway) == Some(gateway) {
                continue;
            }
            if !doors.contains_key(gateway) {
                doors.insert(gateway.clone(), Door::default());
            }
            let Some(door) = doors.get_mut(gateway) else { continue };
            let consumers = &serve.checks.consumers;
            match &consumers.namespaces {
                Some(namespaces) if consumers.enforcement == ir::Enforcement::Enforce => {
                    for namespace in namespaces {
                        if !door.namespaces.contains(namespace) {
                            door.namespaces.insert(Arc::clone(namespace));
                        }
                    }
                }
                Some(_) | None => door.all = true,
            }
            if are_named {
                door.routes.push(route.id.clone());
            }
        }
    }
    doors
}

fn of_gateway<'a>(
    listeners: &'a BTreeMap<ListenerId, Listener>,
    gateway: &'a ObjectName,
) -> impl Iterator<Item = (&'a ListenerId, &'a Listener)> {
    let first = ListenerId { gateway: gateway.clone(), name: Arc::default() };
    listeners.range(first..).take_while(move |(id, _)| id.gateway == *gateway)
}

/// The route as the Gateway has it: without the listeners of others, of which it must not tell.
fn on_gateway(route: &Arc<Route>, gateway: &ObjectName) -> Option<Arc<Route>> {
    let is_here = |listener: &ListenerId| listener.gateway == *gateway;
    if route.listeners.iter().all(is_here) {
        return (!route.listeners.is_empty()).then(|| Arc::clone(route));
    }
    let listeners: BTreeSet<ListenerId> = route.listeners.iter().filter(|listener| is_here(listener)).cloned().collect();
    (!listeners.is_empty()).then(|| Arc::new(Route { listeners, ..Route::clone(route) }))
}

fn picked<K: Ord + Hash + Clone, V: Clone>(all: &BTreeMap<K, V>, wanted: &HashSet<&K>) -> BTreeMap<K, V> {
    all.iter().filter(|(id, _)| wanted.contains(id)).map(|(id, value)| (id.clone(), value.clone())).collect()
}

/// What routes need.
#[derive(Default)]
struct Needs<'a> {
    services: HashSet<&'a ServiceId>,
    models: HashSet<&'a ModelId>,
    providers: HashSet<&'a ProviderId>,
}

impl<'a> Needs<'a> {
    fn add_model(&mut self, model: &'a Part<Arc<Model>>) {
        if let Ok(model) = model.as_result()
            && let ModelEndpoint::Service { service, .. } = &model.endpoint
        {
            self.services.insert(service);
        }
    }

    fn add(&mut self, route: &'a Route) {
        let Ok(serve) = route.serve.as_result() else { return };
        for method in &serve.checks.authentication.methods {
            match method {
                Method::ApiKey(_) => {}
                Method::Jwt(id) | Method::Introspection(id) => drop(self.providers.insert(id)),
            }
        }
        for version in &serve.versions {
            match &version.backend {
                Part::Broken(_) => {}
                Part::Ready(Backend::Services(shares)) => {
                    self.services.extend(shares.iter().filter_map(|share| share.service.as_result().ok()));
                }
                Part::Ready(Backend::Models(models)) => self.models.extend(models),
                Part::Ready(Backend::Url(_) | Backend::Response(_) | Backend::Redirect(_)) => {}
            }
        }
    }
}
