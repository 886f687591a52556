//! Two routes that claim the same requests. The older one serves, and the younger one is told. Of files that say
//! nothing of age the one that served before does; where none did, neither does, because nothing tells which is meant.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName};
use ir::{HostPattern, ListenerId, Match, Part, PathMatch, Route, RouteId, SharedMap};

use crate::attach::common;
use crate::gateways::Listeners;
use crate::judging::Conflicts;
use crate::manifests::Context;
use crate::routes::Surroundings;

/// What a route claims: a match, for a host on a listener.
pub(crate) type Claim<'a> = (&'a ListenerId, Option<HostPattern>, &'a Match);

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
        claimed(route, listeners).map(|claim| self.hasher.hash_one(claim)).collect()
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
    pub(crate) fn suspects(&self) -> BTreeSet<&RouteId> {
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
    let pairs = pairs(&suspects, listeners, world.context);
    let mut lost: BTreeMap<(&RouteId, &ObjectName), BTreeSet<&Claim<'_>>> = BTreeMap::new();
    for ((one, _, gateway), to_one) in &pairs {
        lost.entry((one, gateway)).or_default().extend(to_one);
    }
    for ((one, other, gateway), to_one) in &pairs {
        let may_know = world.context.is_standalone() || one.name.namespace == other.name.namespace;
        let own = || claims.routes.get(one).into_iter().flat_map(|route| claimed(route, listeners));
        let all: BTreeSet<Claim<'_>> = own().filter(|(listener, ..)| listener.gateway == *gateway).collect();
        let keeps_some = lost.get(&(one, gateway)).is_some_and(|lost| lost.len() < all.len()) && !world.context.is_standalone();
        let what = if to_one.len() < all.len() { part(to_one, &all, keeps_some) } else { ALL.to_owned() };
        let cause = FaultCause::Conflict { other: may_know.then(|| other.object()), what: what.into() };
        let fault = Fault::error(one.object(), FieldPath::of("spec.path"), cause);
        faults.push(fault.clone());
        if world.context.is_standalone()
            && let Some(route) = routes.get_mut(one)
            && !route.gives_way()
        {
            // Whatever else is wrong with it: who gave way must show in what served.
            Arc::make_mut(route).serve = Part::Broken(Arc::new(fault.clone()));
        }
        found.entry(one.clone()).or_default().entry(gateway.clone()).or_insert(fault);
    }
    found
}

/// What two routes have in common that claim the same.
const ALL: &str = "host, path and matches";
/// Most places that a sentence names.
const NAMED: usize = 3;

/// A part of what a route claims on a Gateway. Of files a route that loses some is closed as a whole.
fn part(lost: &BTreeSet<Claim<'_>>, all: &BTreeSet<Claim<'_>>, keeps_some: bool) -> String {
    let places: BTreeSet<String> = lost.iter().map(|claim| place(claim, lost, all)).collect();
    let more = if places.len() > NAMED { format!(" and {} more", places.len() - NAMED) } else { String::new() };
    let named = places.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
    let rest = if keeps_some { "; what else this one claims is served" } else { "" };
    format!("{ALL} at {named}{more}{rest}")
}

/// A claim as a request has it, `GET api.example.com/orders`, with the listener where it is kept on another one.
fn place(claim: &Claim<'_>, lost: &BTreeSet<Claim<'_>>, all: &BTreeSet<Claim<'_>>) -> String {
    let (listener, host, alternative) = claim;
    let methods = alternative.methods.join("|");
    let gap = if methods.is_empty() { "" } else { " " };
    let name = host.as_ref().map(ToString::to_string).unwrap_or_default();
    let (PathMatch::Exact(path) | PathMatch::Prefix(path) | PathMatch::Regex(path)) = &alternative.path;
    let is_same = |other: &&Claim<'_>| other.1 == *host && other.2 == *alternative;
    let is_kept = all.iter().filter(is_same).any(|claim| !lost.contains(claim));
    let on = if is_kept { format!(" on listener {}", listener.name) } else { String::new() };
    format!("{methods}{gap}{name}{path}{on}")
}

/// Each route that gives way, with another one that has the same claims, the Gateway, and those claims.
type Pairs<'a> = BTreeMap<(RouteId, RouteId, ObjectName), BTreeSet<Claim<'a>>>;

fn pairs<'a>(suspects: &[&'a Arc<Route>], listeners: &Listeners, context: &Context) -> Pairs<'a> {
    let mut places: HashMap<Claim<'a>, usize> = HashMap::new();
    let mut groups: Vec<(Claim<'a>, Vec<&'a Route>)> = Vec::new();
    for route in suspects.iter().copied() {
        for claim in claimed(route, listeners) {
            let place = *places.entry(claim.clone()).or_insert(groups.len());
            match groups.get_mut(place) {
                Some((_, routes)) if routes.last().is_some_and(|last| last.id == route.id) => {}
                Some((_, routes)) => routes.push(route),
                None => groups.push((claim, vec![route])),
            }
        }
    }
    let mut pairs = Pairs::new();
    let mut add = |one: &Route, other: &Route, claim: &Claim<'a>| {
        let key = (one.id.clone(), other.id.clone(), claim.0.gateway.clone());
        pairs.entry(key).or_default().insert(claim.clone());
    };
    for (claim, routes) in &groups {
        let keeper = keeper(claim, routes, listeners, context);
        let Some(first) = keeper.or_else(|| routes.first().copied()) else { continue };
        for route in routes.iter().filter(|route| route.id != first.id) {
            add(route, first, claim);
            if keeper.is_none() {
                add(first, route, claim);
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
        before.is_some_and(|before| claimed(before, listeners).any(|held| held == *claim))
    });
    served.next().filter(|_| served.next().is_none())
}

/// What a route claims: each of its alternatives, for each of its hosts on each of its listeners.
pub(crate) fn claimed<'a>(route: &'a Route, listeners: &Listeners) -> impl Iterator<Item = Claim<'a>> {
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
