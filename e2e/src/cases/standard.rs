//! Kinds of Kubernetes and the Gateway API, beside ours.

use std::process::Command;

use xtask::Failure;

use super::{World, answered, ensure};
use crate::doorward::{self, PATIENCE, SHOP, condition};
use crate::http::Request;
use crate::run::{output, until};

/// The same service by an HTTPRoute and by an Ingress.
pub(super) fn routes(world: &World) -> Result<(), Failure> {
    world.cluster.apply(&format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: standard, namespace: {SHOP}}}\nspec:\n  \
         parentRefs: [{{name: doorward, namespace: doorward-system}}]\n  hostnames: [standard.example.com]\n  rules:\n  \
         - matches: [{{path: {{type: PathPrefix, value: /s}}}}]\n    \
           filters: [{{type: URLRewrite, urlRewrite: {{path: {{type: ReplacePrefixMatch, replacePrefixMatch: /echo}}}}}}]\n    \
           backendRefs: [{{name: orders, port: 80}}]\n---\n\
         apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: old, namespace: {SHOP}}}\nspec:\n  \
         ingressClassName: doorward\n  rules:\n  - host: old.example.com\n    http:\n      paths:\n      \
         - {{path: /echo, pathType: Prefix, backend: {{service: {{name: orders, port: {{number: 80}}}}}}}}\n"
    ))?;
    world.until_answer("the HTTPRoute serves", &Request::get("standard.example.com", "/s/1"), 200)?;
    world.until_answer("the Ingress serves", &Request::get("old.example.com", "/echo/1"), 200)?;
    for kind in ["Accepted", "ResolvedRefs"] {
        let at = format!(".status.parents[0].conditions[?(@.type==\"{kind}\")].status");
        world.cluster.until_value(PATIENCE, &["httproute", "standard", "-n", SHOP], &at, "True")?;
    }
    let ip = world.gateway.ip().to_string();
    world.cluster.until_value(PATIENCE, &["ingress", "old", "-n", SHOP], ".status.loadBalancer.ingress[0].ip", &ip)?;
    let other = r#"{"spec":{"ingressClassName":"somebody-else"}}"#;
    world.cluster.kubectl(&["patch", "ingress", "old", "-n", SHOP, "--type=merge", "-p", other])?;
    world.cluster.until_value(PATIENCE, &["ingress", "old", "-n", SHOP], ".status.loadBalancer", "{}")?;
    until(PATIENCE, "an Ingress of another class ends", || {
        answered(&Request::get("old.example.com", "/echo/1"), world.gateway, 404)
    })?;
    world.cluster.kubectl(&["delete", "httproute/standard", "ingress/old", "-n", SHOP])?;
    until(PATIENCE, "the HTTPRoute ends", || answered(&Request::get("standard.example.com", "/s/1"), world.gateway, 404))
        .map(drop)
}

/// A Gateway in a namespace of its own, from its creation to its deletion.
pub(super) fn gateway(world: &World) -> Result<(), Failure> {
    world.cluster.apply(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: own}\n---\n\
         apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: own, namespace: own}\n\
         spec: {gatewayClassName: doorward, listeners: [{name: http, port: 8081, protocol: HTTP}]}\n---\n\
         apiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\nmetadata: {name: fixed, namespace: own}\n\
         spec:\n  parentRefs: [{name: own}]\n  path: /fixed\n  authentication: {mode: Anonymous}\n  \
         versions: [{version: 1.0.0, backend: {response: {status: 200, body: here}}}]\n",
    )?;
    doorward::programmed(&world.cluster, "own", "own")?;
    let address = doorward::address(&world.cluster, "own", "own")?;
    let fixed = Request::get("a.example.com", "/fixed");
    until(PATIENCE, "the own Gateway answers", || answered(&fixed, address, 200))?;
    let elsewhere = world.send(&fixed)?;
    ensure(elsewhere.status == 404, || format!("another Gateway serves the route: {}", elsewhere.status))?;
    condition(&world.cluster, &["apiroute", "fixed", "-n", "own"], "Ready", "True")?;
    world.cluster.kubectl(&["delete", "gateway", "own", "-n", "own"])?;
    until(PATIENCE, "what the Gateway had goes with it", || {
        let kinds = "deployments,services,serviceaccounts,poddisruptionbudgets,pods";
        let selector = "gateway.networking.k8s.io/gateway-name=own";
        let left = world.cluster.kubectl(&["get", kinds, "-n", "own", "-l", selector, "-o", "name"]);
        left.map_err(|failure| failure.to_string()).and_then(|left| if left.is_empty() { Ok(()) } else { Err(left) })
    })?;
    world.cluster.kubectl(&["delete", "namespace", "own"]).map(drop)
}

/// HTTPS, and a renewed certificate that fails no request.
pub(super) fn certificates(world: &World) -> Result<(), Failure> {
    world.cluster.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: secure}\n")?;
    put_certificate(world, "first")?;
    world.cluster.apply(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: secure, namespace: secure}\n\
         spec:\n  gatewayClassName: doorward\n  listeners:\n  - name: https\n    port: 443\n    protocol: HTTPS\n    \
         hostname: secure.example.com\n    tls: {certificateRefs: [{name: certificate}]}\n---\n\
         apiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\nmetadata: {name: fixed, namespace: secure}\n\
         spec:\n  parentRefs: [{name: secure}]\n  path: /fixed\n  authentication: {mode: Anonymous}\n  \
         versions: [{version: 1.0.0, backend: {response: {status: 200, body: here}}}]\n",
    )?;
    doorward::programmed(&world.cluster, "secure", "secure")?;
    let address = doorward::address(&world.cluster, "secure", "secure")?;
    let presented = |expected: &str| {
        until(PATIENCE, &format!("the {expected} certificate is presented"), || {
            let resolve = format!("secure.example.com:443:{}", address.ip());
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--show-error", "--insecure", "--verbose", "--resolve", &resolve, "--max-time", "5"]);
            curl.args(["--stderr", "-", "https://secure.example.com/fixed"]);
            let seen = output(&mut curl).map_err(|failure| failure.to_string())?;
            if seen.contains(&format!("CN={expected}")) && seen.contains("\nhere") { Ok(()) } else { Err(seen) }
        })
    };
    presented("first")?;
    put_certificate(world, "second")?;
    presented("second")?;
    world.cluster.kubectl(&["delete", "secret", "certificate", "-n", "secure"])?;
    let at = ".status.listeners[0].conditions[?(@.type==\"ResolvedRefs\")].status";
    world.cluster.until_value(PATIENCE, &["gateway", "secure", "-n", "secure"], at, "False")?;
    world.cluster.kubectl(&["delete", "gateway", "secure", "-n", "secure"])?;
    world.cluster.kubectl(&["delete", "namespace", "secure"]).map(drop)
}

/// Makes a certificate of this common name and puts it into the Secret.
fn put_certificate(world: &World, name: &str) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("doorward-certificate-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| Failure::new(format!("{} cannot be made: {error}", folder.display())))?;
    let path = |file: &str| folder.join(file).to_string_lossy().into_owned();
    let (key, certificate) = (path("tls.key"), path("tls.crt"));
    output(Command::new("openssl").args([
        "req",
        "-x509",
        "-nodes",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-days",
        "30",
        "-subj",
        &format!("/CN={name}"),
        "-addext",
        "subjectAltName=DNS:secure.example.com",
        "-keyout",
        &key,
        "-out",
        &certificate,
    ]))?;
    let manifest = world.cluster.kubectl(&[
        "create",
        "secret",
        "tls",
        "certificate",
        "-n",
        "secure",
        "--cert",
        &certificate,
        "--key",
        &key,
        "--dry-run=client",
        "-o",
        "yaml",
    ])?;
    world.cluster.apply(&manifest)?;
    std::fs::remove_dir_all(&folder).map_err(|error| Failure::new(format!("{} stays: {error}", folder.display())))
}
