//! Gateways: where requests come in, and which routes each listener admits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName, ObjectRef};
use crds::standard::Gateway;
use gateway_api::apis::standard::gateways as api;
use ir::{Certificate, CertificateId, HostPattern, Listener, ListenerId, Part, Protocol};

use crate::certificates;
use crate::manifests::Written;
use crate::parse;
use crate::rehearsal::Rehearsal;
use crate::report::Report;
use crate::world::{Labels, World};

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
    admissions: BTreeMap<ListenerId, Admission>,
}

/// Which routes a listener admits.
#[derive(Debug)]
struct Admission {
    /// Of these namespaces; `None` is all.
    namespaces: Option<BTreeSet<Arc<str>>>,
    /// Whether ApiRoutes are among its kinds.
    api_routes: bool,
}

impl Listeners {
    /// The listeners of one Gateway.
    pub(crate) fn of<'a>(&'a self, gateway: &'a ObjectName) -> impl Iterator<Item = &'a Listener> {
        self.served.values().filter(move |listener| listener.id.gateway == *gateway)
    }

    /// Whether a listener admits ApiRoutes of a namespace.
    pub(crate) fn admits(&self, listener: &ListenerId, namespace: &str) -> bool {
        self.admissions.get(listener).is_some_and(|admission| {
            admission.api_routes && admission.namespaces.as_ref().is_none_or(|admitted| admitted.contains(namespace))
        })
    }

    fn add(&mut self, listener: Listener, admission: Admission) {
        self.admissions.insert(listener.id.clone(), admission);
        self.served.insert(listener.id.clone(), listener);
    }
}

/// The listeners of all Gateways; the implicit one where no manifest has any.
pub(crate) fn translate(world: &World<'_>, faults: &mut Vec<Fault>) -> Listeners {
    let mut listeners = Listeners::default();
    if world.manifests.gateways.is_empty() {
        let id = ListenerId { gateway: implicit(), name: IMPLICIT.2.into() };
        let certificates = Part::Ready(Vec::new());
        let listener = Listener { id, port: IMPLICIT.3, protocol: Protocol::Http, hostname: None, certificates };
        listeners.add(listener, Admission { namespaces: None, api_routes: true });
        return listeners;
    }
    for (name, written) in &world.manifests.gateways {
        match written {
            Written::Broken(found, tree) => {
                let Some(rehearsal) = Rehearsal::<Gateway>::new(tree, found) else { continue };
                let mut report = Report::new(KIND, name);
                all(world, (name, &rehearsal.object), &mut report, &mut Listeners::default());
                rehearsal.finish(report, faults);
            }
            Written::Good(gateway) | Written::LastGood(gateway, _) => {
                let mut report = Report::new(KIND, name);
                all(world, (name, gateway), &mut report, &mut listeners);
                report.finish(faults);
            }
        }
    }
    listeners
}

/// The listeners of one Gateway, and what it asks for beside them.
fn all(world: &World<'_>, (name, gateway): (&ObjectName, &Gateway), report: &mut Report, listeners: &mut Listeners) {
    whole(gateway, report);
    for (index, listener) in gateway.spec.listeners.iter().enumerate() {
        one(world, (name, gateway), index, report, listeners);
        if let Some(twice) = gateway.spec.listeners.iter().take(index).find(|other| other.name == listener.name) {
            let at = FieldPath::of("spec.listeners").index(index).field("name");
            report.error(&at, FaultCause::ItemDuplicate { key: twice.name.as_str().into() });
        }
    }
}

/// What a Gateway asks for beside its listeners, and is not served here.
fn whole(gateway: &Gateway, report: &mut Report) {
    let at = FieldPath::of("spec");
    let mut not_here = |field: &str, what: &str| report.warn(&at.field(field), FaultCause::NotHere { what: what.into() });
    if gateway.spec.addresses.is_some() {
        not_here("addresses", "addresses are not chosen here; listeners bind where the command line says");
    }
    if gateway.spec.allowed_listeners.is_some() {
        not_here("allowedListeners", "ListenerSets are not served");
    }
}

/// One listener, unless it cannot be served.
fn one(world: &World<'_>, gateway: (&ObjectName, &Gateway), index: usize, report: &mut Report, listeners: &mut Listeners) {
    let Some(written) = gateway.1.spec.listeners.get(index) else { return };
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
    let admission = admission(world, &gateway.0.namespace, written.allowed_routes.as_ref(), &at, report);
    let (Ok(protocol), Ok(port), Ok(hostname)) = (protocol, port, hostname) else { return };
    let certificates = match protocol {
        Protocol::Http => {
            if written.tls.is_some() {
                let reason = "the protocol is HTTP, where no certificate is shown".into();
                report.warn(&at.field("tls"), FaultCause::NoEffect { reason });
            }
            Part::Ready(Vec::new())
        }
        Protocol::Https => certificates::of_listener(world, gateway, written, (&at, report), &mut listeners.certificates),
    };
    let id = ListenerId { gateway: gateway.0.clone(), name: written.name.as_str().into() };
    if listeners.served.contains_key(&id) {
        return;
    }
    if let Err((field, cause)) = free(listeners, port, protocol, hostname.as_ref()) {
        report.error(&at.field(field), cause);
        return;
    }
    listeners.add(Listener { id, port, protocol, hostname, certificates }, admission);
}

fn protocol(text: &str) -> Result<Protocol, FaultCause> {
    match text {
        "HTTP" => Ok(Protocol::Http),
        "HTTPS" => Ok(Protocol::Https),
        "TLS" | "TCP" | "UDP" => Err(FaultCause::NotHere { what: format!("listeners of protocol {text} are not served").into() }),
        other => {
            let allowed: Vec<Arc<str>> = vec!["HTTP".into(), "HTTPS".into()];
            let nearest = crate::nearest::nearest(other, allowed.iter().map(|name| &**name));
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
            |what: &str| FaultCause::Conflict { other: ObjectRef::new(KIND, other.id.gateway.clone()), what: what.into() };
        if other.protocol != protocol {
            return Err(("protocol", conflict("port with another protocol")));
        }
        if other.hostname.as_ref() == hostname {
            return Err(("port", conflict("port and hostname")));
        }
    }
    Ok(())
}

/// Which routes a listener admits; omitted is those of the Gateway's namespace.
fn admission(
    world: &World<'_>,
    own: &str,
    written: Option<&api::GatewayListenersAllowedRoutes>,
    at: &FieldPath,
    report: &mut Report,
) -> Admission {
    let kinds = written.and_then(|allowed| allowed.kinds.as_deref()).unwrap_or_default();
    let ours =
        |kind: &api::GatewayListenersAllowedRoutesKinds| kind.kind == "ApiRoute" && kind.group.as_deref() == Some(crds::GROUP);
    let namespaces = written.and_then(|allowed| allowed.namespaces.as_ref());
    let only_own = || Some(BTreeSet::from([Arc::from(own)]));
    let namespaces = match namespaces.and_then(|namespaces| namespaces.from.as_ref()) {
        None | Some(api::GatewayListenersAllowedRoutesNamespacesFrom::Same) => only_own(),
        Some(api::GatewayListenersAllowedRoutesNamespacesFrom::All) => None,
        Some(api::GatewayListenersAllowedRoutesNamespacesFrom::Selector) => {
            let Some(selector) = namespaces.and_then(|namespaces| namespaces.selector.as_ref()) else {
                let field = at.field("allowedRoutes").field("namespaces");
                report.error(&field, FaultCause::FieldMissing { field: "selector".into() });
                return Admission { namespaces: Some(BTreeSet::new()), api_routes: false };
            };
            for (index, expression) in selector.match_expressions.iter().flatten().enumerate() {
                if !OPERATORS.contains(&expression.operator.as_str()) {
                    let field = at.field("allowedRoutes").field("namespaces").field("selector").field("matchExpressions");
                    let allowed: Vec<Arc<str>> = OPERATORS.iter().map(|name| Arc::from(*name)).collect();
                    let nearest = crate::nearest::nearest(&expression.operator, OPERATORS);
                    report.error(&field.index(index).field("operator"), FaultCause::ValueUnknown { allowed, nearest });
                }
            }
            Some(world.namespaces_where(|labels| selects(selector, labels)))
        }
    };
    Admission { namespaces, api_routes: kinds.is_empty() || kinds.iter().any(ours) }
}

const OPERATORS: [&str; 4] = ["In", "NotIn", "Exists", "DoesNotExist"];

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
