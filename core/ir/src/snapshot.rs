//! All of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Certificate, CertificateId, Key, KeyId, Listener, ListenerId, Model, ModelId, Part, Provider, ProviderId, Route, RouteId,
    Service, ServiceId, Settings,
};

/// Everything that a gateway serves. Values are behind `Arc` so that an unchanged object is
/// shared between snapshots.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Where requests come in.
    pub listeners: BTreeMap<ListenerId, Listener>,
    /// Certificates that listeners name.
    pub certificates: BTreeMap<CertificateId, Arc<Certificate>>,
    /// The APIs.
    pub routes: BTreeMap<RouteId, Arc<Route>>,
    /// The keys.
    pub keys: BTreeMap<KeyId, Arc<Key>>,
    /// The issuers of tokens.
    pub providers: BTreeMap<ProviderId, Arc<Provider>>,
    /// The models, or why one cannot be used.
    pub models: BTreeMap<ModelId, Part<Arc<Model>>>,
    /// The Services that routes name.
    pub services: BTreeMap<ServiceId, Arc<Service>>,
    /// How the gateway behaves.
    pub settings: Settings,
}
