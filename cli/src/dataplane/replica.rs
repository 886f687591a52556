//! What one pod serves, from its subscription to its sockets.

use std::collections::BTreeMap;
use std::time::Duration;

use ::dataplane::admin::Asked;
use ::dataplane::{Described, Gateway, GatewayHandle, Port, PortProtocol};
use delivery::{Held, Sealer, Subscriber};
use ir::{Protocol, ResourceId, Snapshot};
use observe::report::Report;
use observe::status::Status;
use tokio::sync::watch;
use tokio::time::sleep;

/// How often a port that is taken is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// One pod of a Gateway.
pub(crate) struct Replica {
    pub(crate) gateway: Gateway,
    pub(crate) subscriber: Subscriber,
    pub(crate) sealer: Option<Sealer>,
    /// Whether requests should be sent here.
    pub(crate) ready: watch::Sender<bool>,
    /// What serves.
    pub(crate) held: Held,
    /// What of it does not serve, each with the reason.
    pub(crate) refused: Vec<(ResourceId, String)>,
    /// Whether the pod ends.
    pub(crate) leaving: bool,
}

impl Replica {
    /// Serves what was sealed, if anything was.
    pub(crate) async fn take_up(&mut self) {
        if self.held.is_complete() {
            self.serve().await;
        }
    }

    /// Serves what operators say, until the subscription ends.
    pub(crate) async fn follow(&mut self) {
        loop {
            let has_failed = !self.gateway.unbound().is_empty();
            tokio::select! {
                held = self.subscriber.next() => match held {
                    Some(held) => {
                        self.held = held;
                        self.serve().await;
                        if let Some(sealer) = &self.sealer {
                            sealer.put(&self.held);
                        }
                    }
                    None => return,
                },
                () = sleep(AGAIN), if has_failed => self.serve().await,
            }
        }
    }

    /// Serves what is held, and tells operators what of it cannot be.
    async fn serve(&mut self) {
        let snapshot = self.held.snapshot();
        // What fails is asked for below, port by port.
        let _ = self.gateway.apply(snapshot).await;
        self.gateway.handle().tell(objects(snapshot), &[]);
        // Where no port can be had nothing comes in, so whoever sends requests must go elsewhere.
        let serves = snapshot.listeners.is_empty() || !self.gateway.addresses().is_empty();
        self.ready.send_replace(serves && !self.leaving);
        let mut refused = refused(snapshot, &self.gateway.unbound());
        refused.extend(self.gateway.closed().into_iter().map(|(id, reason)| (ResourceId::Route(id), reason)));
        for (resource, reason) in refused.iter().filter(|refusal| !self.refused.contains(refusal)) {
            tracing::warn!(%resource, %reason, "a part of the configuration does not serve");
        }
        self.refused.clone_from(&refused);
        self.subscriber.settle(&self.held, refused).await;
    }

    /// No request should be sent here from now on; those that are, are served.
    pub(crate) fn leave(&mut self) {
        self.leaving = true;
        self.gateway.leave();
        self.ready.send_replace(false);
    }

    /// Lets calls in flight end, and keeps what was served last.
    pub(crate) async fn end(self) {
        drop(self.subscriber);
        self.gateway.drain(std::future::pending()).await;
        if let Some(sealer) = self.sealer {
            sealer.finish().await;
        }
    }
}

/// The listeners whose ports are not listened on, each with the reason.
fn refused(snapshot: &Snapshot, unbound: &BTreeMap<Port, String>) -> Vec<(ResourceId, String)> {
    let listeners = snapshot.listeners.values().filter_map(|listener| {
        let protocol = match listener.protocol {
            Protocol::Http => PortProtocol::Http,
            Protocol::Https => PortProtocol::Https,
        };
        let reason = unbound.get(&Port { protocol, number: listener.port })?;
        Some((ResourceId::Listener(listener.id.clone()), reason.clone()))
    });
    listeners.collect()
}

/// How much there is of each kind.
fn objects(snapshot: &Snapshot) -> BTreeMap<String, usize> {
    let mut routes: BTreeMap<&str, usize> = BTreeMap::new();
    for route in snapshot.routes.keys().filter(|id| id.rule == 0) {
        *routes.entry(route.kind.name()).or_default() += 1;
    }
    let mut objects: BTreeMap<String, usize> = routes.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect();
    let kinds =
        [("ApiKey", snapshot.keys.len()), ("IdentityProvider", snapshot.providers.len()), ("AiModel", snapshot.models.len())];
    objects.extend(kinds.into_iter().filter(|(_, count)| *count > 0).map(|(kind, count)| (kind.to_owned(), count)));
    objects
}

/// A gateway as its doors show it: ready when a whole configuration serves, and no longer when the pod ends.
#[derive(Clone)]
pub(crate) struct Health {
    handle: GatewayHandle,
    ready: watch::Receiver<bool>,
}

impl Health {
    pub(crate) const fn new(handle: GatewayHandle, ready: watch::Receiver<bool>) -> Self {
        Self { handle, ready }
    }
}

impl Asked for Health {
    fn metrics(&self) -> String {
        self.handle.metrics()
    }

    fn status(&self) -> Status {
        self.handle.status()
    }

    fn ready(&self) -> bool {
        *self.ready.borrow() && self.handle.ready()
    }

    fn decision(&self, id: &str) -> Option<Report> {
        self.handle.decision(id)
    }

    async fn explain(&self, described: Described) -> Option<Report> {
        self.handle.explain(described).await
    }
}
