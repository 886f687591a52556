//! `locate`: which route and which version.

use std::borrow::Cow;
use std::sync::Arc;

use cause::{Denial, Framing, Route as RouteCause};
use http::request::Parts;
use ir::RouteKind;
use observe::evidence::{self, Evidence, ShownQuery};
use policy::version::{Chosen, VersionRequest};

use super::Trail;
use super::admit::Context;
use crate::runtime::{Backend, Miss, Offer, Route, Runtime, Serve, Version};

/// Where a request goes.
pub(crate) struct Located<'a> {
    /// The route.
    pub(crate) route: &'a Arc<Route>,
    /// What it serves.
    pub(crate) serve: &'a Serve,
    /// The version.
    pub(crate) version: &'a Version,
    /// What answers.
    pub(crate) backend: &'a Backend,
    /// The host, in lower case without port.
    pub(crate) host: String,
    /// The path in its one normal form, less the segment that names the version: what rules judge is
    /// what the upstream gets.
    pub(crate) path: String,
    /// Bytes of `path` that the route's own path took.
    pub(crate) matched: usize,
}

impl Located<'_> {
    /// What of the path is below the route and its version.
    pub(crate) fn below(&self) -> &str {
        self.path.get(self.matched..).unwrap_or_default()
    }
}

/// The host of a request; empty where HTTP/1.0 has none.
pub(crate) fn host_of(parts: &Parts) -> Result<Cow<'_, str>, Framing> {
    let text = match parts.uri.authority() {
        Some(authority) => authority.as_str(),
        None => match parts.headers.get(http::header::HOST) {
            Some(value) => value.to_str().map_err(|_| Framing::Host)?,
            None => return Ok(Cow::Borrowed("")),
        },
    };
    Ok(wire::host::parse(text)?.name)
}

/// Finds the route and the version.
pub(crate) fn locate<'a>(
    context: &Context<'a>,
    parts: &Parts,
    evidence: &mut Evidence,
    trail: &mut Trail<'a>,
) -> Result<Located<'a>, Denial> {
    let runtime: &'a Runtime = context.runtime;
    let host = host_of(parts).map_err(Denial::Framing)?;
    let path = wire::path::normalize(parts.uri.path()).map_err(Denial::Framing)?;
    let port = context.connection.port;
    if let Some(tls) = &context.connection.tls
        && let Some(server_name) = &tls.server_name
        && !runtime.ports.directed(port, server_name, &host)
    {
        return Err(Denial::Route(RouteCause::Misdirected { host: host.into_owned() }));
    }
    let query = parts.uri.query().unwrap_or_default();
    let offer = Offer { host: &host, path: &path, query, method: &parts.method, headers: &parts.headers };
    let find = |offer: &Offer<'_>| {
        runtime.ports.listener(port, offer.host).ok_or(Miss::Host).and_then(|listener| listener.router.find(offer))
    };
    let hit = find(&offer).map_err(|miss| missed(miss, &host, &path))?;
    // The router was built from these numbers.
    let Some(route) = runtime.parts.slots.get(hit.route) else { return Err(Denial::Route(RouteCause::Internal)) };
    trail.route = Some(route);
    evidence.located = Some(evidence::Located { names: Arc::clone(&route.names), version: None, chosen_by: None });
    let serve = route.serve.as_ref().map_err(|fault| Denial::Misconfigured(Arc::clone(fault)))?;
    evidence.shown_query = ShownQuery::AllBut(serve.authentication.as_ref().and_then(|asked| asked.redacted.clone()));
    let below = path.get(hit.matched..).unwrap_or_default();
    let selected =
        serve.choice.select(VersionRequest { path: below, headers: &parts.headers, query }).map_err(Denial::Version)?;
    let unversioned = (selected.segment > 0).then(|| without(&path, hit.matched, selected.segment));
    // The upstream gets the path without the segment, so no other route may claim that path.
    if let Some(unversioned) = &unversioned
        && find(&Offer { path: unversioned, ..offer }).map(|other| other.route) != Ok(hit.route)
    {
        return Err(missed(Miss::Path, &host, &path));
    }
    // `choice` was compiled from the same list.
    let Some(version) = serve.versions.get(selected.index) else { return Err(Denial::Route(RouteCause::Internal)) };
    trail.version = Some(selected.index);
    if let Some(told) = &mut evidence.located
        && route.id.kind == RouteKind::ApiRoute
    {
        told.version = Some(selected.index);
        told.chosen_by = Some(chosen_by(selected.chosen));
    }
    let backend = version.backend.as_ref().map_err(|fault| Denial::Misconfigured(Arc::clone(fault)))?;
    Ok(Located {
        route,
        serve,
        version,
        backend,
        host: host.into_owned(),
        path: unversioned.unwrap_or_else(|| path.into_owned()),
        matched: hit.matched,
    })
}

/// The path without the `segment` bytes behind its first `matched`.
fn without(path: &str, matched: usize, segment: usize) -> String {
    let rest = path.get(matched + segment..).unwrap_or_default();
    let mut unversioned = path.get(..matched).unwrap_or_default().to_owned();
    unversioned.push_str(rest);
    if unversioned.is_empty() {
        unversioned.push('/');
    }
    unversioned
}

fn missed(miss: Miss, host: &str, path: &str) -> Denial {
    Denial::Route(match miss {
        Miss::Host => RouteCause::HostUnknown { host: host.to_owned() },
        Miss::Path => RouteCause::NotFound { host: host.to_owned(), path: path.to_owned() },
        Miss::Conditions => RouteCause::NotMatched { path: path.to_owned() },
    })
}

/// What named the version, in evidence.
const fn chosen_by(chosen: Chosen) -> &'static str {
    match chosen {
        Chosen::Path => "path",
        Chosen::Header => "header",
        Chosen::Query => "query",
        Chosen::MediaType => "media type",
        Chosen::Default => "default",
    }
}
