//! What answers the calls of a version.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName, ObjectRef};
use crds::v1alpha1 as written;
use ir::{Backend, FixedResponse, ModelId, Part, Redirect, Roots, RouteId, Scheme, ServiceId, UrlBackend, WeightedService};

use crate::grants::{Referrer, Target};
use crate::judging::{Conflicts, Parents};
use crate::models::Models;
use crate::parse;
use crate::reach;
use crate::report::Report;
use crate::secrets::{Text, config_map_text, holds_certificates, secret_text};
use crate::services::Services;
use crate::traffic;
use crate::world::{World, target};

/// What backends of all routes gather.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) services: Services,
    pub(crate) models: Models,
    pub(crate) faults: Vec<Fault>,
    /// What Gateways say of routes.
    pub(crate) parents: Parents,
    /// Routes that claim what others do.
    pub(crate) conflicts: BTreeMap<RouteId, Conflicts>,
}

/// What answers a version's calls, or the fault that closes this version alone.
pub(crate) fn translate(
    world: &World<'_>,
    backend: &written::RouteBackend,
    place: (&ObjectName, &FieldPath),
    report: &mut Report,
    gathered: &mut Gathered,
) -> Part<Backend> {
    let (own, at) = place;
    if let Some(references) = &backend.services {
        return services(world, references, (own, &at.field("services")), report, gathered);
    }
    if let Some(models) = &backend.models {
        return match gathered.models.select(world, models, (own, &at.field("models")), report) {
            Ok(models) => Part::Ready(Backend::Models(models)),
            Err(fault) => Part::Broken(fault),
        };
    }
    let built = if let Some(text) = &backend.url {
        url(world, text, backend.tls.as_ref(), (own, at), report).map(Backend::Url)
    } else if let Some(answer) = &backend.response {
        response(answer, &at.field("response"), report).map(Backend::Response)
    } else if let Some(target) = &backend.redirect {
        redirect(target, &at.field("redirect"), report).map(Backend::Redirect)
    } else {
        let message = "backend must have exactly one of `services`, `url`, `models`, `response` and `redirect`";
        Err(report.error(at, FaultCause::RuleViolated { message: message.into() }))
    };
    match built {
        Ok(backend) => Part::Ready(backend),
        Err(fault) => Part::Broken(fault),
    }
}

fn services(
    world: &World<'_>,
    references: &[written::ServiceRef],
    (own, at): (&ObjectName, &FieldPath),
    report: &mut Report,
    gathered: &mut Gathered,
) -> Part<Backend> {
    let mut shares = Vec::new();
    for (index, reference) in references.iter().enumerate() {
        let at = at.index(index);
        let service = match service(world, reference, own, gathered) {
            Ok(id) => Part::Ready(id),
            Err(cause) => {
                let field = if matches!(cause, FaultCause::PortNotFound { .. }) { "port" } else { "name" };
                Part::Broken(report.error(&at.field(field), cause))
            }
        };
        let weight = reference.weight.map_or(1, |weight| u32::try_from(weight).unwrap_or(0));
        shares.push(WeightedService { service, weight, request_headers: None, response_headers: None });
    }
    if shares.iter().all(|share| share.weight == 0) {
        report.warn(at, FaultCause::NoEffect { reason: "every weight is 0, so that no Service takes a call".into() });
    }
    let broken = shares.iter().find_map(|share| share.service.as_result().err().map(Arc::clone));
    let serves = shares.iter().any(|share| share.service.as_result().is_ok());
    match broken {
        Some(fault) if !serves => Part::Broken(fault),
        Some(_) | None => Part::Ready(Backend::Services(shares)),
    }
}

fn service(
    world: &World<'_>,
    reference: &written::ServiceRef,
    own: &ObjectName,
    gathered: &mut Gathered,
) -> Result<ServiceId, FaultCause> {
    let name = target(&reference.name, reference.namespace.as_ref(), own);
    world.grants.check(Referrer::ApiRoute, own, Target::Service, &name)?;
    let port = u16::try_from(reference.port).map_err(|_| FaultCause::OutOfBounds { bound: "must be from 1 to 65535".into() })?;
    let id = ServiceId { name, port };
    gathered.services.resolve(world, &id, &mut gathered.faults)?;
    Ok(id)
}

/// A URL and whom to trust there.
pub(crate) fn url(
    world: &World<'_>,
    text: &str,
    tls: Option<&written::BackendTls>,
    (own, at): (&ObjectName, &FieldPath),
    report: &mut Report,
) -> Result<UrlBackend, Arc<Fault>> {
    let parsed = parse::url(text).map_err(|cause| report.error(&at.field("url"), cause));
    let roots = tls.map_or(Ok(Roots::System), |tls| roots(world, tls, (own, &at.field("tls")), report));
    if let Ok(url) = &parsed {
        reach::warn(world, &url.host, &at.field("url"), report);
    }
    let (url, roots) = (parsed?, roots?);
    if tls.is_some() && url.scheme == Scheme::Http {
        report
            .warn(&at.field("tls"), FaultCause::NoEffect { reason: "the URL is http, where no certificate is looked at".into() });
    }
    Ok(UrlBackend { scheme: url.scheme, host: url.host, port: url.port, path: url.path, roots })
}

/// The certificate authorities of all references together.
fn roots(
    world: &World<'_>,
    tls: &written::BackendTls,
    (own, at): (&ObjectName, &FieldPath),
    report: &mut Report,
) -> Result<Roots, Arc<Fault>> {
    let mut pem = String::new();
    let mut closing = None;
    for (index, reference) in tls.ca_certificate_refs.iter().enumerate() {
        let at = at.field("caCertificateRefs").index(index);
        let name = target(&reference.name, None, own);
        let key = reference.key.as_deref().unwrap_or("ca.crt");
        let kind = match reference.kind {
            None | Some(written::CaKind::ConfigMap) => "ConfigMap",
            Some(written::CaKind::Secret) => "Secret",
        };
        let read = match reference.kind {
            None | Some(written::CaKind::ConfigMap) => config_map_text(world, &name, key),
            Some(written::CaKind::Secret) => secret_text(world, &name, key),
        };
        let text = match read {
            Ok(Text::Known(text)) => text,
            Ok(Text::Assumed) => {
                closing.get_or_insert_with(|| Arc::new(report.unreported(&at, assumed(kind, &name))));
                continue;
            }
            Err(cause) => {
                let fault = report.error(&at, cause);
                closing.get_or_insert(fault);
                continue;
            }
        };
        if let Err(reason) = holds_certificates(&text) {
            let cause = FaultCause::CertificateInvalid {
                target: ObjectRef::new(kind, name),
                reason: format!("`{key}`: {reason}").into(),
            };
            let fault = report.error(&at, cause);
            closing.get_or_insert(fault);
        }
        pem.push_str(&text);
        pem.push('\n');
    }
    closing.map_or_else(|| Ok(Roots::Given(pem.into())), Err)
}

/// Why something closes whose content is said to exist elsewhere.
pub(crate) fn assumed(kind: &str, name: &ObjectName) -> FaultCause {
    FaultCause::NotHere { what: format!("{kind} {name} is assumed to exist; its content is not known here").into() }
}

fn response(written: &written::FixedResponse, at: &FieldPath, report: &mut Report) -> Result<FixedResponse, Arc<Fault>> {
    let status = written.status.map_or(Ok(200), |status| {
        u16::try_from(status)
            .ok()
            .filter(|status| (200..=599).contains(status))
            .ok_or_else(|| report.error(&at.field("status"), FaultCause::OutOfBounds { bound: "must be from 200 to 599".into() }))
    });
    let headers = traffic::fields(written.headers.as_ref(), &at.field("headers"), report);
    let (status, headers) = (status?, headers?);
    let body = written.body.as_deref().unwrap_or_default();
    if matches!(status, 204 | 205 | 304) && !body.is_empty() {
        let message = format!("an answer with status {status} has no body");
        return Err(report.error(&at.field("body"), FaultCause::RuleViolated { message: message.into() }));
    }
    Ok(FixedResponse { status, headers, body: body.into() })
}

fn redirect(written: &written::Redirect, at: &FieldPath, report: &mut Report) -> Result<Redirect, Arc<Fault>> {
    if written.scheme.is_none() && written.hostname.is_none() && written.port.is_none() && written.path.is_none() {
        let message = "a redirect must change the scheme, hostname, port or path; this one leads back to itself";
        return Err(report.error(at, FaultCause::RuleViolated { message: message.into() }));
    }
    let hostname = written
        .hostname
        .as_ref()
        .map(|text| parse::exact_host(text).map_err(|cause| report.error(&at.field("hostname"), cause)))
        .transpose();
    let path = written.path.as_ref().map(|path| traffic::rewrite(path, &at.field("path"), report)).transpose();
    let bounded = |number: i32, from: u16, to: u16| u16::try_from(number).ok().filter(|number| (from..=to).contains(number));
    let port = written.port.map(|port| bounded(port, 1, u16::MAX).ok_or("must be from 1 to 65535")).transpose();
    let port = port.map_err(|bound| report.error(&at.field("port"), FaultCause::OutOfBounds { bound: bound.into() }));
    let status = written.status_code.unwrap_or(302);
    let status = match bounded(status, 301, 308) {
        Some(status @ (301 | 302 | 303 | 307 | 308)) => Ok(status),
        Some(_) | None => {
            let bound = "must be 301, 302, 303, 307 or 308".into();
            Err(report.error(&at.field("statusCode"), FaultCause::OutOfBounds { bound }))
        }
    };
    let scheme = written.scheme.map(|scheme| match scheme {
        written::RedirectScheme::Http => Scheme::Http,
        written::RedirectScheme::Https => Scheme::Https,
    });
    Ok(Redirect { scheme, hostname: hostname?, port: port?, path: path?, status: status? })
}

/// The models of a backend by name, for whoever gathers them.
pub(crate) type Selected = Result<Vec<ModelId>, Arc<Fault>>;
