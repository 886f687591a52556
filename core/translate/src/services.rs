//! Services: from a name and a port to addresses.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectRef, Syntax};
use crds::standard::{EndpointSlice, Service};
use ir::{Endpoint, ServiceId, SharedMap};
use k8s_openapi::api::core::v1::ServicePort;
use k8s_openapi::api::discovery::v1::EndpointPort;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::manifests::Written;
use crate::memory;
use crate::parse;
use crate::reach;
use crate::rehearsal::Rehearsal;
use crate::report::Report;
use crate::world::{Found, SERVICE_NAME, World};

const H2C: &str = "kubernetes.io/h2c";

/// The Services that something refers to, each resolved once.
#[derive(Debug, Default)]
pub(crate) struct Services {
    resolved: BTreeMap<ServiceId, Result<Arc<ir::Service>, FaultCause>>,
    /// What was asked for, in order, and what came of it.
    log: memory::Services,
}

impl Services {
    /// Resolves a port of a Service. Faults of the Service itself go to `faults`; the error is
    /// what is wrong with the reference.
    pub(crate) fn resolve(&mut self, world: &World<'_>, id: &ServiceId, faults: &mut Vec<Fault>) -> Result<(), FaultCause> {
        let result = self.resolved(world, id, faults).map_or_else(|cause| Err(cause.clone()), |_| Ok(()));
        self.log.push((id.clone(), result.clone()));
        result
    }

    /// As [`Self::resolve`], for references that name Service and port apart: with the field that is wrong.
    pub(crate) fn resolve_fields(
        &mut self,
        world: &World<'_>,
        id: ServiceId,
        faults: &mut Vec<Fault>,
    ) -> Result<ServiceId, (&'static str, FaultCause)> {
        match self.resolve(world, &id, faults) {
            Ok(()) => Ok(id),
            Err(cause @ FaultCause::PortNotFound { .. }) => Err(("port", cause)),
            Err(cause) => Err(("name", cause)),
        }
    }

    /// Whether resolving a port comes to this.
    pub(crate) fn is(
        &mut self,
        world: &World<'_>,
        id: &ServiceId,
        expected: &Result<(), FaultCause>,
        faults: &mut Vec<Fault>,
    ) -> bool {
        match (self.resolved(world, id, faults), expected) {
            (Ok(_), Ok(())) => true,
            (Err(cause), Err(expected)) => cause == expected,
            (Ok(_), Err(_)) | (Err(_), Ok(())) => false,
        }
    }

    fn resolved(&mut self, world: &World<'_>, id: &ServiceId, faults: &mut Vec<Fault>) -> Result<&Arc<ir::Service>, &FaultCause> {
        if !self.resolved.contains_key(id) {
            let service = resolve(world, id, faults).map(Arc::new);
            self.resolved.insert(id.clone(), service);
        }
        match self.resolved.get(id) {
            Some(resolved) => resolved.as_ref(),
            None => Err(&FaultCause::RouteBroken),
        }
    }

    /// What was asked for since the last call.
    pub(crate) fn take_log(&mut self) -> memory::Services {
        std::mem::take(&mut self.log)
    }

    /// Those that could be resolved.
    pub(crate) fn finish(self) -> SharedMap<ServiceId, Arc<ir::Service>> {
        self.resolved.into_iter().filter_map(|(id, service)| Some((id, service.ok()?))).collect()
    }
}

fn resolve(world: &World<'_>, id: &ServiceId, faults: &mut Vec<Fault>) -> Result<ir::Service, FaultCause> {
    let target = || ObjectRef::new("Service", id.name.clone());
    if let Some(Written::Broken(found, tree)) = world.manifests.services.get(&id.name)
        && let Some(rehearsal) = Rehearsal::<Service>::new(tree, found)
        && let Some(name) = external_name(&rehearsal.object)
    {
        let mut report = Report::new("Service", &id.name);
        let _closed = external(world, id, name, &rehearsal.object, &mut report);
        rehearsal.finish(report, faults);
    }
    let found = world
        .find(&world.manifests.services, "Service", &id.name)
        .map_err(|missing| missing.into_cause_as(target(), FaultCause::BackendNotFound))?;
    let service = match found {
        Found::Here(service) => service,
        Found::Assumed => return Ok(ir::Service { id: id.clone(), endpoints: Vec::new(), http2: false }),
    };
    let mut report = Report::new("Service", &id.name);
    let resolved = match external_name(service) {
        Some(name) => external(world, id, name, service, &mut report),
        None => match port_of(service, id.port) {
            Some(port) => Ok(from_slices(world, id, port, &mut report, faults)),
            None => {
                Err(FaultCause::PortNotFound { service: target(), port: id.port.to_string().into(), known: known_ports(service) })
            }
        },
    };
    report.finish(faults);
    resolved
}

fn external_name(service: &Service) -> Option<&str> {
    service.spec.as_ref()?.external_name.as_deref().filter(|name| !name.is_empty())
}

/// A Service that is a name somewhere else; the port that the backend names is used as it is.
fn external(
    world: &World<'_>,
    id: &ServiceId,
    name: &str,
    service: &Service,
    report: &mut Report,
) -> Result<ir::Service, FaultCause> {
    let at = FieldPath::of("spec.externalName");
    reach::warn(world, name.trim_end_matches('.'), &at, report);
    let endpoint = match name.parse::<IpAddr>() {
        Ok(address) => Endpoint::Name(address.to_string().into(), id.port),
        Err(_) => match parse::exact_host(name.trim_end_matches('.')) {
            Ok(host) => Endpoint::Name(host, id.port),
            Err(cause) => {
                report.error(&at, cause);
                return Err(FaultCause::ReferenceBroken { target: ObjectRef::new("Service", id.name.clone()) });
            }
        },
    };
    let protocol = port_of(service, id.port).and_then(|port| port.app_protocol.as_deref());
    Ok(ir::Service { id: id.clone(), endpoints: vec![endpoint], http2: protocol == Some(H2C) })
}

fn ports(service: &Service) -> impl Iterator<Item = &ServicePort> {
    service
        .spec
        .iter()
        .flat_map(|spec| spec.ports.iter().flatten())
        .filter(|port| port.protocol.as_deref().is_none_or(|protocol| protocol == "TCP"))
}

fn port_of(service: &Service, number: u16) -> Option<&ServicePort> {
    ports(service).find(|port| port.port == i32::from(number))
}

fn known_ports(service: &Service) -> Vec<Arc<str>> {
    ports(service).map(|port| port.port.to_string().into()).collect()
}

fn from_slices(
    world: &World<'_>,
    id: &ServiceId,
    port: &ServicePort,
    report: &mut Report,
    faults: &mut Vec<Fault>,
) -> ir::Service {
    let mut service = ir::Service { id: id.clone(), endpoints: Vec::new(), http2: port.app_protocol.as_deref() == Some(H2C) };
    let slices = world.slices_of(&id.name);
    for (name, slice) in slices {
        let Some((number, protocol)) = slice_port(slice, port) else { continue };
        service.http2 |= protocol == Some(H2C);
        let mut slice_report = Report::new("EndpointSlice", name);
        endpoints(slice, number, &mut service.endpoints, &mut slice_report);
        slice_report.finish(faults);
    }
    service.endpoints.sort_unstable();
    service.endpoints.dedup();
    if service.endpoints.is_empty() && world.context.is_standalone() {
        let reason = if !slices.is_empty() {
            format!("no EndpointSlice of this Service names a ready address for port {}", id.port)
        } else {
            format!("no EndpointSlice has label `{SERVICE_NAME}: {}`, so that port {} has no address", id.name.name, id.port)
        };
        report.warn(&FieldPath::of("spec"), FaultCause::NoEffect { reason: reason.into() });
    }
    service
}

/// The port of a slice that a Service's port means: by the Service port's name, as Kubernetes
/// does, or else by its target.
fn slice_port<'a>(slice: &'a EndpointSlice, port: &ServicePort) -> Option<(u16, Option<&'a str>)> {
    let mine = |candidate: &&EndpointPort| candidate.protocol.as_deref().is_none_or(|protocol| protocol == "TCP");
    let candidates = || slice.ports.iter().flatten().filter(mine);
    let wanted = port.name.as_deref().unwrap_or_default();
    let target = match &port.target_port {
        None => Some(port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(_)) => None,
    };
    let target_name = match &port.target_port {
        Some(IntOrString::String(name)) => Some(name.as_str()),
        Some(IntOrString::Int(_)) | None => None,
    };
    let found = candidates().find(|candidate| candidate.name.as_deref().unwrap_or_default() == wanted).or_else(|| {
        candidates().find(|candidate| {
            (target.is_some() && candidate.port == target) || (target_name.is_some() && candidate.name.as_deref() == target_name)
        })
    })?;
    // A slice's port without a number leaves it to the Service.
    let number = found.port.or(target)?;
    Some((u16::try_from(number).ok().filter(|&number| number > 0)?, found.app_protocol.as_deref()))
}

/// The addresses of ready endpoints; readiness that is not told counts as ready.
fn endpoints(slice: &EndpointSlice, port: u16, found: &mut Vec<Endpoint>, report: &mut Report) {
    for (index, endpoint) in slice.endpoints.iter().flatten().enumerate() {
        if endpoint.conditions.as_ref().and_then(|conditions| conditions.ready) == Some(false) {
            continue;
        }
        for (place, address) in endpoint.addresses.iter().enumerate() {
            let named = slice.address_type == "FQDN";
            let parsed = if named {
                parse::exact_host(address.trim_end_matches('.')).map(|host| Endpoint::Name(host, port))
            } else {
                address
                    .parse::<IpAddr>()
                    .map(|address| Endpoint::Address(SocketAddr::new(address, port)))
                    .map_err(|_| FaultCause::Malformed { syntax: Syntax::Network, suggestion: None })
            };
            match parsed {
                Ok(endpoint) => found.push(endpoint),
                Err(cause) => {
                    report.error(&FieldPath::of("endpoints").index(index).field("addresses").index(place), cause);
                }
            }
        }
    }
}
