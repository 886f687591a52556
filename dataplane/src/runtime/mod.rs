//! COMPILED: a snapshot in the form in which requests meet it. Built off the request path, swapped
//! whole, never changed. What must outlive it (counters, key sets) lives in `state`.

mod attached;
mod authentication;
mod backend;
mod compile;
mod identity;
mod parts;
mod ports;
mod router;
mod serve;
mod serving;
mod slots;
mod traffic;

use std::sync::Arc;

use cause::Fault;
use ir::RouteId;
use observe::evidence::RouteNames;
use policy::keys::KeyRing;
use policy::principal::Principal;

pub(crate) use authentication::{Authentication, BEARER, Challenge, KeyPlace};
pub(crate) use backend::{Backend, Fixed, ModelTarget, Models, Service, Services, Url};
pub(crate) use compile::{compile, compile_after};
pub(crate) use identity::{Holder, IntrospectionTarget, Provider, told};
pub(crate) use ports::{Listener, Ports};
pub use ports::{Placement, Port, PortProtocol};
pub(crate) use router::{Miss, Offer, Router};
pub(crate) use serve::{HeldLimit, Serve, Version};
pub(crate) use serving::Serving;
pub(crate) use slots::Slots;
pub(crate) use traffic::{HeaderChanges, PathRewrite, Redirect, Traffic};

/// One generation of the configuration.
#[derive(Debug)]
pub(crate) struct Runtime {
    /// Its number, from 1.
    pub(crate) generation: u64,
    /// How the gateway behaves.
    pub(crate) settings: Settings,
    /// Where requests come in.
    pub(crate) ports: Arc<Ports>,
    /// All keys.
    pub(crate) keys: Arc<KeyRing>,
    /// What is compiled of each key beside the ring, by its place there.
    pub(crate) holders: Arc<Vec<Holder>>,
    /// Nobody.
    pub(crate) anonymous: Principal,
    /// Whether the one before could send calls where this one cannot.
    pub(crate) forsakes: bool,
    /// What it was compiled from, for the next one.
    pub(crate) parts: parts::Parts,
}

/// How the gateway behaves, in the form in which requests meet it.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Whose address counts as the client's.
    pub(crate) client_address: ir::ClientAddress,
    /// What a caller may learn.
    pub(crate) disclosure: cause::Disclosure,
    /// All times.
    pub(crate) timeouts: ir::Timeouts,
    /// Where the pages of causes are.
    pub(crate) docs: Arc<str>,
    /// The share of traces that begin here and are kept, in millionths.
    pub(crate) sample_ppm: u32,
    /// The guard's limits on plain ports.
    pub(crate) plain: Arc<wire::Limits>,
    /// The guard's limits on TLS ports.
    pub(crate) tls: Arc<wire::Limits>,
}

/// One route.
#[derive(Debug)]
pub(crate) struct Route {
    /// The object it comes from.
    pub(crate) id: RouteId,
    /// What evidence calls it and its versions.
    pub(crate) names: Arc<RouteNames>,
    /// What it serves, or why it is closed.
    pub(crate) serve: Result<Serve, Arc<Fault>>,
}

impl Runtime {
    /// The guard's limits for connections of this kind.
    #[must_use]
    pub(crate) fn wire_limits(&self, protocol: PortProtocol) -> Arc<wire::Limits> {
        Arc::clone(match protocol {
            PortProtocol::Http => &self.settings.plain,
            PortProtocol::Https => &self.settings.tls,
        })
    }

    /// Every backend that requests can go to.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &upstream::Target> {
        let versions = self.parts.slots.iter().filter_map(|route| route.serve.as_ref().ok()).flat_map(|serve| &serve.versions);
        versions.filter_map(|version| version.backend.as_ref().ok()).flat_map(Backend::targets)
    }
}
