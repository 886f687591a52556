//! What the status of each object says: plain data, so that whoever writes it decides nothing.
//!
//! `Programmed` and `Ready` are not here: whether data planes serve what was translated only their
//! answers tell.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::{Fault, ObjectName};
use crds::v1alpha1 as written;
use ir::SharedMap;

/// Whether something holds, and why: what a condition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it holds.
    pub holds: bool,
    /// Why, in one word: Gateway API's where it has one.
    pub reason: &'static str,
    /// Why, in a sentence; empty where nothing needs to be said.
    pub message: Arc<str>,
}

impl Verdict {
    /// It holds.
    #[must_use]
    pub fn holds(reason: &'static str) -> Self {
        Self { holds: true, reason, message: Arc::default() }
    }

    /// It does not hold.
    pub(crate) fn fails(reason: &'static str, message: impl Into<Arc<str>>) -> Self {
        Self { holds: false, reason, message: message.into() }
    }

    /// It does not hold for a fault, told with what mends it.
    pub(crate) fn fails_for(reason: &'static str, fault: &Fault) -> Self {
        Self::fails(reason, told(fault))
    }
}

/// A fault as one text: where, what, and what mends it.
pub(crate) fn told(fault: &Fault) -> String {
    let mut text = fault.field.to_string();
    if !text.is_empty() {
        text.push_str(": ");
    }
    text.push_str(&fault.message());
    text.push('.');
    let remedy = fault.remedy();
    if !remedy.is_empty() {
        text.push(' ');
        text.push_str(&remedy);
    }
    text
}

/// What the conditions of an object say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// `Accepted`: whether what it says can be served.
    pub accepted: Verdict,
    /// `ResolvedRefs`: whether all that it names is there and may be used.
    pub resolved_refs: Verdict,
    /// `Stalled`: why nothing but a change of the object mends it; `None` where that is not so.
    pub stalled: Option<Verdict>,
}

/// What a Gateway says of a route that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentStanding {
    /// Which of `spec.parentRefs` it is; `None` for the default Gateway of a route that names none.
    pub index: Option<usize>,
    /// The Gateway.
    pub gateway: ObjectName,
    /// The listener that the route asks for.
    pub section: Option<Arc<str>>,
    /// The port that the route asks for.
    pub port: Option<u16>,
    /// The listeners that take the route.
    pub listeners: Vec<Arc<str>>,
    /// `Accepted`.
    pub accepted: Verdict,
    /// `ResolvedRefs`.
    pub resolved_refs: Verdict,
    /// `PartiallyInvalid`: which rules are not served, where others are.
    pub partially_invalid: Option<Verdict>,
}

/// What is said of an ApiRoute.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiRouteStanding {
    /// Its conditions.
    pub standing: Standing,
    /// What each Gateway says of it.
    pub parents: Vec<ParentStanding>,
    /// The rest of its status, without conditions and parents.
    pub status: written::ApiRouteStatus,
}

/// What is said of an ApiKey.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKeyStanding {
    /// Its conditions.
    pub standing: Standing,
    /// The rest of its status, without conditions.
    pub status: written::ApiKeyStatus,
}

/// What is said of an AiModel.
#[derive(Clone, Debug, PartialEq)]
pub struct AiModelStanding {
    /// Its conditions.
    pub standing: Standing,
    /// The rest of its status, without conditions.
    pub status: written::AiModelStatus,
}

/// What is said of an IdentityProvider.
#[derive(Clone, Debug, PartialEq)]
pub struct IdentityProviderStanding {
    /// Its conditions.
    pub standing: Standing,
    /// The rest of its status, without conditions.
    pub status: written::IdentityProviderStatus,
}

/// What is said of a GatewayConfig.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayConfigStanding {
    /// Its conditions.
    pub standing: Standing,
    /// The rest of its status, without conditions.
    pub status: written::GatewayConfigStatus,
}

/// What is said of a GatewayClass of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassStanding {
    /// `Accepted`.
    pub accepted: Verdict,
    /// `SupportedVersion`, where the version of the installed definitions is known.
    pub supported_version: Option<Verdict>,
}

/// The reason of what is refused while an earlier version of it serves.
pub const SERVING_LAST_GOOD: &str = "ServingLastGood";

/// What is said of a Gateway of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayStanding {
    /// The GatewayConfig that holds for it.
    pub config: Option<ObjectName>,
    /// `Accepted`.
    pub accepted: Verdict,
    /// Its listeners, in its order.
    pub listeners: Vec<ListenerStanding>,
}

impl GatewayStanding {
    /// Whether it has anything to be programmed: it is accepted and a listener serves.
    #[must_use]
    pub fn is_programmable(&self) -> bool {
        self.accepted.holds && self.listeners.iter().any(|listener| listener.programmable.holds)
    }

    /// Whether what it asks for may be made: it is accepted, or an earlier version of it that was goes on.
    #[must_use]
    pub fn is_deployable(&self) -> bool {
        self.accepted.holds || self.accepted.reason == SERVING_LAST_GOOD
    }
}

/// What is said of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerStanding {
    /// Its name.
    pub name: Arc<str>,
    /// The kinds of routes that it takes: group and kind.
    pub supported_kinds: Vec<(&'static str, &'static str)>,
    /// How many routes it takes.
    pub attached_routes: i32,
    /// `Accepted`.
    pub accepted: Verdict,
    /// `ResolvedRefs`.
    pub resolved_refs: Verdict,
    /// `Conflicted`: it holds where the listener is in conflict.
    pub conflicted: Verdict,
    /// What `Programmed` needs beside the data planes' word; where it does not hold, that is what
    /// `Programmed` says.
    pub programmable: Verdict,
}

/// What the status of every object says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standings {
    /// GatewayClasses of ours.
    pub gateway_classes: BTreeMap<ObjectName, ClassStanding>,
    /// Gateways of ours.
    pub gateways: BTreeMap<ObjectName, GatewayStanding>,
    /// ApiRoutes.
    pub api_routes: SharedMap<ObjectName, Arc<ApiRouteStanding>>,
    /// HTTPRoutes that name a Gateway of ours.
    pub http_routes: BTreeMap<ObjectName, Vec<ParentStanding>>,
    /// What there is to say of Ingresses of ours, which have no conditions; only of those of which there is something.
    pub ingresses: BTreeMap<ObjectName, Verdict>,
    /// ApiKeys.
    pub api_keys: BTreeMap<ObjectName, Arc<ApiKeyStanding>>,
    /// AiModels.
    pub ai_models: BTreeMap<ObjectName, AiModelStanding>,
    /// IdentityProviders.
    pub identity_providers: BTreeMap<ObjectName, IdentityProviderStanding>,
    /// GatewayConfigs.
    pub gateway_configs: BTreeMap<ObjectName, GatewayConfigStanding>,
}
