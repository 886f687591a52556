//! Two routes that claim the same requests. The older one serves, and the younger one is told. Of files that say
//! nothing of age the one that served before does; where none did, neither does, because nothing tells which is meant.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName};
use ir::{HostPattern, ListenerId, Match, Part, Route, RouteId, SharedMap};

use crate::attach::common;
use crate::gateways::Listeners;
use crate::judging::Conflicts;
use crate::manifests::Context;
use crate::routes::Surroundings;

type Claim<'a> = (&'a ListenerId, Option<HostPattern>, &'a Match);

/// Which routes claim what, so that only those are compared of which several may claim the same.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    routes: SharedMap<RouteId, Arc<Route>>,
    /// By the hash of what they claim.
    by_hash: HashMap<u64, Vec<RouteId>>,
    /// The hashes that several routes have.
    contested: BTreeSet<u64>,
    hasher: RandomState,
}

impl Claims {
    /// Knows what these routes claim from now on, on the same listeners as before.
    pub(crate) fn follow(&mut self, routes: &SharedMap<RouteId, Arc<Route>>, listeners: &Listeners) {
        let before = std::mem::replace(&mut self.routes, routes.clone());
        for difference in routes.since(&before, Arc::ptr_eq) {
            let (gone, come) = difference.sides();
            gone.into_iter().for_each(|route| self.forget(route, listeners));
            come.into_iter().for_each(|route| self.learn(route, listeners));
        }
    }

    fn hashes(&self, route: &Route, listeners: &Listeners) -> BTreeSet<u64> {
        claims(route, listeners).map(|claim| self.hasher.hash_one(claim)).collect()
    }

    fn learn(&mut self, route: &Route, listeners: &Listeners) {
        for hash in self.hashes(route, listeners) {
            let claiming = self.by_hash.entry(hash).or_default();
            claiming.push(route.id.clone());
            if claiming.len() > 1 {
                self.contested.insert(hash);
            }
        }
    }

    fn forget(&mut self, route: &Route, listeners: &Listeners) {
        for hash in self.hashes(route, listeners) {
            let Some(claiming) = self.by_hash.get_mut(&hash) else { continue };
            claiming.retain(|id| *id != route.id);
            if claiming.len() < 2 {
                self.contested.remove(&hash);
            }
            if claiming.is_empty() {
                self.by_hash.remove(&hash);
            }
        }
    }

    /// The routes that may claim what another one does, sorted; no other does.
    fn suspects(&self) -> BTreeSet<&RouteId> {
        self.contested.iter().filter_map(|hash| self.by_hash.get(hash)).flatten().collect()
    }
}

/// Routes that give way to another one with a host, a path and matches in common on a listener: with the
/// Gateways on which they do. Of files, these routes are closed.
pub(crate) fn find(
    around: &Surroundings<'_>,
    routes: &mut SharedMap<RouteId, Arc<Route>>,
    claims: &Claims,
    faults: &mut Vec<Fault>,
) -> BTreeMap<RouteId, Conflicts> {
    let (world, listeners) = (around.world, around.listeners);
    let suspects: Vec<&Arc<Route>> = claims.suspects().into_iter().filter_map(|id| claims.routes.get(id)).collect();
    let mut found: BTreeMap<RouteId, Conflicts> = BTreeMap::new();
    for (one, other, gateway) in pairs(suspects, listeners, world.context) {
        let may_know = world.context.is_standalone() || one.name.namespace == other.name.namespace;
        let cause = FaultCause::Conflict { other: may_know.then(|| other.object()), what: "host, path and matches".into() };
        let fault = Fault::error(one.object(), FieldPath::of("spec.path"), cause);
        faults.push(fault.clone());
        if world.context.is_standalone()
            && let Some(route) = routes.get_mut(&one)
            && !route.gives_way()
        {
            // Whatever else is wrong with it: who gave way must show in what served.
            Arc::make_mut(route).serve = Part::Broken(Arc::new(fault.clone()));
        }
        found.entry(one).or_default().entry(gateway).or_insert(fault);
    }
    found
}

/// Each route that gives way, with another one that has the same claim, and the Gateway.
fn pairs(suspects: Vec<&Arc<Route>>, listeners: &Listeners, context: &Context) -> BTreeSet<(RouteId, RouteId, ObjectName)> {
    let mut places: HashMap<Claim<'_>, usize> = HashMap::new();
    let mut groups: Vec<(Claim<'_>, Vec<&Route>)> = Vec::new();
    for route in suspects {
        for claim in claims(route, listeners) {
            let place = *places.entry(claim.clone()).or_insert(groups.len());
            match groups.get_mut(place) {
                Some((_, routes)) if routes.last().is_some_and(|last| last.id == route.id) => {}
                Some((_, routes)) => routes.push(route),
                None => groups.push((claim, vec![route])),
            }
        }
    }
    let mut pairs = BTreeSet::new();
    for (claim, routes) in &groups {
        let keeper = keeper(claim, routes, listeners, context);
        let Some(first) = keeper.or_else(|| routes.first().copied()) else { continue };
        for route in routes.iter().filter(|route| route.id != first.id) {
            pairs.insert((route.id.clone(), first.id.clone(), claim.0.gateway.clone()));
            if keeper.is_none() {
                pairs.insert((first.id.clone(), route.id.clone(), claim.0.gateway.clone()));
            }
        }
    }
    pairs
}

/// Which of the routes with one claim serves; `None` where nothing tells.
fn keeper<'a>(claim: &Claim<'_>, routes: &[&'a Route], listeners: &Listeners, context: &Context) -> Option<&'a Route> {
    let oldest = routes.iter().copied().min_by_key(|route| route.created_at)?;
    if !context.is_standalone() {
        return Some(oldest);
    }
    let are_dated = routes.iter().all(|route| route.created_at.is_some());
    if are_dated && routes.iter().filter(|route| route.created_at == oldest.created_at).count() == 1 {
        return Some(oldest);
    }
    let mut served = routes.iter().copied().filter(|route| {
        let before = context.served.get(&route.id).filter(|before| !before.gives_way());
        before.is_some_and(|before| claims(before, listeners).any(|held| held == *claim))
    });
    served.next().filter(|_| served.next().is_none())
}

/// What a route claims: each of its alternatives, for each of its hosts on each of its listeners.
fn claims<'a>(route: &'a Route, listeners: &Listeners) -> impl Iterator<Item = Claim<'a>> {
    route.listeners.iter().flat_map(move |listener| {
        let hostname = listeners.served.get(listener).and_then(|listener| listener.hostname.as_ref());
        let hosts = hosts(&route.hostnames, hostname).into_iter();
        hosts.flat_map(move |host| route.matches.iter().map(move |alternative| (listener, host.clone(), alternative)))
    })
}

/// The hosts of a route on one listener; `None` is every host.
fn hosts(own: &[HostPattern], listener: Option<&HostPattern>) -> BTreeSet<Option<HostPattern>> {
    if own.is_empty() {
        return BTreeSet::from([listener.cloned()]);
    }
    own.iter().filter_map(|host| common(host, listener)).map(Some).collect()
}
