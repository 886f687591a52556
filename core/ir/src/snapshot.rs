//! All of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Certificate, CertificateId, Delta, Key, KeyId, Listener, ListenerId, Model, ModelId, Part, Provider, ProviderId, Resource,
    ResourceId, Route, RouteId, Service, ServiceId, Settings, SharedMap,
};

/// Everything that a gateway serves. Values are behind `Arc` and maps share what is the same, so that a
/// changed snapshot costs what the change does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Where requests come in.
    pub listeners: SharedMap<ListenerId, Listener>,
    /// Certificates that listeners name.
    pub certificates: SharedMap<CertificateId, Arc<Certificate>>,
    /// The APIs.
    pub routes: SharedMap<RouteId, Arc<Route>>,
    /// The keys.
    pub keys: SharedMap<KeyId, Arc<Key>>,
    /// The issuers of tokens.
    pub providers: SharedMap<ProviderId, Arc<Provider>>,
    /// The models, or why one cannot be used.
    pub models: SharedMap<ModelId, Part<Arc<Model>>>,
    /// The Services that routes name.
    pub services: SharedMap<ServiceId, Arc<Service>>,
    /// How the gateway behaves.
    pub settings: Settings,
}

impl Snapshot {
    /// All of its resources, what is used before what uses it; the settings first.
    pub fn resources(&self) -> impl Iterator<Item = Resource> {
        let settings = std::iter::once_with(|| Resource::Settings(Box::new(self.settings.clone())));
        settings
            .chain(self.certificates.values().map(|certificate| Resource::Certificate(Arc::clone(certificate))))
            .chain(self.listeners.values().map(|listener| Resource::Listener(Box::new(listener.clone()))))
            .chain(self.services.values().map(|service| Resource::Service(Arc::clone(service))))
            .chain(self.models.iter().map(|(id, model)| Resource::Model(id.clone(), model.clone())))
            .chain(self.providers.values().map(|provider| Resource::Provider(Arc::clone(provider))))
            .chain(self.routes.values().map(|route| Resource::Route(Arc::clone(route))))
            .chain(self.keys.values().map(|key| Resource::Key(Arc::clone(key))))
    }

    /// Takes a delta in: what it adds comes before what it removes goes. Settings that are removed
    /// become the defaults.
    pub fn apply(&mut self, delta: Delta) {
        for resource in delta.upserts {
            self.put(resource);
        }
        for id in &delta.removals {
            self.remove(id);
        }
    }

    fn put(&mut self, resource: Resource) {
        match resource {
            Resource::Settings(settings) => self.settings = *settings,
            Resource::Certificate(value) => drop(self.certificates.insert(value.id.clone(), value)),
            Resource::Listener(value) => drop(self.listeners.insert(value.id.clone(), *value)),
            Resource::Service(value) => drop(self.services.insert(value.id.clone(), value)),
            Resource::Model(id, value) => drop(self.models.insert(id, value)),
            Resource::Provider(value) => drop(self.providers.insert(value.id.clone(), value)),
            Resource::Route(value) => drop(self.routes.insert(value.id.clone(), value)),
            Resource::Key(value) => drop(self.keys.insert(value.id.clone(), value)),
        }
    }

    fn remove(&mut self, id: &ResourceId) {
        match id {
            ResourceId::Settings => self.settings = Settings::default(),
            ResourceId::Certificate(id) => drop(self.certificates.remove(id)),
            ResourceId::Listener(id) => drop(self.listeners.remove(id)),
            ResourceId::Service(id) => drop(self.services.remove(id)),
            ResourceId::Model(id) => drop(self.models.remove(id)),
            ResourceId::Provider(id) => drop(self.providers.remove(id)),
            ResourceId::Route(id) => drop(self.routes.remove(id)),
            ResourceId::Key(id) => drop(self.keys.remove(id)),
        }
    }
}
