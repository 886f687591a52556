//! Rules of HTTPRoutes that never take a request, because routes that go before them claim the same.
//!
//! That is no fault: Gateway API lets the older one serve, and both are accepted. Whoever wrote the younger one would find
//! it in order and unserved, so that they are told.

use std::collections::HashMap;
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath};
use ir::{Route, RouteId, RouteKind, SharedMap};

use crate::conflicts::{Claim, Claims, claimed};
use crate::gateways::Listeners;
use crate::manifests::Context;

/// Warns of each rule of an HTTPRoute of which other routes take all requests. `routes` are ApiRoutes and HTTPRoutes: an
/// Ingress goes before neither.
pub(crate) fn tell(
    context: &Context,
    listeners: &Listeners,
    (routes, known): (&SharedMap<RouteId, Arc<Route>>, &mut Claims),
    faults: &mut Vec<Fault>,
) {
    known.follow(routes, listeners);
    let suspects: Vec<&Arc<Route>> = known.suspects().into_iter().filter_map(|id| routes.get(id)).collect();
    let mut takers: HashMap<Claim<'_>, &Route> = HashMap::new();
    for route in &suspects {
        for claim in claimed(route, listeners) {
            let taker = takers.entry(claim).or_insert(route);
            if place(route) < place(taker) {
                *taker = route;
            }
        }
    }
    for route in suspects.iter().filter(|route| route.id.kind == RouteKind::HttpRoute && route.serve.as_result().is_ok()) {
        let others = claimed(route, listeners).map(|claim| takers.get(&claim).filter(|taker| taker.id != route.id));
        let others: Option<Vec<&&Route>> = others.collect();
        if let Some(first) = others.and_then(|others| others.first().copied().copied()) {
            faults.push(warning(context, route, first));
        }
    }
}

/// The order in which data planes ask routes that claim the same.
fn place(route: &Route) -> impl Ord + use<'_> {
    (route.id.kind, route.gives_way(), route.created_at, &route.id.name, route.id.rule)
}

fn warning(context: &Context, route: &Route, taker: &Route) -> Fault {
    let may_know = context.is_standalone() || taker.id.name.namespace == route.id.name.namespace;
    let named = match (may_know, taker.id.kind) {
        (false, _) => "a route of another namespace".to_owned(),
        (true, RouteKind::ApiRoute) => taker.id.object().to_string(),
        (true, RouteKind::HttpRoute | RouteKind::Ingress) => taker.id.to_string(),
    };
    let why =
        if taker.id.kind == RouteKind::ApiRoute { "routes that check callers go first" } else { "the older one goes first" };
    let reason = format!("{named} has the same host, path and matches, and {why}");
    let cause = FaultCause::RuleNeverMatches { rule: route.id.rule.to_string().into(), reason: reason.into() };
    Fault::warning(route.id.object(), FieldPath::of("spec.rules").index(route.id.rule.into()), cause)
}
