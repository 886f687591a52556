//! What `doorward run` prints when it serves.

use std::net::SocketAddr;

use dataplane::{Port, PortProtocol};
use files::Counts;

use crate::address::reachable;

/// What is served, and where.
pub(super) struct Screen<'a> {
    pub(super) paths: &'a str,
    pub(super) counts: &'a Counts,
    pub(super) watched: bool,
    pub(super) traffic: &'a [(Port, SocketAddr)],
    pub(super) management: SocketAddr,
    pub(super) metrics: SocketAddr,
    pub(super) demo: Option<SocketAddr>,
}

impl Screen<'_> {
    pub(super) fn text(&self) -> String {
        let changes = if self.watched { "changes are served at once" } else { "changes are not watched" };
        let mut lines = vec![format!("serving {} ({})", self.paths, self.counts), changes.to_owned(), String::new()];
        for (index, (port, address)) in self.traffic.iter().enumerate() {
            let scheme = match port.protocol {
                PortProtocol::Http => "http",
                PortProtocol::Https => "https",
            };
            lines.push(row(if index == 0 { "traffic" } else { "" }, scheme, *address, ""));
        }
        lines.push(row("management", "http", self.management, "/status"));
        lines.push(row("metrics", "http", self.metrics, "/metrics"));
        lines.extend(self.demo.map(|demo| row("demo", "http", demo, "")));
        lines.iter().map(|line| format!("  {line}").trim_end().to_owned() + "\n").collect()
    }
}

fn row(name: &str, scheme: &str, address: SocketAddr, path: &str) -> String {
    let note = if address.ip().is_unspecified() { "   (on every address of this machine)" } else { "" };
    format!("{name:<12}{scheme}://{}{path}{note}", reachable(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_as_they_are_typed() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let objects = [("ApiKey".into(), 3), ("ApiRoute".into(), 1)].into();
        let port = |protocol, number| Port { protocol, number };
        let screen = Screen {
            paths: "./manifests",
            counts: &Counts { objects, files: 2 },
            watched: true,
            traffic: &[
                (port(PortProtocol::Http, 8080), address("0.0.0.0:8080")),
                (port(PortProtocol::Https, 0), address("10.0.0.1:8443")),
            ],
            management: address("127.0.0.1:9090"),
            metrics: address("[::1]:9091"),
            demo: Some(address("127.0.0.1:9093")),
        };
        let expected = "  serving ./manifests (1 ApiRoute, 3 ApiKeys)
  changes are served at once

  traffic     http://127.0.0.1:8080   (on every address of this machine)
              https://10.0.0.1:8443
  management  http://127.0.0.1:9090/status
  metrics     http://[::1]:9091/metrics
  demo        http://127.0.0.1:9093
";
        assert_eq!(screen.text(), expected);
    }
}
