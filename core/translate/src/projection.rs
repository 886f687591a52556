//! What one Gateway serves of all that was translated.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cause::ObjectName;
use ir::{
    Backend, Key, KeyId, Listener, ListenerId, Method, Model, ModelEndpoint, ModelId, Part, ProviderId, Route, RouteId,
    ServiceId, SharedMap, Snapshot,
};

use crate::translation::Translation;

impl Translation {
    /// The snapshot of one Gateway: its listeners, the routes on them, and only what those need. Values
    /// are shared with this translation, so that what did not change is the same `Arc`.
    #[must_use]
    pub fn for_gateway(&self, gateway: &ObjectName) -> Snapshot {
        let whole = &self.snapshot;
        let none = OnGateway::default();
        let here = self.gateways.get(gateway).unwrap_or(&none);
        let listeners: SharedMap<ListenerId, Listener> =
            of_gateway(&whole.listeners, gateway).map(|(id, listener)| (id.clone(), listener.clone())).collect();
        let shown = listeners.values().filter_map(|listener| listener.certificates.as_result().ok()).flatten();
        let certificates = shown.filter_map(|id| Some((id.clone(), Arc::clone(whole.certificates.get(id)?)))).collect();
        let models = picked(&whole.models, here.models.keys());
        let of_models = models.values().filter_map(service_of);
        let services = picked(&whole.services, here.services.keys().chain(of_models));
        Snapshot {
            certificates,
            keys: self.keys_of(gateway),
            providers: picked(&whole.providers, here.providers.keys()),
            settings: self.settings.get(gateway).cloned().unwrap_or_else(|| whole.settings.clone()),
            routes: here.routes.clone(),
            models,
            services,
            listeners,
        }
    }

    /// The keys that a Gateway must know: those that one of its routes admits, and those that no Gateway's routes
    /// admit, so that their callers learn that they hold a key of no use here. Of these one that names routes of a Gateway
    /// is known there, and one that names none of any Gateway everywhere.
    fn keys_of(&self, gateway: &ObjectName) -> SharedMap<KeyId, Arc<Key>> {
        let Some(here) = self.doors.get(gateway) else { return SharedMap::new() };
        let any = |is_so: fn(&Door, &Key) -> bool, key: &Key| self.doors.values().any(|door| is_so(door, key));
        let is_of_no_use = |key: &Key| !any(Door::admits, key) && (here.may_meet(key) || !any(Door::may_meet, key));
        let is_known_here = |key: &Key| here.admits(key) || is_of_no_use(key);
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
        for gateway in gateways_of(route) {
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
    listeners: &'a SharedMap<ListenerId, Listener>,
    gateway: &'a ObjectName,
) -> impl Iterator<Item = (&'a ListenerId, &'a Listener)> {
    let first = ListenerId { gateway: gateway.clone(), name: Arc::default() };
    listeners.range_from(&first).take_while(move |(id, _)| id.gateway == *gateway)
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

fn picked<'a, K: Ord + Clone + 'a, V: Clone>(all: &SharedMap<K, V>, wanted: impl Iterator<Item = &'a K>) -> SharedMap<K, V> {
    wanted.filter_map(|id| Some((id.clone(), all.get(id)?.clone()))).collect()
}

fn service_of(model: &Part<Arc<Model>>) -> Option<&ServiceId> {
    match &model.as_result().ok()?.endpoint {
        ModelEndpoint::Service { service, .. } => Some(service),
        ModelEndpoint::Url(_) => None,
    }
}

/// What a Gateway has of the routes, and what these need: how many of them each.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OnGateway {
    routes: SharedMap<RouteId, Arc<Route>>,
    services: SharedMap<ServiceId, usize>,
    models: SharedMap<ModelId, usize>,
    providers: SharedMap<ProviderId, usize>,
}

impl OnGateway {
    fn put(&mut self, route: Arc<Route>) {
        self.count(&route, true);
        self.routes.insert(route.id.clone(), route);
    }

    fn take_out(&mut self, id: &RouteId) {
        if let Some(route) = self.routes.remove(id) {
            self.count(&route, false);
        }
    }

    fn count(&mut self, route: &Route, comes: bool) {
        let Ok(serve) = route.serve.as_result() else { return };
        for method in &serve.checks.authentication.methods {
            match method {
                Method::ApiKey(_) => {}
                Method::Jwt(id) | Method::Introspection(id) => count(&mut self.providers, id, comes),
            }
        }
        for version in &serve.versions {
            match &version.backend {
                Part::Broken(_) => {}
                Part::Ready(Backend::Services(shares)) => {
                    let named = shares.iter().filter_map(|share| share.service.as_result().ok());
                    named.for_each(|id| count(&mut self.services, id, comes));
                }
                Part::Ready(Backend::Models(models)) => models.iter().for_each(|id| count(&mut self.models, id, comes)),
                Part::Ready(Backend::Url(_) | Backend::Response(_) | Backend::Redirect(_)) => {}
            }
        }
    }
}

fn count<K: Ord + Clone>(counts: &mut SharedMap<K, usize>, id: &K, comes: bool) {
    let before = counts.get(id).copied().unwrap_or_default();
    match if comes { before + 1 } else { before.saturating_sub(1) } {
        0 => drop(counts.remove(id)),
        now => drop(counts.insert(id.clone(), now)),
    }
}

/// What each Gateway has of the routes.
#[derive(Debug, Default)]
pub(crate) struct Projections {
    routes: SharedMap<RouteId, Arc<Route>>,
    gateways: BTreeMap<ObjectName, OnGateway>,
}

impl Projections {
    /// Knows that these are all routes from now on.
    pub(crate) fn follow(&mut self, routes: &SharedMap<RouteId, Arc<Route>>) {
        let before = std::mem::replace(&mut self.routes, routes.clone());
        for difference in routes.since(&before, Arc::ptr_eq) {
            let (gone, come) = difference.sides();
            for (route, gateway) in gone.into_iter().flat_map(|route| gateways_of(route).map(move |gateway| (route, gateway))) {
                if let Some(here) = self.gateways.get_mut(gateway) {
                    here.take_out(&route.id);
                    if here.routes.is_empty() {
                        self.gateways.remove(gateway);
                    }
                }
            }
            for (route, gateway) in come.into_iter().flat_map(|route| gateways_of(route).map(move |gateway| (route, gateway))) {
                if let Some(route) = on_gateway(route, gateway) {
                    self.gateways.entry(gateway.clone()).or_default().put(route);
                }
            }
        }
    }

    /// What each Gateway has that has any route.
    pub(crate) const fn gateways(&self) -> &BTreeMap<ObjectName, OnGateway> {
        &self.gateways
    }
}

/// The Gateways of a route, each once: listeners are sorted by them.
fn gateways_of(route: &Route) -> impl Iterator<Item = &ObjectName> {
    let mut last = None;
    route.listeners.iter().map(|listener| &listener.gateway).filter(move |gateway| last.replace(*gateway) != Some(*gateway))
}
