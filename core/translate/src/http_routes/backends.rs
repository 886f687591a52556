//! Where the requests of a rule go. A backend that cannot be used answers for its share.

use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName};
use gateway_api::apis::standard::httproutes as api;
use ir::{Backend, Part, ServiceId, WeightedService};

use super::filters::{self, OfBackend};
use crate::backends::Gathered;
use crate::grants::{Referrer, Target};
use crate::report::Report;
use crate::world::{World, target};

/// The backends of a rule, by weight; closed where none can take a request.
pub(super) fn translate(
    world: &World<'_>,
    references: &[api::HttpRouteRulesBackendRefs],
    (own, at): (&ObjectName, &FieldPath),
    report: &mut Report,
    gathered: &mut Gathered,
) -> Part<Backend> {
    if references.is_empty() {
        return Part::Broken(none(at, report));
    }
    let mut shares = Vec::new();
    for (index, reference) in references.iter().enumerate() {
        let at = at.index(index);
        let service = service(world, reference, own, gathered).map_err(|(field, cause)| report.error(&at.field(field), cause));
        let changed = filters::of_backend(reference.filters.as_deref().unwrap_or_default(), &at.field("filters"), report);
        let weight = reference.weight.map_or(1, |weight| u32::try_from(weight).unwrap_or(0));
        let (service, OfBackend { request, response }) = match (service, changed) {
            (Ok(service), Ok(changed)) => (Part::Ready(service), changed),
            (Err(fault), _) | (_, Err(fault)) => (Part::Broken(fault), OfBackend::default()),
        };
        shares.push(WeightedService { service, weight, request_headers: request, response_headers: response });
    }
    if shares.iter().all(|share| share.weight == 0) {
        let cause = FaultCause::NoEffect { reason: "every weight is 0, so that no backend takes a request".into() };
        report.warn(at, cause.clone());
        return Part::Broken(Arc::new(report.unreported(at, cause)));
    }
    let broken = shares.iter().find_map(|share| share.service.as_result().err().map(Arc::clone));
    match broken {
        Some(fault) if shares.iter().all(|share| share.service.as_result().is_err()) => Part::Broken(fault),
        Some(_) | None => Part::Ready(Backend::Services(shares)),
    }
}

/// A rule without backends is as good as any other, and every request to it is refused.
pub(super) fn none(at: &FieldPath, report: &mut Report) -> Arc<Fault> {
    let cause = FaultCause::FieldMissing { field: "backendRefs".into() };
    report.warn(at, cause.clone());
    Arc::new(report.unreported(at, cause))
}

fn service(
    world: &World<'_>,
    reference: &api::HttpRouteRulesBackendRefs,
    own: &ObjectName,
    gathered: &mut Gathered,
) -> Result<ServiceId, (&'static str, FaultCause)> {
    let group = reference.group.as_deref().unwrap_or_default();
    let kind = reference.kind.as_deref().unwrap_or(Target::Service.kind());
    if !group.is_empty() || kind != Target::Service.kind() {
        let kind = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        return Err(("kind", FaultCause::KindNotServed { kind: kind.into(), expected: Target::Service.kind().into() }));
    }
    let name = target(&reference.name, reference.namespace.as_ref(), own);
    world.grants.check(Referrer::HttpRoute, own, Target::Service, &name).map_err(|cause| ("name", cause))?;
    let port = reference.port.ok_or(("name", FaultCause::FieldMissing { field: "port".into() }))?;
    let bound = || FaultCause::OutOfBounds { bound: "must be from 1 to 65535".into() };
    let port = u16::try_from(port).ok().filter(|port| *port > 0).ok_or_else(|| ("port", bound()))?;
    let id = ServiceId { name, port };
    gathered.services.resolve_fields(world, id, &mut gathered.faults)
}
