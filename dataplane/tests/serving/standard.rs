//! Manifests of standard kinds, three backends behind them, and which of them heard a request.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::shop::{Echo, Message, Shop};

/// A gateway with Services `backend-0`, `backend-1` and `backend-2` of namespace `shop`.
pub(crate) struct World {
    shop: Shop,
    echoes: [Echo; 3],
    services: String,
}

impl World {
    /// Serves these manifests beside the backends.
    pub(crate) async fn open(manifests: &str) -> Self {
        let echoes = [Echo::open().await, Echo::open().await, Echo::open().await];
        let services: String =
            echoes.iter().enumerate().map(|(number, echo)| service(&format!("backend-{number}"), echo.address)).collect();
        let shop = Shop::open(&[manifests, &services].concat()).await;
        Self { shop, echoes, services }
    }

    /// Serves these manifests from now on.
    pub(crate) async fn apply(&self, manifests: &str) {
        self.shop.apply(&[manifests, &self.services].concat()).await;
    }

    /// Asks `METHOD host/path` with these fields.
    pub(crate) async fn ask(&self, request: &str, fields: &[&str]) -> Message {
        self.shop.ask(&text(request, fields)).await
    }

    /// The backends that heard a request since this was asked last.
    pub(crate) fn heard(&mut self) -> Vec<usize> {
        let each = self.echoes.iter_mut().enumerate();
        each.flat_map(|(number, echo)| echo.targets().into_iter().map(move |_| number)).collect()
    }

    /// Stops all.
    pub(crate) async fn close(self) {
        self.shop.close().await;
    }
}

/// `METHOD host/path` as bytes.
pub(crate) fn text(request: &str, fields: &[&str]) -> String {
    let (method, rest) = request.split_once(' ').unwrap();
    let slash = rest.find('/').unwrap();
    let (host, target) = rest.split_at(slash);
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
    for field in fields {
        let _ = write!(text, "{field}\r\n");
    }
    text + "\r\n"
}

/// A Service of namespace `shop` whose one address is this.
pub(crate) fn service(name: &str, address: SocketAddr) -> String {
    let port = address.port();
    format!(
        "
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec: {{ports: [{{name: web, port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: shop, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{name: web, port: {port}}}]
endpoints: [{{addresses: [127.0.0.1]}}]
"
    )
}

/// The Gateway `doorward` of namespace `shop` with these listeners.
pub(crate) fn gateway(listeners: &str) -> String {
    format!(
        "
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: doorward, namespace: shop}}
spec: {{gatewayClassName: doorward, listeners: [{listeners}]}}
"
    )
}

/// The rules of an HTTPRoute, as flow YAML.
#[derive(Clone, Default)]
pub(crate) struct Rules(Vec<String>);

impl Rules {
    /// None.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A rule with these matches and one backend.
    pub(crate) fn to(self, backend: usize, matches: &str) -> Self {
        self.raw(&format!("matches: [{matches}], backendRefs: [{{name: backend-{backend}, port: 80}}]"))
    }

    /// A rule with these fields.
    pub(crate) fn raw(mut self, fields: &str) -> Self {
        self.0.push(format!("{{{fields}}}"));
        self
    }

    /// The rules that do not hold this text.
    pub(crate) fn without(&self, text: &str) -> Self {
        Self(self.0.iter().filter(|rule| !rule.contains(text)).cloned().collect())
    }
}

/// An HTTPRoute of namespace `shop`, unless `name` says another one, on the Gateway `doorward`, unless `more` does.
pub(crate) fn http_route(name: &str, more: &str, rules: &Rules) -> String {
    let namespace = if name.contains("namespace:") { "" } else { ", namespace: shop" };
    let parents = if more.contains("parentRefs") { "" } else { "parentRefs: [{name: doorward}], " };
    let more = if more.is_empty() { String::new() } else { format!("{more}, ") };
    let rules = rules.0.join(",\n    ");
    format!(
        "
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}{namespace}}}
spec: {{{parents}{more}rules: [
    {rules}
  ]}}
"
    )
}

/// An upstream that takes connections and never answers.
pub(crate) struct Stalled(TcpListener);

impl Stalled {
    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

/// Starts one: the kernel takes its connections.
pub(crate) async fn stalled() -> Stalled {
    Stalled(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap())
}
