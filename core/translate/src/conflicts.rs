//! Two routes that claim the same requests: neither serves, because nothing tells which is meant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath};
use ir::{HostPattern, ListenerId, Match, Part, Route, RouteId};

use crate::attach::common;
use crate::gateways::Listeners;

type Claim<'a> = (&'a ListenerId, Option<HostPattern>, &'a Match);

/// Closes every route that has a host, a path and matches in common with another on a listener.
pub(crate) fn close(routes: &mut BTreeMap<RouteId, Route>, listeners: &Listeners, faults: &mut Vec<Fault>) {
    for (one, other) in pairs(routes, listeners) {
        let fault = Fault::error(
            one.object(),
            FieldPath::of("spec.path"),
            FaultCause::Conflict { other: other.object(), what: "host, path and matches".into() },
        );
        faults.push(fault.clone());
        if let Some(route) = routes.get_mut(&one)
            && route.serve.as_result().is_ok()
        {
            route.serve = Part::Broken(Arc::new(fault));
        }
    }
}

/// Each route that is in conflict, with another one.
fn pairs(routes: &BTreeMap<RouteId, Route>, listeners: &Listeners) -> BTreeSet<(RouteId, RouteId)> {
    let mut claims: BTreeMap<Claim<'_>, &RouteId> = BTreeMap::new();
    let mut pairs = BTreeSet::new();
    for (id, route) in routes {
        for listener in &route.listeners {
            let hostname = listeners.served.get(listener).and_then(|listener| listener.hostname.as_ref());
            for host in hosts(&route.hostnames, hostname) {
                for alternative in &route.matches {
                    let first = *claims.entry((listener, host.clone(), alternative)).or_insert(id);
                    if first != id {
                        pairs.insert((id.clone(), first.clone()));
                        pairs.insert((first.clone(), id.clone()));
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
