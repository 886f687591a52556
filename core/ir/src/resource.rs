//! A snapshot as separate resources, each with its own id, so that what changed can travel alone.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Certificate, CertificateId, Key, KeyId, Listener, ListenerId, Model, ModelId, Part, Provider, ProviderId, Route, RouteId,
    Service, ServiceId, Settings,
};

/// Names one resource of a snapshot. The order is the order of use: what is used stands before what uses it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ResourceId {
    /// The settings; there is one.
    Settings,
    /// A certificate.
    Certificate(CertificateId),
    /// A listener.
    Listener(ListenerId),
    /// A Service's port.
    Service(ServiceId),
    /// A model.
    Model(ModelId),
    /// An issuer of tokens.
    Provider(ProviderId),
    /// A route.
    Route(RouteId),
    /// A key.
    Key(KeyId),
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings => f.write_str("Settings"),
            Self::Certificate(id) => write!(f, "Certificate {id}"),
            Self::Listener(id) => write!(f, "Listener {id}"),
            Self::Service(id) => write!(f, "Service {id}"),
            Self::Model(id) => write!(f, "Model {id}"),
            Self::Provider(id) => write!(f, "Provider {id}"),
            Self::Route(id) => write!(f, "Route {id}"),
            Self::Key(id) => write!(f, "Key {id}"),
        }
    }
}

/// One resource of a snapshot, with its id in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Resource {
    /// How the gateway behaves.
    Settings(Box<Settings>),
    /// A certificate.
    Certificate(Arc<Certificate>),
    /// A listener.
    Listener(Box<Listener>),
    /// A Service's port.
    Service(Arc<Service>),
    /// A model, or why it cannot be used.
    Model(ModelId, Part<Arc<Model>>),
    /// An issuer of tokens.
    Provider(Arc<Provider>),
    /// A route.
    Route(Arc<Route>),
    /// A key.
    Key(Arc<Key>),
}

impl Resource {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> ResourceId {
        match self {
            Self::Settings(_) => ResourceId::Settings,
            Self::Certificate(certificate) => ResourceId::Certificate(certificate.id.clone()),
            Self::Listener(listener) => ResourceId::Listener(listener.id.clone()),
            Self::Service(service) => ResourceId::Service(service.id.clone()),
            Self::Model(id, _) => ResourceId::Model(id.clone()),
            Self::Provider(provider) => ResourceId::Provider(provider.id.clone()),
            Self::Route(route) => ResourceId::Route(route.id.clone()),
            Self::Key(key) => ResourceId::Key(key.id.clone()),
        }
    }
}
