//! HTTPRoutes (Gateway API): each rule becomes one route, without checks of callers.
//!
//! A rule is closed for what is wrong with it, the other rules of the object serve on. What a rule
//! asks for and is not served here closes it too: no filter is passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName, Segment, Severity};
use crds::standard::HttpRoute;
use gateway_api::apis::standard::httproutes as api;
use ir::{HostPattern, ListenerId, Match, Part, Route, RouteId, RouteKind, Serve, SharedMap};
use serde::Deserialize;
use serde_json::Value;

use crate::attach::{self, Asking, Attached, Parent};
use crate::backends::Gathered;
use crate::manifests::Written;
use crate::memory::Shelf;
use crate::open;
use crate::parse;
use crate::rehearsal::{Rehearsal, is_told};
use crate::report::{Report, closing_fault};
use crate::routes::{Surroundings, created_at, hostnames, read_created_at};
use crate::world::target;

mod backends;
mod filters;
mod matches;

pub(crate) use matches::prefix;

const KIND: &str = "HTTPRoute";

/// The routes of every HTTPRoute that names a Gateway of ours.
pub(crate) fn translate(
    around: &Surroundings<'_>,
    gathered: &mut Gathered,
    memory: &mut Shelf<HttpRoute>,
) -> SharedMap<RouteId, Arc<Route>> {
    let objects = &around.world.manifests.http_routes;
    memory.routes(around, objects, gathered, |around, name, written, gathered| match written {
        Written::Good(object) | Written::LastGood(object, _) => good(around, name, object, gathered),
        Written::Broken(faults, tree) => broken(around, name, (faults, tree), gathered),
    })
}

fn good(around: &Surroundings<'_>, name: &ObjectName, object: &HttpRoute, gathered: &mut Gathered) -> Vec<Route> {
    let mut report = Report::new(KIND, name);
    let place = Place::of(&object.spec);
    let routes = match locate(around, name, &place, &mut report, gathered) {
        Some(located) => {
            let serves = serves(around, name, &object.spec, &mut report, gathered);
            let rules = located.rules.iter().zip(serves).enumerate();
            let route = |(index, (matches, serve))| located.route(index, matches, serve, created_at(&object.metadata));
            rules.filter_map(route).collect()
        }
        None => Vec::new(),
    };
    report.finish(&mut gathered.faults);
    routes
}

/// An object that its reader refused: its rules are closed where they would have served. Where all that is wrong is in
/// some of its rules, the others serve.
fn broken(
    around: &Surroundings<'_>,
    name: &ObjectName,
    (found, tree): (&[Fault], &Value),
    gathered: &mut Gathered,
) -> Vec<Route> {
    let fault = closing_fault(KIND, name, found);
    let mut report = Report::new(KIND, name);
    let located = Place::read(tree).and_then(|place| locate(around, name, &place, &mut report, gathered));
    let served = match Rehearsal::<HttpRoute>::new(tree, found) {
        Some(rehearsal) => {
            let closed = closed_rules(found).filter(|_| !rehearsal.is_filled());
            let mut apart = Gathered::default();
            let within = if closed.is_some() { &mut *gathered } else { &mut apart };
            let serves = serves(around, name, &rehearsal.object.spec, &mut report, within);
            rehearsal.finish(report, &mut gathered.faults);
            gathered.faults.append(&mut apart.faults);
            closed.map(|closed| (closed, serves))
        }
        None => {
            gathered.faults.extend(report.into_faults().into_iter().filter(|fault| !is_told(found, fault)));
            None
        }
    };
    let Some(located) = located else { return Vec::new() };
    let serve = |index: usize| match &served {
        Some((closed, serves)) => match closed.get(&index) {
            Some(fault) => Part::Broken(Arc::new((*fault).clone())),
            None => serves.get(index).cloned().unwrap_or_else(|| Part::Broken(Arc::clone(&fault))),
        },
        None => Part::Broken(Arc::clone(&fault)),
    };
    let route = |(index, matches)| located.route(index, matches, serve(index), read_created_at(tree));
    located.rules.iter().enumerate().filter_map(route).collect()
}

/// The rules that a reader found something wrong with, each with its first fault; `None` where something else is wrong
/// too, which may be meant for all of them.
fn closed_rules(found: &[Fault]) -> Option<BTreeMap<usize, &Fault>> {
    let mut closed = BTreeMap::new();
    for fault in found.iter().filter(|fault| fault.severity == Severity::Error) {
        closed.entry(rule_of(&fault.field)?).or_insert(fault);
    }
    (!closed.is_empty()).then_some(closed)
}

/// The rule of an HTTPRoute in which a field stands.
pub(crate) fn rule_of(field: &FieldPath) -> Option<usize> {
    match field.0.as_slice() {
        [Segment::Field(spec), Segment::Field(rules), Segment::Index(index), ..] if &**spec == "spec" && &**rules == "rules" => {
            Some(*index)
        }
        _ => None,
    }
}

/// The fields that say which requests an object takes, read apart from all others.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    #[serde(default)]
    parent_refs: Option<Vec<api::HttpRouteParentRefs>>,
    #[serde(default)]
    hostnames: Option<Vec<String>>,
    #[serde(default)]
    rules: Option<Vec<RulePlace>>,
}

#[derive(Debug, Default, Deserialize)]
struct RulePlace {
    #[serde(default)]
    matches: Option<Vec<api::HttpRouteRulesMatches>>,
}

impl Place {
    fn of(spec: &api::HttpRouteSpec) -> Self {
        let rule = |rule: &api::HttpRouteRules| RulePlace { matches: rule.matches.clone() };
        Self {
            parent_refs: spec.parent_refs.clone(),
            hostnames: spec.hostnames.clone(),
            rules: spec.rules.as_ref().map(|rules| rules.iter().map(rule).collect()),
        }
    }

    fn read(tree: &Value) -> Option<Self> {
        Self::deserialize(tree.get("spec")?).ok()
    }
}

/// Where the rules of an object are.
struct Located<'a> {
    name: &'a ObjectName,
    listeners: BTreeSet<ListenerId>,
    hostnames: Vec<HostPattern>,
    /// What each rule takes, or the fault that closes it: with those of its matches that can be told.
    rules: Vec<(Vec<Match>, Option<Arc<Fault>>)>,
}

impl Located<'_> {
    /// The route of one rule, unless nothing can be told of what it takes.
    fn route(
        &self,
        index: usize,
        (matches, closing): &(Vec<Match>, Option<Arc<Fault>>),
        serve: Part<Arc<Serve>>,
        created_at: Option<jiff::Timestamp>,
    ) -> Option<Route> {
        if matches.is_empty() {
            return None;
        }
        // At most 16 rules pass an API server; further ones of a file have no number.
        let rule = u16::try_from(index).ok()?;
        Some(Route {
            id: RouteId { kind: RouteKind::HttpRoute, name: self.name.clone(), rule },
            created_at,
            listeners: self.listeners.clone(),
            hostnames: self.hostnames.clone(),
            matches: matches.clone(),
            serve: closing.as_ref().map_or(serve, |fault| Part::Broken(Arc::clone(fault))),
        })
    }
}

/// Where the rules are; `None` where hosts are given and none is good, because none would mean all.
fn locate<'a>(
    around: &Surroundings<'_>,
    name: &'a ObjectName,
    place: &Place,
    report: &mut Report,
    gathered: &mut Gathered,
) -> Option<Located<'a>> {
    let at = FieldPath::of("spec");
    let parents = parents(name, place.parent_refs.as_deref(), report);
    let hostnames = hostnames(place.hostnames.as_deref(), &at.field("hostnames"), report)?;
    let asking = Asking { kind: RouteKind::HttpRoute, own: name, hosts: &hostnames };
    let Attached { listeners, parents } = attach::attach(around.world, around.listeners, asking, &parents, report);
    gathered.parents.insert((RouteKind::HttpRoute, name.clone()), Arc::new(parents));
    let at = at.field("rules");
    let rules = match place.rules.as_deref() {
        None | Some([]) => vec![(vec![matches::everything()], None)],
        Some(rules) => {
            let rule = |(index, rule): (usize, &RulePlace)| {
                matches::translate(rule.matches.as_deref(), &at.index(index).field("matches"), report)
            };
            rules.iter().enumerate().map(rule).collect()
        }
    };
    Some(Located { name, listeners, hostnames, rules })
}

/// The Gateways that an HTTPRoute names. Parents of other kinds (a mesh's Services) are somebody else's.
fn parents(own: &ObjectName, written: Option<&[api::HttpRouteParentRefs]>, report: &mut Report) -> Vec<Parent> {
    let at = FieldPath::of("spec.parentRefs");
    let mut parents = Vec::new();
    for (index, parent) in written.into_iter().flatten().enumerate() {
        let group = parent.group.as_deref().unwrap_or("gateway.networking.k8s.io");
        let kind = parent.kind.as_deref().unwrap_or(crate::gateways::KIND);
        if group != "gateway.networking.k8s.io" || kind != crate::gateways::KIND {
            let reason = format!("a parent of kind {kind} is not served here").into();
            report.note(&at.index(index), FaultCause::NoEffect { reason });
            continue;
        }
        let port = parent.port.map(|port| u16::try_from(port).unwrap_or_default());
        parents.push(Parent {
            at: at.index(index),
            index: Some(index),
            gateway: target(&parent.name, parent.namespace.as_ref(), own),
            section: parent.section_name.as_deref().filter(|name| !name.is_empty()).map(Arc::from),
            port,
        });
    }
    if written.is_none_or(<[_]>::is_empty) {
        let reason = "it names no Gateway in `parentRefs`, so that no listener takes it".into();
        report.warn(&FieldPath::of("spec"), FaultCause::NoEffect { reason });
    }
    parents
}

/// What each rule serves, in their order.
fn serves(
    around: &Surroundings<'_>,
    name: &ObjectName,
    spec: &api::HttpRouteSpec,
    report: &mut Report,
    gathered: &mut Gathered,
) -> Vec<Part<Arc<Serve>>> {
    let at = FieldPath::of("spec.rules");
    match spec.rules.as_deref() {
        None | Some([]) => vec![Part::Broken(backends::none(&at, report))],
        Some(rules) => {
            let serve = |(index, rule)| match self::rule(around, (name, &at.index(index)), rule, report, gathered) {
                Ok(serve) => Part::Ready(Arc::new(serve)),
                Err(fault) => Part::Broken(fault),
            };
            rules.iter().enumerate().map(serve).collect()
        }
    }
}

/// What a rule serves, or the first fault that closes it; all of them are reported.
fn rule(
    around: &Surroundings<'_>,
    (name, at): (&ObjectName, &FieldPath),
    rule: &api::HttpRouteRules,
    report: &mut Report,
    gathered: &mut Gathered,
) -> Result<Serve, Arc<Fault>> {
    let shaped = filters::of_rule(rule.filters.as_deref().unwrap_or_default(), &at.field("filters"), report);
    let timeout = timeout(rule.timeouts.as_ref(), &at.field("timeouts"), report);
    let references = rule.backend_refs.as_deref().unwrap_or_default();
    let at = at.field("backendRefs");
    let backend = match &shaped {
        Ok(shaped) if shaped.redirect.is_some() => None,
        Ok(_) | Err(_) => Some(backends::translate(around.world, references, (name, &at), report, gathered)),
    };
    let (mut shaped, timeout) = (shaped?, timeout?);
    shaped.traffic.whole_ms = timeout;
    let backend = match (shaped.redirect, backend) {
        (Some(redirect), _) => Part::Ready(ir::Backend::Redirect(redirect)),
        (None, Some(backend)) => backend,
        (None, None) => Part::Broken(backends::none(&at, report)),
    };
    Ok(open::serve(backend, shaped.traffic))
}

/// The shorter of a rule's two times, each to the last byte of the answer: no request is sent twice, so that one call
/// and the whole request take equally long. Zero is no limit (GEP-1742).
fn timeout(
    written: Option<&api::HttpRouteRulesTimeouts>,
    at: &FieldPath,
    report: &mut Report,
) -> Result<Option<u64>, Arc<Fault>> {
    let Some(written) = written else { return Ok(None) };
    let mut read = |text: Option<&String>, field: &str| {
        let time = text.map(|text| parse::timeout(text).map_err(|cause| report.error(&at.field(field), cause)));
        time.transpose().map(|time| time.map(|limit| limit.unwrap_or(UNLIMITED_MS)))
    };
    let (request, backend) =
        (read(written.request.as_ref(), "request"), read(written.backend_request.as_ref(), "backendRequest"));
    let (request, backend) = (request?, backend?);
    Ok(request.into_iter().chain(backend).min())
}

/// A year: longer than any call, and short enough for every clock to add it.
const UNLIMITED_MS: u64 = 365 * 24 * 60 * 60 * 1_000;
