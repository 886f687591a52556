//! From an admitted request to the one that the upstream gets.

use std::cell::OnceCell;
use std::net::IpAddr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, EXPECT, HOST, HeaderName};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Uri};
use observe::evidence::Evidence;
use upstream::Lines;

use super::admit::Context;
use super::identify::Credentials;
use super::locate::Located;
use super::respond::DECISION;
use crate::listen::Connection;
use crate::runtime::{HeaderChanges, KeyPlace, PathRewrite};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What upstreams are told of a connection, written once a connection: its peer's address, and its scheme.
#[derive(Debug, Default)]
pub(crate) struct Origin(OnceCell<Lines>);

impl Origin {
    fn of(&self, connection: &Connection) -> &Lines {
        self.0.get_or_init(|| origin(connection.peer.ip().to_canonical(), connection))
    }
}

fn origin(client: IpAddr, connection: &Connection) -> Lines {
    let mut lines = Lines::default();
    lines.push(&FORWARDED_FOR, client.to_string().as_bytes());
    lines.push(&FORWARDED_PROTO, if connection.tls.is_some() { b"https" } else { b"http" });
    lines
}

/// Bytes of memory for what the gateway says in most requests.
const SAID_BYTES: usize = 512;

/// Where the upstream request goes, beside its fields.
pub(super) struct Destination<'a> {
    /// `Host`; `None` keeps the client's.
    pub(super) host: Option<&'a HeaderValue>,
    /// What is put before the path.
    pub(super) prefix: &'a str,
}

/// Changes the head of an admitted request into that of the upstream's request. What the gateway says itself is
/// returned, unless the route changes fields, which may be these.
pub(super) fn shape(
    context: &Context<'_>,
    parts: &mut Parts,
    located: &Located<'_>,
    credentials: &Credentials,
    (evidence, destination): (&Evidence, &Destination<'_>),
) -> Lines {
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
    // All other fields of these names were taken off at entry.
    headers.remove(observe::trace::TRACEPARENT);
    let mut lines = describe(context, credentials, evidence);
    if let Some(host) = &client_host {
        lines.push(&FORWARDED_HOST, host.as_bytes());
    }
    let host = traffic.hostname().or(destination.host).cloned().or(client_host);
    headers.insert(HOST, host.unwrap_or_else(|| HeaderValue::from_static("")));
    change(&traffic.request, headers, &mut lines);
    lines
}

/// Makes changes to the fields of a request, what the gateway says in it among them.
pub(super) fn change(changes: &HeaderChanges, headers: &mut HeaderMap, lines: &mut Lines) {
    if !changes.is_empty() {
        lines.move_to(headers);
        changes.apply(headers);
    }
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
fn describe(context: &Context<'_>, credentials: &Credentials, evidence: &Evidence) -> Lines {
    let mut lines = Lines::with_capacity(SAID_BYTES);
    let own = credentials.holder(context.runtime).map(|holder| &holder.told);
    if let Some(told) = own.or(credentials.told.as_deref()) {
        lines.extend(told);
    }
    lines.push(&DECISION, evidence.received.decision.as_bytes());
    let connection = context.connection;
    match evidence.client {
        Some(client) if client != connection.peer.ip().to_canonical() => lines.extend(&origin(client, connection)),
        Some(_) | None => lines.extend(connection.origin.of(connection)),
    }
    lines.push(&observe::trace::TRACEPARENT, &evidence.received.trace.to_text());
    lines
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
