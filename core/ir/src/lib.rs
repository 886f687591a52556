//! The resolved form of all manifests: what a gateway needs to know, and nothing about how it
//! was written.
//!
//! [`Snapshot`] is keyed plain data: comparable, printable, serialisable. It holds no compiled
//! thing (router, regex, TLS) and no clear-text credential of a caller: API keys appear as
//! SHA-256 only. What could not be resolved stands here as [`Part::Broken`] with its fault, so
//! that whoever compiles the snapshot cannot forget to close it.

mod backend;
mod checks;
mod delta;
mod identity;
mod ids;
mod listener;
mod matching;
mod model;
mod part;
mod placement;
mod resource;
mod route;
mod secret;
mod settings;
mod shared_map;
mod snapshot;

pub use backend::{Backend, Endpoint, FixedResponse, Redirect, Roots, Scheme, Service, UrlBackend, WeightedService};
pub use checks::{
    Addresses, Authentication, AuthenticationMode, Authorization, Checks, Consumers, Dimension, Effect, Enforcement, KeySource,
    Limit, Method, Rule,
};
pub use delta::Delta;
pub use identity::{Claims, EarlierText, Introspection, Key, KeySet, Provider};
pub use ids::{CertificateId, KeyId, ListenerId, ModelId, ProviderId, RouteId, RouteKind, ServiceId};
pub use listener::{Certificate, Listener, Protocol};
pub use matching::{HostPattern, Match, PathMatch, ValueMatch, ValuePattern};
pub use model::{Dialect, Model, ModelEndpoint};
pub use part::Part;
pub use placement::container_port;
pub use resource::{Resource, ResourceId};
pub use route::{HeaderChanges, PathRewrite, Route, Serve, Stage, Traffic, Version, VersionSource, Versioning};
pub use secret::Secret;
pub use settings::{AccessLog, ClientAddress, Reach, Settings, Timeouts, Traces};
pub use shared_map::{Difference, SharedMap};
pub use snapshot::Snapshot;
