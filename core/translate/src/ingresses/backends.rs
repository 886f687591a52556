//! Where the requests of an Ingress go.

use std::sync::Arc;

use cause::{FaultCause, FieldPath, ObjectName, ObjectRef};
use ir::{Backend, Part, ServiceId, WeightedService};
use k8s_openapi::api::networking::v1::{IngressBackend, IngressServiceBackend};

use crate::backends::{Gathered, assumed};
use crate::report::Report;
use crate::world::{Found, World};

/// The Service of a backend, or why its requests are refused.
pub(super) fn translate(
    world: &World<'_>,
    written: &IngressBackend,
    (own, at): (&ObjectName, &FieldPath),
    report: &mut Report,
    gathered: &mut Gathered,
) -> Part<Backend> {
    let found = match (&written.service, &written.resource) {
        (Some(service), None) => {
            let at = at.field("service");
            service_id(world, service, own, gathered).map_err(|(field, cause)| report.error(&at.field(field), cause))
        }
        (_, Some(resource)) => {
            let group = resource.api_group.as_deref().unwrap_or_default();
            let kind = if group.is_empty() { resource.kind.clone() } else { format!("{}.{group}", resource.kind) };
            let cause = FaultCause::KindNotServed { kind: kind.into(), expected: "Service".into() };
            Err(report.error(&at.field("resource").field("kind"), cause))
        }
        (None, None) => Err(report.error(at, FaultCause::FieldMissing { field: "service".into() })),
    };
    match found {
        Ok(id) => Part::Ready(Backend::Services(vec![WeightedService {
            service: Part::Ready(id),
            weight: 1,
            request_headers: None,
            response_headers: None,
        }])),
        Err(fault) => Part::Broken(fault),
    }
}

fn service_id(
    world: &World<'_>,
    written: &IngressServiceBackend,
    own: &ObjectName,
    gathered: &mut Gathered,
) -> Result<ServiceId, (&'static str, FaultCause)> {
    let name = ObjectName { namespace: Arc::clone(&own.namespace), name: written.name.as_str().into() };
    let port = written.port.as_ref();
    let port = match (port.and_then(|port| port.number), port.and_then(|port| port.name.as_deref())) {
        (Some(number), _) => u16::try_from(number)
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| ("port", FaultCause::OutOfBounds { bound: "must be from 1 to 65535".into() }))?,
        (None, Some(text)) => named(world, &name, text)?,
        (None, None) => return Err(("name", FaultCause::FieldMissing { field: "port".into() })),
    };
    let id = ServiceId { name, port };
    gathered.services.resolve_fields(world, id, &mut gathered.faults)
}

/// The number of a Service's port that is given by name.
fn named(world: &World<'_>, name: &ObjectName, port: &str) -> Result<u16, (&'static str, FaultCause)> {
    let target = || ObjectRef::new("Service", name.clone());
    let found = world
        .find(&world.manifests.services, "Service", name)
        .map_err(|missing| ("name", missing.into_cause_as(target(), FaultCause::BackendNotFound)))?;
    let Found::Here(service) = found else { return Err(("name", assumed("Service", name))) };
    let ports = || service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
    let number = ports().find(|known| known.name.as_deref() == Some(port)).and_then(|known| u16::try_from(known.port).ok());
    number.ok_or_else(|| {
        let known = ports().filter_map(|known| known.name.as_deref()).map(Arc::from).collect();
        ("port", FaultCause::PortNotFound { service: target(), port: port.into(), known })
    })
}
