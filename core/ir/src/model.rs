//! One model at one provider.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{ModelId, Secret, ServiceId, UrlBackend};

/// One model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The AiModel.
    pub id: ModelId,
    /// The provider's id in the catalogue, or `Custom`.
    pub provider: Arc<str>,
    /// What the provider calls it.
    pub model: Arc<str>,
    /// Where the provider is.
    pub endpoint: ModelEndpoint,
    /// The wire form it speaks.
    pub dialect: Dialect,
    /// The gateway's own credential; `None` where the provider asks for none.
    pub credential: Option<Secret>,
}

/// Where a provider is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ModelEndpoint {
    /// At a URL; its path is the API's base.
    Url(UrlBackend),
    /// At a Service of the cluster.
    Service {
        /// The Service and port.
        service: ServiceId,
        /// The API's base; without a trailing slash, empty for none.
        path: Arc<str>,
    },
}

/// A provider's wire form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Dialect {
    /// OpenAI's.
    OpenAi,
}
