//! The gateway's side: the manifests of its three instances, and the calls that they answer.

use std::fmt::Write;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::load::{Call, HOST};
use crate::plan::{Calls, FEW_ROUTES, KEYS, MANY_ROUTES};
use crate::token::{AUDIENCE, ISSUER, Issued};

const KEY_FIELD: &str = "X-Api-Key";

/// Nothing may refuse a good key: the limit is there to be counted.
const NEVER_REACHED: &str = "{name: per-key, per: [Principal], requests: 1000000, window: 1s}";

const NO_ACCESS_LOG: &str = r#"apiVersion: doorward.dev/v1alpha1
kind: GatewayConfig
metadata: {name: bench}
spec: {telemetry: {accessLog: "Off"}}
"#;

/// The text of a key that the gateway and nginx know. It has the form of another gateway's key, 32 characters.
pub(crate) fn key(number: usize) -> String {
    format!("bench-{number:05}-{:020}", number * 7_919 + 104_729)
}

/// The calls that are made, in their order.
pub(crate) fn calls(kind: Calls, issued: &Issued) -> Vec<Call> {
    let keyed = |key: String| Call { path: "/keys".to_owned(), field: Some((KEY_FIELD, key)) };
    let open = |path: String| Call { path, field: None };
    match kind {
        Calls::Plain => vec![open("/plain".to_owned())],
        Calls::Large => vec![open("/large".to_owned())],
        Calls::Keys => (0..KEYS).map(key).map(keyed).collect(),
        Calls::UnknownKeys => (0..KEYS).map(|number| keyed(format!("never-{number:05}-issued-000000000000"))).collect(),
        Calls::ForeignKey => vec![keyed(key(FOREIGN))],
        Calls::SpentKey => vec![keyed(key(SPENT))],
        Calls::Token => {
            vec![Call { path: "/jwt".to_owned(), field: Some(("Authorization", format!("Bearer {}", issued.token))) }]
        }
        Calls::Ten => (0..FEW_ROUTES).map(numbered_path).map(open).collect(),
        Calls::TenThousand => (0..MANY_ROUTES).map(numbered_path).map(open).collect(),
    }
}

/// Keys beside the good ones.
const FOREIGN: usize = KEYS;
const SPENT: usize = KEYS + 1;

/// A route for each kind of call, and all keys.
pub(crate) fn of_all_checks(backend: SocketAddr, issued: &Issued) -> String {
    let open = "{mode: Anonymous}";
    let keyed = format!("{{methods: [{{apiKey: {{header: {KEY_FIELD}}}}}]}}");
    let jwt = "{methods: [{jwt: {providerRef: {name: issuer}}}]}";
    let mut text = NO_ACCESS_LOG.to_owned();
    text.push_str(&route("plain", "/plain", open, backend));
    text.push_str(&route("large", "/large", open, backend));
    text.push_str(&route("keys", "/keys", &keyed, backend));
    text.push_str(&format!("  limits: [{NEVER_REACHED}]\n"));
    text.push_str(&route("other", "/other", &keyed, backend));
    text.push_str(&route("jwt", "/jwt", jwt, backend));
    text.push_str(&format!(
        "---\napiVersion: doorward.dev/v1alpha1\nkind: IdentityProvider\nmetadata: {{name: issuer}}\nspec:\n  \
         issuer: {ISSUER}\n  audiences: [{AUDIENCE}]\n  algorithms: [RS256]\n  jwks:\n    inline: '{}'\n",
        issued.key_set
    ));
    for number in 0..KEYS {
        text.push_str(&api_key(number, ""));
    }
    text.push_str(&api_key(FOREIGN, "  routes: [{name: other}]\n"));
    text.push_str(&api_key(SPENT, "  limits: [{name: once, requests: 1, window: 24h}]\n"));
    text
}

/// That many routes on one host.
pub(crate) fn of_routes(count: usize, backend: SocketAddr) -> String {
    let mut text = NO_ACCESS_LOG.to_owned();
    for number in 0..count {
        text.push_str(&route(&format!("route-{number:05}"), &numbered_path(number), "{mode: Anonymous}", backend));
    }
    text
}

/// Paths as of many teams with several services each.
fn numbered_path(number: usize) -> String {
    format!("/team-{:03}/service-{number:05}", number / 20)
}

/// An ApiRoute, open at its end for more members of `spec`.
fn route(name: &str, path: &str, authentication: &str, backend: SocketAddr) -> String {
    format!(
        "---\napiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\nmetadata: {{name: {name}}}\nspec:\n  \
         hostnames: [{HOST}]\n  path: {path}\n  \
         versions: [{{version: 1.0.0, backend: {{url: \"http://{backend}\"}}}}]\n  \
         authentication: {authentication}\n"
    )
}

/// An ApiKey with more members of `spec`, and its Secret.
fn api_key(number: usize, more: &str) -> String {
    let name = format!("key-{number:05}");
    let mut text = String::new();
    let written = write!(
        text,
        "---\napiVersion: doorward.dev/v1alpha1\nkind: ApiKey\nmetadata: {{name: {name}}}\nspec:\n  \
         secretRef: {{name: {name}}}\n{more}\
         ---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\ndata: {{key: {}}}\n",
        STANDARD.encode(key(number))
    );
    debug_assert!(written.is_ok(), "a string takes whatever is written to it");
    text
}
