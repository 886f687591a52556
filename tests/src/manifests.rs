//! Manifests of pages and examples: what is applied, and a gateway that serves it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use dataplane::{Clock, Gateway, Options, Placement, PortProtocol};
use files::{Input, Outcome, Session};
use jiff::Timestamp;
use translate::Context;

/// A gateway that serves one set of manifests.
pub struct Serving {
    gateway: Gateway,
    runtime: tokio::runtime::Runtime,
}

impl Serving {
    /// Starts one whose clock stands still.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(outcome: &Outcome, now: Timestamp) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let options = Options {
            placement: Placement { http: any, https: any, ..Placement::default() },
            workers: 1,
            clock: Clock::manual(now),
            log: Box::new(std::io::sink()),
        };
        let gateway = runtime.block_on(Gateway::start(options, &outcome.snapshot)).map_err(|error| error.to_string())?;
        Ok(Self { gateway, runtime })
    }

    /// Where plain or TLS listeners are.
    ///
    /// # Errors
    /// The manifests have no such listener.
    pub fn address(&self, protocol: PortProtocol) -> Result<SocketAddr, String> {
        let addresses = self.gateway.addresses();
        let found = addresses.iter().find(|(port, _)| port.protocol == protocol);
        found.map(|(_, address)| *address).ok_or_else(|| format!("there is no listener of {protocol:?}"))
    }

    /// Waits for something while the gateway serves.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Lets it stop.
    pub fn stop(self) {
        self.runtime.block_on(self.gateway.drain(std::future::pending()));
    }
}

/// A session over these paths as files, without a cluster.
#[must_use]
pub fn session(paths: Vec<PathBuf>, now: Timestamp) -> Session {
    Session::new(Input::new(paths), Context::of_files(now, Vec::new()))
}

/// `changed` applied over `manifests`, as `kubectl apply` would: an object that both have is the changed one.
#[must_use]
pub fn applied(manifests: &str, changed: &str) -> String {
    let new: Vec<(&str, Option<Identity>)> = documents(changed).map(|text| (text, identity(text))).collect();
    let kept = documents(manifests).filter(|text| {
        let identity = identity(text);
        identity.is_none() || new.iter().all(|(_, changed)| *changed != identity)
    });
    kept.chain(new.iter().map(|(text, _)| *text)).collect::<Vec<_>>().join("\n---\n")
}

/// Kind, namespace and name.
type Identity = [String; 3];

fn documents(text: &str) -> impl Iterator<Item = &str> {
    text.split("---\n").map(str::trim_end).filter(|text| !text.is_empty())
}

fn identity(text: &str) -> Option<Identity> {
    let value: serde_json::Value = serde_saphyr::from_str(text).ok()?;
    let at = |path: &str| value.pointer(path).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    Some([at("/kind"), at("/metadata/namespace"), at("/metadata/name")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_objects_take_the_place_of_others() {
        let object =
            |kind: &str, name: &str, more: &str| format!("kind: {kind}\nmetadata: {{name: {name}, namespace: shop}}{more}");
        let written = [object("A", "one", ""), object("B", "one", ""), object("A", "two", "")].join("\n---\n");
        let found = applied(&written, &[object("A", "two", "\nspec: 2\n"), object("C", "one", "")].join("---\n"));
        let expected = [object("A", "one", ""), object("B", "one", ""), object("A", "two", "\nspec: 2"), object("C", "one", "")]
            .join("\n---\n");
        assert_eq!(found, expected);
    }
}
