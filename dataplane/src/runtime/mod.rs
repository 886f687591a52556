//! COMPILED: a snapshot in the form in which requests meet it. Built off the request path, swapped
//! whole, never changed. What must outlive it (counters, key sets) lives in `state`.

mod authentication;
mod backend;
mod compile;
mod identity;
mod ports;
mod router;
mod serve;
mod serving;
mod traffic;

use std::collections::HashMap;
use std::sync::Arc;

use cause::{Fault, ObjectName};
use ir::RouteId;
use policy::keys::KeyRing;
use policy::principal::Principal;

pub use authentication::{Authentication, BEARER, Challenge, KeyPlace};
pub use backend::{Backend, ModelTarget, Models, Service, Services, Url};
pub use compile::compile;
pub use identity::{IdentityHeaders, IntrospectionTarget, Provider};
pub use ports::{Listener, Placement, Port, PortProtocol, Ports};
pub use router::{Miss, Offer, Router};
pub use serve::{HeldLimit, Serve, Version};
pub use serving::Serving;
pub use traffic::{PathRewrite, Redirect, Traffic};

/// One generation of the configuration.
#[derive(Debug)]
pub struct Runtime {
    /// Its number, from 1.
    pub generation: u64,
    /// How the gateway behaves.
    pub settings: Settings,
    /// Where requests come in.
    pub ports: Ports,
    /// All routes, by the index that routers give.
    pub routes: Vec<Arc<Route>>,
    /// All keys.
    pub keys: KeyRing,
    /// What upstreams are told of each key's principal, by its index in the ring.
    pub key_headers: Vec<IdentityHeaders>,
    /// The limits of each key, by its index in the ring.
    pub key_limits: Vec<Vec<HeldLimit>>,
    /// Nobody.
    pub anonymous: Principal,
    /// All issuers of tokens.
    pub providers: HashMap<ir::ProviderId, Arc<Provider>>,
}

/// How the gateway behaves, in the form in which requests meet it.
#[derive(Debug)]
pub struct Settings {
    /// Whose address counts as the client's.
    pub client_address: ir::ClientAddress,
    /// What a caller may learn.
    pub disclosure: cause::Disclosure,
    /// All times.
    pub timeouts: ir::Timeouts,
    /// Where the pages of causes are.
    pub docs: Arc<str>,
    /// The share of traces that begin here and are kept, in millionths.
    pub sample_ppm: u32,
    /// The guard's limits on plain ports.
    pub plain: Arc<wire::Limits>,
    /// The guard's limits on TLS ports.
    pub tls: Arc<wire::Limits>,
}

/// One route.
#[derive(Debug)]
pub struct Route {
    /// The ApiRoute.
    pub name: ObjectName,
    /// The same, as keys name it.
    pub id: RouteId,
    /// What it serves, or why it is closed.
    pub serve: Result<Serve, Arc<Fault>>,
}

impl Runtime {
    /// The guard's limits for connections of this kind.
    #[must_use]
    pub fn wire_limits(&self, protocol: PortProtocol) -> Arc<wire::Limits> {
        Arc::clone(match protocol {
            PortProtocol::Http => &self.settings.plain,
            PortProtocol::Https => &self.settings.tls,
        })
    }

    /// How many objects it holds: routes and keys, for `status`.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.routes.len(), self.keys.len())
    }
}
