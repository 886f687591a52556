//! Ingresses (networking.k8s.io/v1): each path becomes one route of the default Gateway, without
//! checks of callers.
//!
//! An Ingress names no Gateway, so that the default one takes it, by the listeners that admit its
//! namespace and hosts. Where it brings certificates, the Gateway gets the listener [`TLS`] beside
//! its own, which shows all certificates of Ingresses and takes no other kind of route.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, Listed, ObjectName, ObjectRef, Severity};
use crds::standard::Ingress;
use ir::{HostPattern, ListenerId, Match, Part, Route, RouteId, RouteKind, Serve};
use k8s_openapi::api::networking::v1::{HTTPIngressPath, IngressBackend, IngressSpec};
use serde::Deserialize as _;
use serde_json::Value;

use crate::attach::{self, Asking, Parent};
use crate::backends::Gathered;
use crate::http_routes::prefix;
use crate::manifests::Written;
use crate::open;
use crate::parse;
use crate::rehearsal::is_told;
use crate::report::{Report, closing_fault};
use crate::routes::{Surroundings, created_at, read_created_at};
use crate::traffic;
use crate::world::World;

mod backends;
mod class;
mod tls;

pub use class::CONTROLLER;
use class::Owner;
pub use tls::TLS;
pub(crate) use tls::listen;

const KIND: &str = "Ingress";

/// The routes of every Ingress that is ours.
pub(crate) fn translate(around: &Surroundings<'_>, gathered: &mut Gathered) -> BTreeMap<RouteId, Arc<Route>> {
    let mut routes = BTreeMap::new();
    for (name, written) in &around.world.manifests.ingresses {
        if let Owner::Other(class) = class::owner(around.world, written) {
            // In a cluster nobody asked us; who gives us files expects to see them served.
            if around.world.context.is_standalone() {
                gathered.faults.push(passed_over(name, class.as_deref()));
            }
            continue;
        }
        let of_object = match written {
            Written::Good(object) | Written::LastGood(object, _) => good(around, name, object, gathered),
            Written::Broken(found, tree) => broken(around, name, (found, tree), gathered),
        };
        routes.extend(of_object.into_iter().map(|route| (route.id.clone(), Arc::new(route))));
    }
    routes
}

/// An Ingress of another class.
fn passed_over(name: &ObjectName, class: Option<&str>) -> Fault {
    let reason = match class {
        Some(class) => {
            format!("its class `{class}` is another controller's, so it is passed over; the class `doorward` is served")
        }
        None => "no IngressClass of ours is the default one, so it is passed over; the class `doorward` is served".to_owned(),
    };
    let at = FieldPath::of(if class.is_some() { "spec.ingressClassName" } else { "spec" });
    Fault {
        severity: Severity::Notice,
        object: Some(ObjectRef::new(KIND, name.clone())),
        field: at,
        cause: FaultCause::NoEffect { reason: reason.into() },
    }
}

fn good(around: &Surroundings<'_>, name: &ObjectName, object: &Ingress, gathered: &mut Gathered) -> Vec<Route> {
    let mut report = Report::new(KIND, name);
    foreign_annotations(object, &mut report);
    let empty = IngressSpec::default();
    let spec = object.spec.as_ref().unwrap_or(&empty);
    let claims = claims(spec, &mut report);
    if claims.is_empty() && report.closing().is_none() {
        let reason = "it has neither a rule nor a default backend".into();
        report.warn(&FieldPath::of("spec"), FaultCause::NoEffect { reason });
    }
    let serves = claims.iter().map(|claim| serve(around.world, name, claim, &mut report, gathered)).collect();
    let mut routes = place(around, name, (&claims, serves), created_at(&object.metadata), &mut report);
    tls::restrict(spec, &mut routes);
    report.finish(&mut gathered.faults);
    routes
}

/// An object that its reader refused: it is closed where it would have served, as far as its text can
/// be read as it stands.
fn broken(
    around: &Surroundings<'_>,
    name: &ObjectName,
    (found, tree): (&[Fault], &Value),
    gathered: &mut Gathered,
) -> Vec<Route> {
    let fault = closing_fault(KIND, name, found);
    let mut report = Report::new(KIND, name);
    let spec = tree.get("spec").and_then(|spec| IngressSpec::deserialize(spec).ok()).unwrap_or_default();
    let claims = claims(&spec, &mut report);
    let serves = claims.iter().map(|_| Part::Broken(Arc::clone(&fault))).collect();
    let mut routes = place(around, name, (&claims, serves), read_created_at(tree), &mut report);
    tls::restrict(&spec, &mut routes);
    let mut apart = Gathered::default();
    for claim in &claims {
        let _closed = backends::translate(around.world, claim.backend, (name, &claim.at), &mut report, &mut apart);
    }
    gathered.faults.extend(report.into_faults().into_iter().filter(|fault| !is_told(found, fault)));
    routes
}

/// What other controllers read from annotations is not done here: their users must know.
fn foreign_annotations(object: &Ingress, report: &mut Report) {
    let annotations = object.metadata.annotations.iter().flat_map(BTreeMap::keys);
    let foreign: Vec<&String> = annotations
        .filter(|key| key.split_once('/').is_some_and(|(owner, _)| owner.contains("ingress") || owner.contains("traefik")))
        .collect();
    if !foreign.is_empty() {
        let reason = format!("{}: annotations of another controller, of which nothing is done here", Listed(&foreign)).into();
        report.warn(&FieldPath::of("metadata.annotations"), FaultCause::NoEffect { reason });
    }
}

/// Requests that an Ingress takes together, and what answers them.
struct Claim<'a> {
    at: FieldPath,
    /// `None` is every host.
    host: Option<HostPattern>,
    matched: Match,
    backend: &'a IngressBackend,
}

/// All that an Ingress takes, in its order, the default backend last.
fn claims<'a>(spec: &'a IngressSpec, report: &mut Report) -> Vec<Claim<'a>> {
    let mut claims = Vec::new();
    let default = |host, matched| {
        let at = FieldPath::of("spec.defaultBackend");
        spec.default_backend.as_ref().map(|backend| Claim { at, host, matched, backend })
    };
    for (index, rule) in spec.rules.iter().flatten().enumerate() {
        let at = FieldPath::of("spec.rules").index(index);
        let written = rule.host.as_deref().filter(|host| !host.is_empty());
        let host = match written.map(|text| report.need(&at.field("host"), parse::host(text))) {
            None => None,
            Some(Some(host)) => Some(host),
            Some(None) => continue,
        };
        let is_wildcard = matches!(host, Some(HostPattern::Wildcard(_)));
        let Some(http) = &rule.http else {
            claims.extend(default(host, Match { single_label: is_wildcard, ..everything() }));
            continue;
        };
        for (index, path) in http.paths.iter().enumerate() {
            let at = at.field("http").field("paths").index(index);
            let Some(matched) = report_path(path, &at, report) else { continue };
            let matched = Match { single_label: is_wildcard, ..matched };
            claims.push(Claim { at: at.field("backend"), host: host.clone(), matched, backend: &path.backend });
        }
    }
    claims.extend(default(None, everything()));
    claims
}

fn everything() -> Match {
    Match::of(ir::PathMatch::Prefix("/".into()))
}

fn report_path(written: &HTTPIngressPath, at: &FieldPath, report: &mut Report) -> Option<Match> {
    let text = written.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
    let parsed = match written.path_type.as_str() {
        "Exact" => parse::escaped_path(text).map(ir::PathMatch::Exact),
        // What a controller does of its own with a path is, here, what most do.
        "Prefix" | "ImplementationSpecific" => prefix(text),
        other => {
            let allowed = PATH_TYPES.map(Arc::from).to_vec();
            let nearest = cause::nearest(other, PATH_TYPES);
            report.error(&at.field("pathType"), FaultCause::ValueUnknown { allowed, nearest });
            return None;
        }
    };
    match parsed {
        Ok(path) => Some(Match::of(path)),
        Err(cause) => {
            report.error(&at.field("path"), cause);
            None
        }
    }
}

const PATH_TYPES: [&str; 3] = ["Exact", "Prefix", "ImplementationSpecific"];

fn serve(
    world: &World<'_>,
    name: &ObjectName,
    claim: &Claim<'_>,
    report: &mut Report,
    gathered: &mut Gathered,
) -> Part<Arc<Serve>> {
    let backend = backends::translate(world, claim.backend, (name, &claim.at), report, gathered);
    let traffic = ir::Traffic { forward_credential: true, ..traffic::untouched() };
    Part::Ready(Arc::new(open::serve(backend, traffic)))
}

/// The routes of an Ingress, at the default Gateway.
fn place(
    around: &Surroundings<'_>,
    name: &ObjectName,
    (claims, serves): (&[Claim<'_>], Vec<Part<Arc<Serve>>>),
    created_at: Option<jiff::Timestamp>,
    report: &mut Report,
) -> Vec<Route> {
    let listeners = listeners(around, name, claims, report);
    let route = |(index, (claim, serve)): (usize, (&Claim<'_>, Part<Arc<Serve>>))| {
        Some(Route {
            id: RouteId { kind: RouteKind::Ingress, name: name.clone(), rule: u16::try_from(index).ok()? },
            created_at,
            listeners: listeners.clone(),
            hostnames: claim.host.iter().cloned().collect(),
            matches: vec![claim.matched.clone()],
            serve,
        })
    };
    claims.iter().zip(serves).enumerate().filter_map(route).collect()
}

/// The listeners of the default Gateway that take an Ingress.
fn listeners(around: &Surroundings<'_>, name: &ObjectName, claims: &[Claim<'_>], report: &mut Report) -> BTreeSet<ListenerId> {
    let at = FieldPath::of("spec");
    let gateway = match attach::default_gateway(around.world) {
        Ok(gateway) => gateway,
        Err(cause) => {
            report.error(&at, cause);
            return BTreeSet::new();
        }
    };
    let is_everywhere = claims.iter().any(|claim| claim.host.is_none());
    let hosts: BTreeSet<&HostPattern> = claims.iter().filter_map(|claim| claim.host.as_ref()).collect();
    let hosts: Vec<HostPattern> = if is_everywhere { Vec::new() } else { hosts.into_iter().cloned().collect() };
    let asking = Asking { kind: RouteKind::Ingress, own: name, hosts: &hosts };
    let parent = Parent { at, index: None, gateway, section: None, port: None };
    attach::attach(around.world, around.listeners, asking, &[parent], report).listeners
}
