//! The certificates of Ingresses, and the listener that shows them.

use std::collections::BTreeSet;
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName, ObjectRef};
use crds::standard::Ingress;
use ir::{Certificate, CertificateId, HostPattern, Listener, ListenerId, Part, Protocol, Route, RouteKind};
use k8s_openapi::api::networking::v1::IngressSpec;

use super::{KIND, class};
use crate::attach;
use crate::certificates;
use crate::gateways::{self, Admission, Listeners};
use crate::parse;
use crate::report::Report;
use crate::world::World;

/// The name of the listener that shows the certificates of Ingresses. No listener of a Gateway has
/// a name with a capital letter.
pub const TLS: &str = "ingress-TLS";

/// Its port: the implicit Gateway of files keeps to ports that need no privileges.
fn port(gateway: &ObjectName, world: &World<'_>) -> u16 {
    let is_implicit = world.gateways.is_empty() && *gateway == gateways::implicit();
    if is_implicit && world.context.is_standalone() { 8443 } else { 443 }
}

/// Adds the listener for the certificates of all Ingresses to the default Gateway. A listener of
/// the Gateway's own that takes every host at that port shows them too, instead.
pub(crate) fn listen(world: &World<'_>, listeners: &mut Listeners, faults: &mut Vec<Fault>) {
    let Ok(gateway) = attach::default_gateway(world) else { return };
    let mut shown: Vec<CertificateId> = Vec::new();
    let mut asking: Vec<&ObjectName> = Vec::new();
    for (name, written) in &world.manifests.ingresses {
        let (Some(object), true) = (written.value(), class::is_ours(world, written)) else { continue };
        let mut report = Report::new(KIND, name);
        for certificate in of_object(world, name, object, &mut report) {
            if !shown.contains(&certificate.id) {
                shown.push(certificate.id.clone());
            }
            listeners.certificates.entry(certificate.id.clone()).or_insert_with(|| Arc::new(certificate));
            asking.push(name);
        }
        report.finish(faults);
    }
    if shown.is_empty() || listeners.of(&gateway).next().is_none() {
        return;
    }
    let port = port(&gateway, world);
    let beside = listeners.of(&gateway).find(|other| other.port == port && other.hostname.is_none());
    match beside.map(|other| (other.id.clone(), other.protocol)) {
        Some((id, Protocol::Https)) => {
            if let Some(Listener { certificates: Part::Ready(own), .. }) = listeners.served.get_mut(&id) {
                shown.retain(|id| !own.contains(id));
                own.extend(shown);
            }
        }
        Some((_, Protocol::Http)) => {
            for name in asking {
                let other = Some(ObjectRef::new(gateways::KIND, gateway.clone()));
                let cause = FaultCause::Conflict { other, what: format!("port {port} for HTTP").into() };
                faults.push(Fault::error(ObjectRef::new(KIND, name.clone()), FieldPath::of("spec.tls"), cause));
            }
        }
        None => {
            let id = ListenerId { gateway, name: TLS.into() };
            let certificates = Part::Ready(shown);
            let listener = Listener { id, port, protocol: Protocol::Https, hostname: None, certificates };
            listeners.add(listener, Admission { namespaces: None, kinds: BTreeSet::from([RouteKind::Ingress]) });
        }
    }
}

/// The certificates that an Ingress brings, less those that cannot be used.
fn of_object(world: &World<'_>, name: &ObjectName, object: &Ingress, report: &mut Report) -> Vec<Certificate> {
    let mut found = Vec::new();
    for (index, entry) in object.spec.iter().flat_map(|spec| spec.tls.iter().flatten()).enumerate() {
        let at = FieldPath::of("spec.tls").index(index);
        let Some(secret) = entry.secret_name.as_deref().filter(|name| !name.is_empty()) else {
            report.error(&at, FaultCause::FieldMissing { field: "secretName".into() });
            continue;
        };
        let secret = ObjectName { namespace: Arc::clone(&name.namespace), name: secret.into() };
        match certificates::of_secret(world, secret) {
            Ok(certificate) => found.extend(certificate),
            Err(cause) => drop(report.error(&at.field("secretName"), cause)),
        }
    }
    found
}

/// Takes the routes of hosts that an Ingress brings no certificate for off the listener.
pub(super) fn restrict(spec: &IngressSpec, routes: &mut [Route]) {
    let is_covered = |host: Option<&HostPattern>| {
        spec.tls.iter().flatten().map(|entry| entry.hosts.as_deref().unwrap_or_default()).any(|hosts| {
            hosts.is_empty() || hosts.iter().any(|text| host.is_some_and(|host| covers(parse::host(text).ok().as_ref(), host)))
        })
    };
    for route in routes.iter_mut().filter(|route| !is_covered(route.hostnames.first())) {
        route.listeners.retain(|listener| *listener.name != *TLS);
    }
}

/// Whether a host that a certificate is for is, or takes, the host of a rule.
fn covers(certified: Option<&HostPattern>, host: &HostPattern) -> bool {
    match (certified, host) {
        (Some(certified), HostPattern::Exact(name)) => certified.matches(name),
        (Some(certified), HostPattern::Wildcard(_)) => certified == host,
        (None, _) => false,
    }
}
