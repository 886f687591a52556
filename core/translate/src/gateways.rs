//! Gateways: where requests come in, and which routes each listener admits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName, ObjectRef};
use crds::standard::Gateway;
use gateway_api::apis::standard::gateways as api;
use ir::{Certificate, CertificateId, HostPattern, Listener, ListenerId, Part, Protocol, RouteKind};

use crate::admission::{self, Admitted};
use crate::certificates::{self, Shown};
use crate::manifests::Written;
use crate::parse;
use crate::rehearsal::Rehearsal;
use crate::report::{Report, closing_fault};
use crate::settings::{Governed, Governing};
use crate::standings::{GatewayStanding, ListenerStanding, SERVING_LAST_GOOD, Verdict};
use crate::world::World;

pub(crate) const KIND: &str = "Gateway";
/// The Gateway that there is when no manifest has one, and the port of its listener `http`.
const IMPLICIT: (&str, &str, &str, u16) = ("doorward-system", "doorward", "http", 8080);

/// The name of the implicit Gateway.
pub(crate) fn implicit() -> ObjectName {
    ObjectName::new(IMPLICIT.0, IMPLICIT.1)
}

/// All listeners, with what decides which routes they take.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    pub(crate) served: BTreeMap<ListenerId, Listener>,
    pub(crate) certificates: BTreeMap<CertificateId, Arc<Certificate>>,
    pub(crate) standings: BTreeMap<ObjectName, GatewayStanding>,
    pub(crate) admissions: BTreeMap<ListenerId, Admission>,
}

/// Which routes a listener admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    /// Of these namespaces; `None` is all.
    pub(crate) namespaces: Option<BTreeSet<Arc<str>>>,
    /// Of these kinds.
    pub(crate) kinds: BTreeSet<RouteKind>,
}

impl Listeners {
    /// The listeners of one Gateway.
    pub(crate) fn of<'a>(&'a self, gateway: &'a ObjectName) -> impl Iterator<Item = &'a Listener> {
        let first = ListenerId { gateway: gateway.clone(), name: Arc::default() };
        self.served.range(first..).map(|(_, listener)| listener).take_while(move |listener| listener.id.gateway == *gateway)
    }

    /// Whether a listener admits routes of a kind and namespace.
    pub(crate) fn admits(&self, listener: &ListenerId, kind: RouteKind, namespace: &str) -> bool {
        self.admissions.get(listener).is_some_and(|admission| {
            admission.kinds.contains(&kind) && admission.namespaces.as_ref().is_none_or(|admitted| admitted.contains(namespace))
        })
    }

    /// Adds a listener.
    pub(crate) fn add(&mut self, listener: Listener, admission: Admission) {
        self.admissions.insert(listener.id.clone(), admission);
        self.served.insert(listener.id.clone(), listener);
    }
}

/// The listeners of all Gateways of ours; the implicit one where files have none.
pub(crate) fn translate(world: &World<'_>, governed: &Governed, faults: &mut Vec<Fault>) -> Listeners {
    let mut listeners = Listeners::default();
    if world.gateways.is_empty() && world.context.is_standalone() {
        let id = ListenerId { gateway: implicit(), name: IMPLICIT.2.into() };
        let certificates = Part::Ready(Vec::new());
        let listener = Listener { id, port: IMPLICIT.3, protocol: Protocol::Http, hostname: None, certificates };
        listeners.add(listener, Admission { namespaces: None, kinds: admission::every_kind() });
        return listeners;
    }
    for (name, written) in &world.gateways {
        match written {
            Written::Broken(found, tree) => {
                let standing = refused(closing_fault(KIND, name, found));
                listeners.standings.insert((*name).clone(), standing);
                let Some(rehearsal) = Rehearsal::<Gateway>::new(tree, found) else { continue };
                let mut report = Report::new(KIND, name);
                all(world, (name, &rehearsal.object), &mut report, &mut Listeners::default());
                rehearsal.finish(report, faults);
            }
            Written::Good(gateway) | Written::LastGood(gateway, _) => {
                let mut report = Report::new(KIND, name);
                let unsupported = unsupported_address(world, gateway, &mut report);
                let standings = all(world, (name, gateway), &mut report, &mut listeners);
                report.finish(faults);
                let governing = governed.gateways.get(*name);
                let mut standing = standing(standings, governing, unsupported.as_ref());
                if let (Written::LastGood(_, found), true) = (written, standing.accepted.holds) {
                    standing.accepted = Verdict::fails_for(SERVING_LAST_GOOD, &closing_fault(KIND, name, found));
                }
                listeners.standings.insert((*name).clone(), standing);
            }
        }
    }
    listeners
}

/// What is said of a Gateway that cannot be read.
fn refused(fault: Arc<Fault>) -> GatewayStanding {
    GatewayStanding { config: None, accepted: Verdict::fails_for("Invalid", &fault), listeners: Vec::new() }
}

fn standing(
    listeners: Vec<ListenerStanding>,
    governing: Option<&Governing>,
    unsupported: Option<&Arc<Fault>>,
) -> GatewayStanding {
    let refused = listeners.iter().find(|listener| !listener.accepted.holds);
    let accepted = match (governing.and_then(|governing| governing.fault.as_ref()), refused) {
        (None, _) if let Some(fault) = unsupported => Verdict::fails_for("UnsupportedAddress", fault),
        (Some(fault), _) => Verdict::fails_for("InvalidParameters", fault),
        (None, None) if !listeners.is_empty() => Verdict::holds("Accepted"),
        (None, None) => Verdict::fails("ListenersNotValid", "spec.listeners: a Gateway needs a listener."),
        (None, Some(refused)) => Verdict {
            holds: listeners.iter().any(|listener| listener.accepted.holds),
            reason: "ListenersNotValid",
            message: format!("listener `{}`: {}", refused.name, refused.accepted.message).into(),
        },
    };
    GatewayStanding { config: governing.and_then(|governing| governing.name.clone()), accepted, listeners }
}

/// The listeners of one Gateway, and what it asks for beside them.
fn all(
    world: &World<'_>,
    (name, gateway): (&ObjectName, &Gateway),
    report: &mut Report,
    listeners: &mut Listeners,
) -> Vec<ListenerStanding> {
    whole(world, gateway, report);
    let readings: Vec<Reading> =
        (0..gateway.spec.listeners.len()).filter_map(|index| read(world, (name, gateway), index, report)).collect();
    let mut standings = Vec::new();
    for (index, reading) in readings.iter().enumerate() {
        let conflict = conflict(&readings, index, name, report)
            .or_else(|| taken(world, listeners, reading, report).map(|fault| ("PortUnavailable", fault)));
        let shown = match reading.protocol {
            Ok(Protocol::Https) => Some(certificates::of_listener(
                world,
                (name, gateway),
                reading.written,
                (&reading.at, report),
                &mut listeners.certificates,
            )),
            Ok(Protocol::Http) | Err(_) => None,
        };
        standings.push(reading.standing(conflict.as_ref(), shown.as_ref()));
        let (Ok(protocol), Ok(port), Ok(hostname), None) = (&reading.protocol, &reading.port, &reading.hostname, conflict) else {
            continue;
        };
        let id = ListenerId { gateway: name.clone(), name: reading.written.name.as_str().into() };
        let certificates = shown.map_or(Part::Ready(Vec::new()), |shown| shown.certificates);
        let listener = Listener { id, port: *port, protocol: *protocol, hostname: hostname.clone(), certificates };
        listeners.add(listener, reading.admitted.admission.clone());
    }
    standings
}

/// What a Gateway asks for beside its listeners, and is not served here.
fn whole(world: &World<'_>, gateway: &Gateway, report: &mut Report) {
    let at = FieldPath::of("spec");
    let mut not_here = |field: &str, what: &str| report.warn(&at.field(field), FaultCause::NotHere { what: what.into() });
    if world.context.is_standalone() && gateway.spec.addresses.is_some() {
        not_here("addresses", "addresses are not chosen here; a Gateway has those of the command line");
    }
    if gateway.spec.allowed_listeners.is_some() {
        not_here("allowedListeners", "ListenerSets are not served");
    }
}

/// An address of a type that no Service is given (Gateway API, `UnsupportedAddress`). Whether an address of the other
/// type can be had is known when its Service has it.
fn unsupported_address(world: &World<'_>, gateway: &Gateway, report: &mut Report) -> Option<Arc<Fault>> {
    if world.context.is_standalone() {
        return None;
    }
    let mut addresses = gateway.spec.addresses.iter().flatten().enumerate();
    let (index, kind) = addresses.find_map(|(index, address)| {
        let kind = address.r#type.as_deref().unwrap_or(IP_ADDRESS);
        (kind != IP_ADDRESS).then_some((index, kind))
    })?;
    let what = format!("an address of type {kind} cannot be given to a Gateway; ask for one of type {IP_ADDRESS}");
    let at = FieldPath::of("spec.addresses").index(index).field("type");
    Some(report.error(&at, FaultCause::NotHere { what: what.into() }))
}

/// The type of an address that says none.
const IP_ADDRESS: &str = "IPAddress";

type Read<T> = Result<T, Arc<Fault>>;

/// One listener as it is written.
struct Reading<'a> {
    written: &'a api::GatewayListeners,
    at: FieldPath,
    protocol: Read<Protocol>,
    port: Read<u16>,
    hostname: Read<Option<HostPattern>>,
    admitted: Admitted,
}

fn read<'a>(world: &World<'_>, gateway: (&ObjectName, &'a Gateway), index: usize, report: &mut Report) -> Option<Reading<'a>> {
    let written = gateway.1.spec.listeners.get(index)?;
    let at = FieldPath::of("spec.listeners").index(index);
    let protocol = protocol(&written.protocol).map_err(|cause| report.error(&at.field("protocol"), cause));
    let port = u16::try_from(written.port)
        .ok()
        .filter(|&port| port > 0)
        .ok_or_else(|| report.error(&at.field("port"), FaultCause::OutOfBounds { bound: "must be from 1 to 65535".into() }));
    let hostname = written
        .hostname
        .as_ref()
        .filter(|text| !text.is_empty())
        .map(|text| parse::host(text).map_err(|cause| report.error(&at.field("hostname"), cause)))
        .transpose();
    let admitted = admission::read(world, &gateway.0.namespace, written.allowed_routes.as_ref(), &at, report);
    if protocol == Ok(Protocol::Http) && written.tls.is_some() {
        let reason = "the protocol is HTTP, where no certificate is shown".into();
        report.warn(&at.field("tls"), FaultCause::NoEffect { reason });
    }
    Some(Reading { written, at, protocol, port, hostname, admitted })
}

/// A listener's conflict: the reason and what is wrong.
type Conflict = (&'static str, Arc<Fault>);

impl Reading<'_> {
    /// What is said of the listener.
    fn standing(&self, conflict: Option<&Conflict>, shown: Option<&Shown>) -> ListenerStanding {
        let refused = [
            ("UnsupportedProtocol", self.protocol.as_ref().err()),
            ("PortUnavailable", self.port.as_ref().err()),
            ("Invalid", self.hostname.as_ref().err()),
            (conflict.map_or("Invalid", |(reason, _)| reason), conflict.map(|(_, fault)| fault)),
            ("Invalid", shown.and_then(|shown| shown.unserved.as_ref())),
        ];
        let accepted = refused
            .into_iter()
            .find_map(|(reason, fault)| fault.map(|fault| Verdict::fails_for(reason, fault)))
            .unwrap_or_else(|| Verdict::holds("Accepted"));
        let unresolved = shown.and_then(|shown| shown.unresolved.as_ref());
        let resolved_refs = match (unresolved, &self.admitted.unknown) {
            (Some(fault), _) => {
                let is_permitted = !matches!(fault.cause, FaultCause::ReferenceNotPermitted { .. });
                Verdict::fails_for(if is_permitted { "InvalidCertificateRef" } else { "RefNotPermitted" }, fault)
            }
            (None, Some(fault)) => Verdict::fails_for("InvalidRouteKinds", fault),
            (None, None) => Verdict::holds("ResolvedRefs"),
        };
        let conflicted = match conflict {
            Some((reason @ ("HostnameConflict" | "ProtocolConflict"), fault)) => {
                Verdict { holds: true, ..Verdict::fails_for(reason, fault) }
            }
            Some(_) | None => Verdict { holds: false, ..Verdict::holds("NoConflicts") },
        };
        let broken = shown.and_then(|shown| shown.certificates.as_result().err());
        let programmable = match broken {
            _ if !accepted.holds => Verdict::fails("Invalid", Arc::clone(&accepted.message)),
            Some(fault) => Verdict::fails_for("Invalid", fault),
            None => Verdict::holds("Programmed"),
        };
        let supported = if self.protocol.is_ok() { admission::groups(&self.admitted.admission.kinds) } else { Vec::new() };
        ListenerStanding {
            name: self.written.name.as_str().into(),
            supported_kinds: supported,
            attached_routes: 0,
            accepted,
            resolved_refs,
            conflicted,
            programmable,
        }
    }
}

/// Why a listener cannot stand beside another one of its Gateway: none of both serves, because
/// nothing tells which is meant (Gateway API).
fn conflict(readings: &[Reading<'_>], index: usize, own: &ObjectName, report: &mut Report) -> Option<Conflict> {
    let this = readings.get(index)?;
    let (Ok(protocol), Ok(port), Ok(hostname)) = (&this.protocol, &this.port, &this.hostname) else { return None };
    let beside = || readings.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, reading)| reading);
    if beside().any(|other| other.written.name == this.written.name) {
        let cause = FaultCause::ItemDuplicate { key: this.written.name.as_str().into() };
        return Some(("Invalid", report.error(&this.at.field("name"), cause)));
    }
    let conflict = |what: &str| FaultCause::Conflict { other: Some(ObjectRef::new(KIND, own.clone())), what: what.into() };
    let others = || beside().filter(|other| other.port.as_ref() == Ok(port));
    if others().any(|other| other.protocol.as_ref().is_ok_and(|other| other != protocol)) {
        let fault = report.error(&this.at.field("protocol"), conflict("port with another protocol"));
        return Some(("ProtocolConflict", fault));
    }
    if others().any(|other| other.protocol.is_ok() && other.hostname.as_ref() == Ok(hostname)) {
        return Some(("HostnameConflict", report.error(&this.at.field("hostname"), conflict("port and hostname"))));
    }
    None
}

/// Why a listener cannot stand beside those of Gateways before it: files are served by one process,
/// where a port is one socket.
fn taken(world: &World<'_>, listeners: &Listeners, reading: &Reading<'_>, report: &mut Report) -> Option<Arc<Fault>> {
    let (Ok(protocol), Ok(port), Ok(hostname)) = (&reading.protocol, &reading.port, &reading.hostname) else { return None };
    if !world.context.is_standalone() {
        return None;
    }
    let (field, cause) = free(listeners, *port, *protocol, hostname.as_ref()).err()?;
    Some(report.error(&reading.at.field(field), cause))
}

fn protocol(text: &str) -> Result<Protocol, FaultCause> {
    match text {
        "HTTP" => Ok(Protocol::Http),
        "HTTPS" => Ok(Protocol::Https),
        "TLS" | "TCP" | "UDP" => Err(FaultCause::NotHere { what: format!("listeners of protocol {text} are not served").into() }),
        other => {
            let allowed: Vec<Arc<str>> = vec!["HTTP".into(), "HTTPS".into()];
            let nearest = cause::nearest(other, allowed.iter().map(|name| &**name));
            Err(FaultCause::ValueUnknown { allowed, nearest })
        }
    }
}

/// Whether no earlier listener holds the port and host already.
fn free(
    listeners: &Listeners,
    port: u16,
    protocol: Protocol,
    hostname: Option<&HostPattern>,
) -> Result<(), (&'static str, FaultCause)> {
    for other in listeners.served.values().filter(|other| other.port == port) {
        let conflict =
            |what: &str| FaultCause::Conflict { other: Some(ObjectRef::new(KIND, other.id.gateway.clone())), what: what.into() };
        if other.protocol != protocol {
            return Err(("protocol", conflict("port with another protocol")));
        }
        if other.hostname.as_ref() == hostname {
            return Err(("port", conflict("port and hostname")));
        }
    }
    Ok(())
}
