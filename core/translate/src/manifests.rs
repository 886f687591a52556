//! What a reader found: every object that translation looks at, by kind and name.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::{Fault, ObjectName};
use crds::standard::{ConfigMap, EndpointSlice, Gateway, Namespace, ReferenceGrant, Secret, Service};
use crds::v1alpha1::{AiModel, ApiKey, ApiRoute, GatewayConfig, IdentityProvider};
use jiff::Timestamp;
use serde_json::Value;

/// One object as its reader could read it.
#[derive(Clone, Debug, PartialEq)]
pub enum Written<T> {
    /// It has the shape of its kind.
    Good(Arc<T>),
    /// Its newest text was refused with these faults; this is the last good version of it.
    LastGood(Arc<T>, Vec<Fault>),
    /// It does not have the shape of its kind and never had, for these faults. The tree is what
    /// its text says, for the parts that can be told; `Null` where there is none.
    Broken(Vec<Fault>, Arc<Value>),
}

impl<T> Written<T> {
    /// The version that serves.
    #[must_use]
    pub const fn value(&self) -> Option<&Arc<T>> {
        match self {
            Self::Good(value) | Self::LastGood(value, _) => Some(value),
            Self::Broken(..) => None,
        }
    }

    /// What its reader found wrong with its newest text.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::Good(_) => &[],
            Self::LastGood(_, faults) | Self::Broken(faults, _) => faults,
        }
    }
}

/// The objects of one kind. A missing namespace has become `default`; kinds without namespaces
/// have an empty one.
pub type Objects<T> = BTreeMap<ObjectName, Written<T>>;

/// Every object that translation looks at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifests {
    /// APIs.
    pub api_routes: Objects<ApiRoute>,
    /// Credentials of consumers.
    pub api_keys: Objects<ApiKey>,
    /// Models.
    pub ai_models: Objects<AiModel>,
    /// Issuers of tokens.
    pub identity_providers: Objects<IdentityProvider>,
    /// How data planes behave.
    pub gateway_configs: Objects<GatewayConfig>,
    /// Where requests come in.
    pub gateways: Objects<Gateway>,
    /// Backends.
    pub services: Objects<Service>,
    /// Addresses of backends.
    pub endpoint_slices: Objects<EndpointSlice>,
    /// Credentials and certificates.
    pub secrets: Objects<Secret>,
    /// Certificate authorities.
    pub config_maps: Objects<ConfigMap>,
    /// Namespaces, for their labels.
    pub namespaces: Objects<Namespace>,
    /// Who may refer into which namespace.
    pub reference_grants: Objects<ReferenceGrant>,
}

/// What translation cannot read from manifests.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// The time, for what has expired.
    pub now: Timestamp,
    /// The manifests are files and no cluster stands behind them.
    pub standalone: bool,
    /// What is said to exist elsewhere.
    pub assume: Vec<Assumption>,
}

/// An object, or all of a kind, that exists although no manifest says so. References to it are
/// not faults; what needs its content is closed all the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Assumption {
    /// The kind, in any case.
    pub kind: Arc<str>,
    /// `name` in any namespace, or `namespace/name`; `None` is all of the kind.
    pub name: Option<Arc<str>>,
}

impl Assumption {
    /// Whether it says that this object exists.
    #[must_use]
    pub fn covers(&self, kind: &str, name: &ObjectName) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
            && self.name.as_ref().is_none_or(|given| match given.split_once('/') {
                Some((namespace, object)) => *namespace == *name.namespace && *object == *name.name,
                None => **given == *name.name,
            })
    }
}
