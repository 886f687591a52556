//! From an admitted request to the one that the upstream gets.

use std::cell::OnceCell;
use std::net::IpAddr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, EXPECT, HOST, HeaderName};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Uri};
use observe::evidence::Evidence;

use super::admit::Context;
use super::identify::Credentials;
use super::locate::Located;
use super::respond::DECISION;
use crate::runtime::{IdentityHeaders, KeyPlace, PathRewrite};

const PRINCIPAL: HeaderName = HeaderName::from_static("doorward-principal");
const TEAM: HeaderName = HeaderName::from_static("doorward-team");
const ROLES: HeaderName = HeaderName::from_static("doorward-roles");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The address of a connection's peer as a field value, written once a connection.
#[derive(Debug, Default)]
pub(crate) struct PeerText(OnceCell<Option<HeaderValue>>);

impl PeerText {
    fn of(&self, peer: IpAddr) -> Option<HeaderValue> {
        self.0.get_or_init(|| HeaderValue::from_str(&peer.to_canonical().to_string()).ok()).clone()
    }
}

/// Where the upstream request goes, beside its fields.
pub(super) struct Destination<'a> {
    /// `Host`; `None` keeps the client's.
    pub(super) host: Option<&'a HeaderValue>,
    /// What is put before the path.
    pub(super) prefix: &'a str,
}

/// Changes the head of an admitted request into that of the upstream's request.
pub(super) fn shape(
    context: &Context<'_>,
    parts: &mut Parts,
    located: &Located<'_>,
    credentials: &Credentials,
    (evidence, destination): (&Evidence, &Destination<'_>),
) {
    let traffic = &located.serve.traffic;
    let query = take_credentials(parts, located);
    let client_host = host_value(parts, located);
    if query.is_some() || !is_same_target(parts, located, destination.prefix) {
        parts.uri = target(located, destination.prefix, query.as_deref().or(parts.uri.query()));
    }
    parts.version = http::Version::HTTP_11;
    let headers = &mut parts.headers;
    // The client has been told to go on by now; the upstream is not asked again.
    headers.remove(EXPECT);
    describe(context, headers, credentials, evidence);
    if let Some(host) = &client_host {
        headers.insert(FORWARDED_HOST, host.clone());
    }
    let host = traffic.hostname().or(destination.host).cloned().or(client_host);
    headers.insert(HOST, host.unwrap_or_else(|| HeaderValue::from_static("")));
    traffic.request.apply(headers);
}

/// The host as the client named it.
fn host_value(parts: &Parts, located: &Located<'_>) -> Option<HeaderValue> {
    match parts.headers.get(HOST) {
        Some(host) => Some(host.clone()),
        None => match parts.uri.authority() {
            Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
            None => HeaderValue::from_str(&located.host).ok().filter(|host| !host.is_empty()),
        },
    }
}

/// Takes off what the route's methods accept, wherever it is; the query without it, if it changed.
pub(super) fn take_credentials(parts: &mut Parts, located: &Located<'_>) -> Option<String> {
    let authentication = located.serve.authentication.as_ref()?;
    if located.serve.traffic.forward_credential {
        return None;
    }
    let mut query = None;
    for place in &authentication.keys {
        match place {
            KeyPlace::Header(name, _) => {
                parts.headers.remove(name);
            }
            KeyPlace::Query(name, _) => {
                let present = query.as_deref().or(parts.uri.query()).unwrap_or_default();
                if policy::query::values(present, name).next().is_some() {
                    query = Some(without(present, name));
                }
            }
        }
    }
    if authentication.takes_bearer() {
        let is_bearer = |value: &HeaderValue| super::identify::bearer_text(value).is_some();
        if parts.headers.get_all(AUTHORIZATION).iter().any(is_bearer) {
            parts.headers.remove(AUTHORIZATION);
        }
    }
    query
}

/// The query without the parameters of this name.
fn without(query: &str, name: &str) -> String {
    let other = |pair: &&str| policy::query::pairs(pair).next().is_none_or(|(key, _)| key != name);
    query.split('&').filter(other).collect::<Vec<_>>().join("&")
}

/// Tells the upstream who calls, from where, and under which decision.
fn describe(context: &Context<'_>, headers: &mut HeaderMap, credentials: &Credentials, evidence: &Evidence) {
    let own = credentials.holder(context.runtime).map(|holder| &holder.headers);
    if let Some(IdentityHeaders { principal, team, roles }) = own.or(credentials.headers.as_deref()) {
        for (name, value) in [(PRINCIPAL, principal), (TEAM, team), (ROLES, roles)] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
    }
    if let Ok(decision) = HeaderValue::from_bytes(evidence.received.decision.as_bytes()) {
        headers.insert(DECISION, decision);
    }
    let peer = context.connection.peer.ip();
    let client = match evidence.client {
        Some(client) if client != peer.to_canonical() => HeaderValue::from_str(&client.to_string()).ok(),
        Some(_) | None => context.connection.peer_text.of(peer),
    };
    if let Some(client) = client {
        headers.insert(FORWARDED_FOR, client);
    }
    let scheme = if context.connection.tls.is_some() { "https" } else { "http" };
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
    if let Some(trace) = evidence.received.trace.to_header() {
        headers.insert(observe::trace::TRACEPARENT, trace);
    }
}

/// Whether the target of the request is that of the upstream's request already: no part of it changes, which is
/// so in most calls, and it is in origin form.
fn is_same_target(parts: &Parts, located: &Located<'_>, prefix: &str) -> bool {
    let uri = &parts.uri;
    let rewrites = located.serve.traffic.path().is_some() || !prefix.is_empty();
    !rewrites && uri.authority().is_none() && *uri.path() == *located.path && uri.query().is_none_or(|query| !query.is_empty())
}

/// The target in origin form.
fn target(located: &Located<'_>, prefix: &str, query: Option<&str>) -> Uri {
    let matched = located.path.get(..located.matched).unwrap_or_default();
    let below = located.below();
    let mut text = String::with_capacity(prefix.len() + located.path.len() + query.map_or(0, str::len) + 2);
    text.push_str(prefix);
    match located.serve.traffic.path() {
        None => {
            text.push_str(matched);
            text.push_str(below);
        }
        Some(rewrite) => rewrite_path(&mut text, rewrite, below),
    }
    if text.is_empty() || !text.starts_with('/') {
        text.insert(0, '/');
    }
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        text.push('?');
        text.push_str(query);
    }
    // Every part was a valid target before; what is not stays unsent, since `/` is a safe answer
    // to nothing but a defect of ours.
    PathAndQuery::from_maybe_shared(Bytes::from(text)).map(Uri::from).unwrap_or_default()
}

/// What a rewrite makes of a path (Gateway API, HTTPPathModifier).
pub(super) fn rewrite_path(text: &mut String, rewrite: &PathRewrite, below: &str) {
    match rewrite {
        PathRewrite::Full(path) => text.push_str(path),
        PathRewrite::Prefix(path) => {
            text.push_str(path.trim_end_matches('/'));
            if !below.is_empty() && !below.starts_with('/') {
                text.push('/');
            }
            text.push_str(below);
        }
    }
}
