//! Which routes a listener admits: `allowedRoutes`.

use std::collections::BTreeSet;
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath};
use gateway_api::apis::standard::gateways as api;
use ir::RouteKind;

use crate::gateways::Admission;
use crate::report::Report;
use crate::world::{Labels, World};

/// Gateway API's group.
const STANDARD: &str = "gateway.networking.k8s.io";

/// Which routes a listener admits, and the first kind that it names and that is not served here.
pub(crate) struct Admitted {
    pub(crate) admission: Admission,
    pub(crate) unknown: Option<Arc<Fault>>,
}

/// The kinds of a listener that names none.
pub(crate) fn every_kind() -> BTreeSet<RouteKind> {
    BTreeSet::from([RouteKind::ApiRoute, RouteKind::HttpRoute, RouteKind::Ingress])
}

/// As groups and kinds, for status. An Ingress chooses no listener, so that none tells of it.
pub(crate) fn groups(kinds: &BTreeSet<RouteKind>) -> Vec<(&'static str, &'static str)> {
    let group = |kind: &RouteKind| match kind {
        RouteKind::ApiRoute => Some((crds::GROUP, kind.name())),
        RouteKind::HttpRoute => Some((STANDARD, kind.name())),
        RouteKind::Ingress => None,
    };
    kinds.iter().filter_map(group).collect()
}

/// Which routes a listener admits; omitted is those of the Gateway's namespace.
pub(crate) fn read(
    world: &World<'_>,
    own: &str,
    written: Option<&api::GatewayListenersAllowedRoutes>,
    at: &FieldPath,
    report: &mut Report,
) -> Admitted {
    let at = at.field("allowedRoutes");
    let (kinds, unknown) = kinds(written.and_then(|allowed| allowed.kinds.as_deref()).unwrap_or_default(), &at, report);
    let namespaces = written.and_then(|allowed| allowed.namespaces.as_ref());
    let at = at.field("namespaces");
    let namespaces = match namespaces.and_then(|namespaces| namespaces.from.as_ref()) {
        None | Some(api::GatewayListenersAllowedRoutesNamespacesFrom::Same) => Some(BTreeSet::from([Arc::from(own)])),
        Some(api::GatewayListenersAllowedRoutesNamespacesFrom::All) => None,
        Some(api::GatewayListenersAllowedRoutesNamespacesFrom::Selector) => {
            let selector = namespaces.and_then(|namespaces| namespaces.selector.as_ref());
            Some(selected(world, selector, &at, report))
        }
    };
    Admitted { admission: Admission { namespaces, kinds }, unknown }
}

fn kinds(
    written: &[api::GatewayListenersAllowedRoutesKinds],
    at: &FieldPath,
    report: &mut Report,
) -> (BTreeSet<RouteKind>, Option<Arc<Fault>>) {
    if written.is_empty() {
        return (every_kind(), None);
    }
    let mut kinds = BTreeSet::new();
    let mut unknown = None;
    for (index, one) in written.iter().enumerate() {
        match (one.group.as_deref().unwrap_or(STANDARD), one.kind.as_str()) {
            (crds::GROUP, "ApiRoute") => drop(kinds.insert(RouteKind::ApiRoute)),
            (STANDARD, "HTTPRoute") => drop(kinds.insert(RouteKind::HttpRoute)),
            (group, kind) => {
                let nearest = (group != crds::GROUP && kind == "ApiRoute").then(|| Arc::from("group: doorward.dev"));
                // Who writes another kind of Gateway API means it.
                let is_mistyped = !["GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"].contains(&kind);
                let nearest = nearest.or_else(|| cause::nearest(kind, SERVED).filter(|_| is_mistyped));
                let cause = FaultCause::ValueUnknown { allowed: SERVED.map(Arc::from).to_vec(), nearest };
                let fault = report.error(&at.field("kinds").index(index).field("kind"), cause);
                unknown.get_or_insert(fault);
            }
        }
    }
    (kinds, unknown)
}

const SERVED: [&str; 2] = ["ApiRoute", "HTTPRoute"];
const OPERATORS: [&str; 4] = ["In", "NotIn", "Exists", "DoesNotExist"];

/// The namespaces that a selector selects; none where it is missing.
fn selected(
    world: &World<'_>,
    selector: Option<&api::GatewayListenersAllowedRoutesNamespacesSelector>,
    at: &FieldPath,
    report: &mut Report,
) -> BTreeSet<Arc<str>> {
    let Some(selector) = selector else {
        report.error(at, FaultCause::FieldMissing { field: "selector".into() });
        return BTreeSet::new();
    };
    for (index, expression) in selector.match_expressions.iter().flatten().enumerate() {
        if !OPERATORS.contains(&expression.operator.as_str()) {
            let field = at.field("selector").field("matchExpressions");
            let nearest = cause::nearest(&expression.operator, OPERATORS);
            let cause = FaultCause::ValueUnknown { allowed: OPERATORS.map(Arc::from).to_vec(), nearest };
            report.error(&field.index(index).field("operator"), cause);
        }
    }
    world.namespaces_where(|labels| selects(selector, labels))
}

fn selects(selector: &api::GatewayListenersAllowedRoutesNamespacesSelector, labels: Labels<'_>) -> bool {
    selector.match_labels.as_ref().is_none_or(|wanted| labels.have(wanted))
        && selector.match_expressions.iter().flatten().all(|expression| {
            let value = labels.get(&expression.key);
            let listed = || value.is_some_and(|value| expression.values.iter().flatten().any(|one| one == value));
            match expression.operator.as_str() {
                "In" => listed(),
                "NotIn" => !listed(),
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}
