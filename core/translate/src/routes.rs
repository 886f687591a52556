//! ApiRoutes: which requests they take and what they serve.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName};
use crds::v1alpha1::{ApiRoute, ApiRouteSpec, ParentRef, RouteMatch, ValueMatch, ValueMatchType};
use ir::{HostPattern, Match, Part, PathMatch, Provider, ProviderId, Route, RouteId, RouteKind, Serve, SharedMap, ValuePattern};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;

use crate::attach::{self, Asking, Attached, common};
use crate::authorization;
use crate::backends::Gathered;
use crate::conflicts;
use crate::gateways::Listeners;
use crate::manifests::Written;
use crate::memory::Memory;
use crate::parse;
use crate::rehearsal::{Rehearsal, is_told};
use crate::report::{Report, closing_fault};
use crate::standings::{ParentStanding, Verdict};
use crate::traffic;
use crate::versions;
use crate::world::World;

const KIND: &str = "ApiRoute";

/// What routes refer to.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) world: &'a World<'a>,
    pub(crate) listeners: &'a Listeners,
    pub(crate) providers: &'a BTreeMap<ProviderId, Arc<Provider>>,
    /// Methods that a Gateway serves beside the usual ones.
    pub(crate) methods: &'a [Arc<str>],
}

/// Every ApiRoute whose place can be told; what is wrong with one closes it.
pub(crate) fn translate(
    around: &Surroundings<'_>,
    gathered: &mut Gathered,
    memory: &mut Memory,
) -> SharedMap<RouteId, Arc<Route>> {
    let objects = &around.world.manifests.api_routes;
    let mut routes = memory.api_routes.routes(around, objects, gathered, |around, name, written, gathered| {
        let Some((route, parents)) = one(around, name, written, gathered) else { return Vec::new() };
        gathered.parents.insert((RouteKind::ApiRoute, name.clone()), Arc::new(parents));
        vec![route]
    });
    memory.claims.follow(&routes, around.listeners);
    gathered.conflicts = conflicts::find(around, &mut routes, &memory.claims, &mut gathered.faults);
    for (id, gateways) in &gathered.conflicts {
        let Some(parents) = gathered.parents.get_mut(&(id.kind, id.name.clone())) else { continue };
        for parent in Arc::make_mut(parents) {
            if let (true, Some(fault)) = (parent.accepted.holds, gateways.get(&parent.gateway)) {
                parent.accepted = Verdict::fails_for(fault.reason(), fault);
            }
        }
    }
    routes
}

/// One ApiRoute, and what Gateways say of it; `None` where its place cannot be told.
fn one(
    around: &Surroundings<'_>,
    name: &ObjectName,
    written: &Written<ApiRoute>,
    gathered: &mut Gathered,
) -> Option<(Route, Vec<ParentStanding>)> {
    let mut report = Report::new(KIND, name);
    match written {
        Written::Good(object) | Written::LastGood(object, _) => {
            let place = locate(around, name, Place::of(&object.spec), &mut report);
            let serve = serve(around, name, &object.spec, &mut report, gathered);
            report.finish(&mut gathered.faults);
            place.map(|place| place.with(name, created_at(&object.metadata), serve))
        }
        Written::Broken(faults, tree) => {
            let fault = closing_fault(KIND, name, faults);
            let place = Place::read(tree).and_then(|place| locate(around, name, place, &mut report));
            rehearse(around, name, (tree, faults), report, &mut gathered.faults);
            place.map(|place| place.with(name, read_created_at(tree), Part::Broken(fault)))
        }
    }
}

/// Tells what else is wrong with a route that is closed for the faults of its reader; `report` is
/// about its place.
fn rehearse(
    around: &Surroundings<'_>,
    name: &ObjectName,
    (tree, found): (&Value, &[Fault]),
    mut report: Report,
    faults: &mut Vec<Fault>,
) {
    let Some(rehearsal) = Rehearsal::<ApiRoute>::new(tree, found) else {
        faults.extend(report.into_faults().into_iter().filter(|fault| !is_told(found, fault)));
        return;
    };
    let mut apart = Gathered::default();
    let _closed = serve(around, name, &rehearsal.object.spec, &mut report, &mut apart);
    rehearsal.finish(report, faults);
    faults.append(&mut apart.faults);
}

/// The fields that say which requests a route takes. They are read apart from the others, so that
/// a route that is broken elsewhere still claims its requests instead of leaving them to another.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    #[serde(default)]
    parent_refs: Option<Vec<ParentRef>>,
    #[serde(default)]
    hostnames: Option<Vec<String>>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    matches: Option<Vec<RouteMatch>>,
}

impl Place {
    fn of(spec: &ApiRouteSpec) -> Self {
        Self {
            parent_refs: spec.parent_refs.clone(),
            hostnames: spec.hostnames.clone(),
            path: spec.path.clone(),
            matches: spec.matches.clone(),
        }
    }

    fn read(tree: &Value) -> Option<Self> {
        Self::deserialize(tree.get("spec")?).ok()
    }
}

/// Where a route is.
struct Located {
    attached: Attached,
    hostnames: Vec<HostPattern>,
    matches: Vec<Match>,
}

impl Located {
    fn with(self, name: &ObjectName, created_at: Option<Timestamp>, serve: Part<Arc<Serve>>) -> (Route, Vec<ParentStanding>) {
        let Self { attached: Attached { listeners, parents }, hostnames, matches } = self;
        (Route { id: RouteId::api(name.clone()), created_at, listeners, hostnames, matches, serve }, parents)
    }
}

/// When the API server made an object; `None` for objects of files.
pub(crate) fn created_at(metadata: &ObjectMeta) -> Option<Timestamp> {
    metadata.creation_timestamp.as_ref().map(|time| time.0)
}

/// The same, of an object that could not be read as its kind.
pub(crate) fn read_created_at(tree: &Value) -> Option<Timestamp> {
    tree.pointer("/metadata/creationTimestamp")?.as_str()?.parse().ok()
}

/// Where a route is, or `None` where its host, path or matches cannot be told at all.
fn locate(around: &Surroundings<'_>, name: &ObjectName, place: Place, report: &mut Report) -> Option<Located> {
    let at = FieldPath::of("spec");
    let hostnames = hostnames(place.hostnames.as_deref(), &at.field("hostnames"), report);
    let path =
        place.path.as_deref().map_or_else(|| Some("/".into()), |text| place_meant(text, parse::path, &at.field("path"), report));
    let alternatives = alternatives(place.matches.as_deref(), &at.field("matches"), report);
    let (hostnames, path, alternatives) = (hostnames?, path?, alternatives?);
    let mut matches: Vec<Match> =
        alternatives.into_iter().map(|conditions| Match { path: PathMatch::Prefix(Arc::clone(&path)), ..conditions }).collect();
    matches.sort_unstable();
    matches.dedup();
    let asking = Asking { kind: RouteKind::ApiRoute, own: name, hosts: &hostnames };
    let attached = match attach::parents_of_api_route(around.world, name, place.parent_refs.as_deref()) {
        Ok(parents) => attach::attach(around.world, around.listeners, asking, &parents, report),
        Err(cause) => {
            report.error(&at, cause);
            Attached::default()
        }
    };
    let listeners = &attached.listeners;
    let served = |host: &HostPattern| {
        listeners
            .iter()
            .filter_map(|id| around.listeners.served.get(id))
            .any(|listener| common(host, listener.hostname.as_ref()).is_some())
    };
    for host in hostnames.iter().filter(|host| !listeners.is_empty() && !served(host)) {
        let reason = format!("no listener of the route takes {host}").into();
        let place = place.hostnames.iter().flatten().position(|text| parse::host(text).is_ok_and(|parsed| parsed == *host));
        report.warn(&at.field("hostnames").index(place.unwrap_or_default()), FaultCause::NoEffect { reason });
    }
    Some(Located { attached, hostnames, matches })
}

/// A part of a route's place. One that is malformed closes the route, at the place that was meant where that can be
/// told: its callers read the fault instead of finding nothing there.
fn place_meant<T>(text: &str, parse: impl Fn(&str) -> Result<T, FaultCause>, at: &FieldPath, report: &mut Report) -> Option<T> {
    parse(text)
        .map_err(|cause| {
            let meant = if let FaultCause::Malformed { suggestion: Some(meant), .. } = &cause { parse(meant).ok() } else { None };
            report.close(at, cause);
            meant
        })
        .map_or_else(|meant| meant, Some)
}

/// The hosts; `None` where some are given and none is good, because none would mean all.
pub(crate) fn hostnames(texts: Option<&[String]>, at: &FieldPath, report: &mut Report) -> Option<Vec<HostPattern>> {
    let Some(texts) = texts.filter(|texts| !texts.is_empty()) else { return Some(Vec::new()) };
    let mut hosts = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        hosts.extend(place_meant(text, parse::host, &at.index(index), report));
    }
    hosts.sort_unstable();
    hosts.dedup();
    (!hosts.is_empty()).then_some(hosts)
}

/// The alternatives without their path; `None` where some are given and none is good.
fn alternatives(written: Option<&[RouteMatch]>, at: &FieldPath, report: &mut Report) -> Option<Vec<Match>> {
    let path = PathMatch::Prefix("/".into());
    let Some(written) = written.filter(|written| !written.is_empty()) else {
        return Some(vec![Match::of(path)]);
    };
    let mut matches = Vec::new();
    for (index, alternative) in written.iter().enumerate() {
        let at = at.index(index);
        let header = |text: &str| parse::header_name(text);
        let headers = values(alternative.headers.as_deref(), header, &at.field("headers"), report);
        let parameter = |text: &str| Ok(Arc::from(text));
        let query = values(alternative.query_params.as_deref(), parameter, &at.field("queryParams"), report);
        let mut methods: Vec<Arc<str>> = crate::checks::shared(alternative.methods.as_ref());
        methods.sort_unstable();
        methods.dedup();
        if let (Some(headers), Some(query)) = (headers, query) {
            matches.push(Match { methods, headers, query, ..Match::of(path.clone()) });
        }
    }
    (!matches.is_empty()).then_some(matches)
}

/// Named values, sorted: their order has no meaning.
fn values(
    written: Option<&[ValueMatch]>,
    name: impl Fn(&str) -> Result<Arc<str>, FaultCause>,
    at: &FieldPath,
    report: &mut Report,
) -> Option<Vec<ir::ValueMatch>> {
    let mut values = Vec::new();
    let mut good = true;
    for (index, value) in written.into_iter().flatten().enumerate() {
        let at = at.index(index);
        let name = report.need(&at.field("name"), name(&value.name));
        let pattern = match value.kind {
            None | Some(ValueMatchType::Exact) => Some(ValuePattern::Exact(value.value.as_str().into())),
            Some(ValueMatchType::RegularExpression) => {
                report.need(&at.field("value"), parse::pattern(&value.value)).map(ValuePattern::Regex)
            }
        };
        match (name, pattern) {
            (Some(name), Some(value)) => values.push(ir::ValueMatch { name, value }),
            (None, _) | (_, None) => good = false,
        }
    }
    values.sort_unstable();
    good.then_some(values)
}

/// What a route serves, or the first fault that closes it.
fn serve(
    around: &Surroundings<'_>,
    name: &ObjectName,
    spec: &ApiRouteSpec,
    report: &mut Report,
    gathered: &mut Gathered,
) -> Part<Arc<Serve>> {
    let at = FieldPath::of("spec");
    let versions = versions::translate(around.world, name, spec, report, gathered);
    let checks = authorization::checks(around, name, spec, report);
    let traffic = traffic::translate(spec.traffic.as_ref(), &at.field("traffic"), report);
    if let Some(fault) = report.closing() {
        return Part::Broken(Arc::clone(fault));
    }
    match (versions, checks, traffic) {
        (Some((versioning, versions)), Some(checks), Some(traffic)) => {
            Part::Ready(Arc::new(Serve { versioning, versions, checks, traffic }))
        }
        (_, _, _) => Part::Broken(broken(report)),
    }
}

/// A part is missing although nothing was reported to close the route: closed all the same.
fn broken(report: &mut Report) -> Arc<Fault> {
    report.close(&FieldPath::of("spec"), FaultCause::RouteBroken)
}
