//! Two routes that claim the same requests. Of files neither serves, because nothing tells which is
//! meant; in a cluster the older one does, and the younger one is told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName};
use ir::{HostPattern, ListenerId, Match, Part, Route, RouteId};

use crate::attach::common;
use crate::gateways::Listeners;
use crate::judging::Conflicts;
use crate::world::World;

type Claim<'a> = (&'a ListenerId, Option<HostPattern>, &'a Match);

/// Routes that have a host, a path and matches in common with another one on a listener: with the
/// Gateways on which they have. Of files, these routes are closed.
pub(crate) fn find(
    world: &World<'_>,
    routes: &mut BTreeMap<RouteId, Arc<Route>>,
    listeners: &Listeners,
    faults: &mut Vec<Fault>,
) -> BTreeMap<RouteId, Conflicts> {
    let mut found: BTreeMap<RouteId, Conflicts> = BTreeMap::new();
    for (one, other, gateway) in pairs(routes, listeners, world.context.is_standalone()) {
        let may_know = world.context.is_standalone() || one.name.namespace == other.name.namespace;
        let cause = FaultCause::Conflict { other: may_know.then(|| other.object()), what: "host, path and matches".into() };
        let fault = Fault::error(one.object(), FieldPath::of("spec.path"), cause);
        faults.push(fault.clone());
        if world.context.is_standalone()
            && let Some(route) = routes.get_mut(&one)
            && route.serve.as_result().is_ok()
        {
            Arc::make_mut(route).serve = Part::Broken(Arc::new(fault.clone()));
        }
        found.entry(one).or_default().entry(gateway).or_insert(fault);
    }
    found
}

/// Each route that is in conflict, with another one and the Gateway; in a cluster the younger of
/// both alone.
fn pairs(
    routes: &BTreeMap<RouteId, Arc<Route>>,
    listeners: &Listeners,
    are_alike: bool,
) -> BTreeSet<(RouteId, RouteId, ObjectName)> {
    let mut by_age: Vec<&Arc<Route>> = routes.values().collect();
    if !are_alike {
        by_age.sort_by_key(|route| route.created_at);
    }
    let mut claims: HashMap<Claim<'_>, &RouteId> = HashMap::with_capacity(by_age.len());
    let mut pairs = BTreeSet::new();
    for route in by_age {
        for listener in &route.listeners {
            let hostname = listeners.served.get(listener).and_then(|listener| listener.hostname.as_ref());
            for host in hosts(&route.hostnames, hostname) {
                for alternative in &route.matches {
                    let first = *claims.entry((listener, host.clone(), alternative)).or_insert(&route.id);
                    if *first != route.id {
                        pairs.insert((route.id.clone(), first.clone(), listener.gateway.clone()));
                        if are_alike {
                            pairs.insert((first.clone(), route.id.clone(), listener.gateway.clone()));
                        }
                    }
                }
            }
        }
    }
    pairs
}

/// The hosts of a route on one listener; `None` is every host.
fn hosts(own: &[HostPattern], listener: Option<&HostPattern>) -> BTreeSet<Option<HostPattern>> {
    if own.is_empty() {
        return BTreeSet::from([listener.cloned()]);
    }
    own.iter().filter_map(|host| common(host, listener)).map(Some).collect()
}
