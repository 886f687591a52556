//! What a rule does to requests and answers. A filter that is not served here closes its rule.

use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath};
use crds::v1alpha1 as written;
use gateway_api::apis::standard::httproutes as api;
use ir::{HeaderChanges, PathRewrite, Redirect, Scheme, Traffic};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::parse;
use crate::report::Report;
use crate::traffic;

/// What all filters of a rule come to.
#[derive(Debug)]
pub(super) struct Shaped {
    pub(super) traffic: Traffic,
    pub(super) redirect: Option<Redirect>,
}

/// What the filters of a rule come to, or the first fault that closes the rule.
pub(super) fn of_rule(filters: &[api::HttpRouteRulesFilters], at: &FieldPath, report: &mut Report) -> Result<Shaped, Arc<Fault>> {
    let mut shaped = Shaped { traffic: Traffic { forward_credential: true, ..traffic::untouched() }, redirect: None };
    let mut closing = None;
    for (index, filter) in filters.iter().enumerate() {
        if let Err(fault) = one(filter, &at.index(index), report, &mut shaped) {
            closing.get_or_insert(fault);
        }
    }
    closing.map_or(Ok(shaped), Err)
}

fn one(filter: &api::HttpRouteRulesFilters, at: &FieldPath, report: &mut Report, shaped: &mut Shaped) -> Result<(), Arc<Fault>> {
    let mut empty = |field: &str| Err(report.error(at, FaultCause::FieldMissing { field: field.into() }));
    match filter.r#type {
        api::HttpRouteRulesFiltersType::RequestHeaderModifier => {
            let Some(changes) = &filter.request_header_modifier else { return empty("requestHeaderModifier") };
            shaped.traffic.request_headers = headers(changes, &at.field("requestHeaderModifier"), report)?;
        }
        api::HttpRouteRulesFiltersType::ResponseHeaderModifier => {
            let Some(changes) = &filter.response_header_modifier else { return empty("responseHeaderModifier") };
            shaped.traffic.response_headers = headers(changes, &at.field("responseHeaderModifier"), report)?;
        }
        api::HttpRouteRulesFiltersType::RequestRedirect => {
            let Some(written) = &filter.request_redirect else { return empty("requestRedirect") };
            shaped.redirect = Some(redirect(written, &at.field("requestRedirect"), report)?);
        }
        api::HttpRouteRulesFiltersType::UrlRewrite => {
            let Some(written) = &filter.url_rewrite else { return empty("urlRewrite") };
            let at = at.field("urlRewrite");
            let hostname = written.hostname.as_ref().map(|text| host(text, &at, report)).transpose();
            let path = written.path.as_ref().map(|path| rewrite(path, &at.field("path"), report)).transpose();
            (shaped.traffic.rewrite_hostname, shaped.traffic.rewrite_path) = (hostname?, path?);
        }
        api::HttpRouteRulesFiltersType::ExtensionRef => return Err(extension(filter.extension_ref.as_ref(), at, report)),
        api::HttpRouteRulesFiltersType::RequestMirror => return Err(unserved("RequestMirror", at, report)),
        api::HttpRouteRulesFiltersType::Cors => return Err(unserved("CORS", at, report)),
    }
    Ok(())
}

/// Changes to the fields of requests to one backend and of its answers.
#[derive(Debug, Default)]
pub(super) struct OfBackend {
    pub(super) request: Option<HeaderChanges>,
    pub(super) response: Option<HeaderChanges>,
}

/// What the filters of a backend come to, or the first fault that closes its share.
pub(super) fn of_backend(
    filters: &[api::HttpRouteRulesBackendRefsFilters],
    at: &FieldPath,
    report: &mut Report,
) -> Result<OfBackend, Arc<Fault>> {
    use api::HttpRouteRulesBackendRefsFiltersType as Type;
    let mut all = OfBackend::default();
    for (index, filter) in filters.iter().enumerate() {
        let at = at.index(index);
        let mut empty = |field: &str| Err(report.error(&at, FaultCause::FieldMissing { field: field.into() }));
        match filter.r#type {
            Type::RequestHeaderModifier => {
                let Some(changes) = &filter.request_header_modifier else { return empty("requestHeaderModifier") };
                all.request = Some(headers(changes, &at.field("requestHeaderModifier"), report)?);
            }
            Type::ResponseHeaderModifier => {
                let Some(changes) = &filter.response_header_modifier else { return empty("responseHeaderModifier") };
                all.response = Some(headers(changes, &at.field("responseHeaderModifier"), report)?);
            }
            Type::RequestMirror => return Err(unserved("RequestMirror", &at, report)),
            Type::RequestRedirect => return Err(unserved("RequestRedirect", &at, report)),
            Type::UrlRewrite => return Err(unserved("URLRewrite", &at, report)),
            Type::ExtensionRef => return Err(unserved("ExtensionRef", &at, report)),
            Type::Cors => return Err(unserved("CORS", &at, report)),
        }
    }
    Ok(all)
}

fn unserved(kind: &str, at: &FieldPath, report: &mut Report) -> Arc<Fault> {
    let what = format!("filters of type {kind} are not served here").into();
    report.error(&at.field("type"), FaultCause::NotHere { what })
}

/// No kind of extension is served; requests must not pass as if there were none.
fn extension(written: Option<&api::HttpRouteRulesFiltersExtensionRef>, at: &FieldPath, report: &mut Report) -> Arc<Fault> {
    let kind = written.map_or("ExtensionRef", |reference| reference.kind.as_str());
    let kind = match written {
        Some(reference) if !reference.group.is_empty() => format!("{kind}.{}", reference.group),
        Some(_) | None => kind.to_owned(),
    };
    let cause = FaultCause::KindNotServed { kind: kind.into(), expected: "filter of another type".into() };
    report.error(&at.field("extensionRef").field("kind"), cause)
}

/// Changes in Gateway API's words, which ours are too.
fn headers(changes: &impl Serialize, at: &FieldPath, report: &mut Report) -> Result<HeaderChanges, Arc<Fault>> {
    let changes: written::HeaderChanges = alike(changes, at, report)?;
    traffic::changes(Some(&changes), at, report)
}

/// The same in the words of our own kinds, whose fields are spelled alike.
fn alike<T: DeserializeOwned>(written: &impl Serialize, at: &FieldPath, report: &mut Report) -> Result<T, Arc<Fault>> {
    let value = serde_json::to_value(written).and_then(serde_json::from_value);
    value.map_err(|_| report.error(at, FaultCause::RouteBroken))
}

fn host(text: &str, at: &FieldPath, report: &mut Report) -> Result<Arc<str>, Arc<Fault>> {
    parse::exact_host(text).map_err(|cause| report.error(&at.field("hostname"), cause))
}

/// What replaces a path; an empty prefix takes the matched one away.
fn rewrite(path: &impl Serialize, at: &FieldPath, report: &mut Report) -> Result<PathRewrite, Arc<Fault>> {
    let path: written::PathRewrite = alike(path, at, report)?;
    let (text, field) = match path.kind {
        written::PathRewriteType::ReplaceFullPath => (&path.replace_full_path, "replaceFullPath"),
        written::PathRewriteType::ReplacePrefixMatch => (&path.replace_prefix_match, "replacePrefixMatch"),
    };
    let Some(text) = text else { return Err(report.error(at, FaultCause::FieldMissing { field: field.into() })) };
    let text = if text.is_empty() { "/" } else { text };
    let parsed = parse::escaped_path(text).map_err(|cause| report.error(&at.field(field), cause))?;
    Ok(match path.kind {
        written::PathRewriteType::ReplaceFullPath => PathRewrite::Full(parsed),
        written::PathRewriteType::ReplacePrefixMatch => PathRewrite::Prefix(parsed),
    })
}

fn redirect(
    written: &api::HttpRouteRulesFiltersRequestRedirect,
    at: &FieldPath,
    report: &mut Report,
) -> Result<Redirect, Arc<Fault>> {
    let hostname = written.hostname.as_ref().map(|text| host(text, at, report)).transpose();
    let path = written.path.as_ref().map(|path| rewrite(path, &at.field("path"), report)).transpose();
    let port = written.port.map(|port| u16::try_from(port).ok().filter(|port| *port > 0).ok_or("must be from 1 to 65535"));
    let mut bound = |field: &str, bound: &str| report.error(&at.field(field), FaultCause::OutOfBounds { bound: bound.into() });
    let port = port.transpose().map_err(|text| bound("port", text));
    let status = match written.status_code {
        None => Ok(302),
        Some(code) => u16::try_from(code)
            .ok()
            .filter(|code| matches!(code, 301 | 302 | 303 | 307 | 308))
            .ok_or_else(|| bound("statusCode", "must be 301, 302, 303, 307 or 308")),
    };
    let scheme = written.scheme.as_ref().map(|scheme| match scheme {
        api::HttpRouteRulesFiltersRequestRedirectScheme::Http => Scheme::Http,
        api::HttpRouteRulesFiltersRequestRedirectScheme::Https => Scheme::Https,
    });
    Ok(Redirect { scheme, hostname: hostname?, port: port?, path: path?, status: status? })
}
