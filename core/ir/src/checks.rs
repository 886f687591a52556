//! Who may call, from where and how much: one struct, so that other kinds can hang the same
//! checks on their routes.

use std::collections::BTreeSet;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{Part, ProviderId};

/// All checks of a route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checks {
    /// Who calls.
    pub authentication: Authentication,
    /// Whose keys are admitted.
    pub consumers: Consumers,
    /// What principals may do.
    pub authorization: Authorization,
    /// From where.
    pub addresses: Addresses,
    /// How much.
    pub limits: Vec<Limit>,
    /// Bytes of request body that are accepted; `None` where the body streams through.
    pub max_body_bytes: Option<u64>,
}

/// Whether a check refuses or is only observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Enforcement {
    /// It refuses.
    #[default]
    Enforce,
    /// It is evaluated and recorded, and never refuses.
    Shadow,
}

/// How callers prove who they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Authentication {
    /// Whether they must.
    pub mode: AuthenticationMode,
    /// What is accepted.
    pub methods: Vec<Method>,
}

/// Whether callers must prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AuthenticationMode {
    /// A good credential is needed.
    Required,
    /// A request without a credential is admitted; one with a bad credential is not.
    Optional,
    /// Credentials are not looked at.
    Anonymous,
    /// Evaluated as `Required`; whatever that refuses goes on as anonymous and is recorded.
    Shadow,
}

/// One accepted kind of credential, and where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Method {
    /// An API key.
    ApiKey(KeySource),
    /// A signed token in `Authorization: Bearer`.
    Jwt(ProviderId),
    /// A token in `Authorization: Bearer` that the issuer is asked about.
    Introspection(ProviderId),
}

/// Where an API key is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeySource {
    /// A header field, named in lower case.
    Header(Arc<str>),
    /// `Authorization: Bearer`.
    Bearer,
    /// A query parameter.
    Query(Arc<str>),
}

/// Whose API keys are admitted. The translator resolves `Same` and selectors to namespaces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Consumers {
    /// The admitted namespaces; `None` admits all.
    pub namespaces: Option<BTreeSet<Arc<str>>>,
    /// Whether it refuses.
    pub enforcement: Enforcement,
}

/// Named rules about principals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Authorization {
    /// In the order of the manifest; Deny rules are judged first.
    pub rules: Vec<Rule>,
}

/// One rule: all of its conditions hold together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name.
    pub name: Arc<str>,
    /// What a match does.
    pub effect: Effect,
    /// Whether it counts.
    pub enforcement: Enforcement,
    /// Methods; empty matches all. `GET` matches `HEAD` too.
    pub methods: Vec<Arc<str>>,
    /// Roles, of which the principal needs one; empty asks for none.
    pub roles: Vec<Arc<str>>,
    /// Scopes, all of which the principal needs; empty asks for none.
    pub scopes: Vec<Arc<str>>,
    /// A CEL expression, or the fault of one that does not compile (it refuses).
    pub when: Option<Part<Arc<str>>>,
}

/// What a matching rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Effect {
    /// Admits.
    Allow,
    /// Refuses.
    Deny,
}

/// Networks that may or may not call. Sorted, without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Addresses {
    /// When not empty, only these may call.
    pub allow: Vec<IpNet>,
    /// These may not; judged first.
    pub deny: Vec<IpNet>,
    /// Whether it refuses.
    pub enforcement: Enforcement,
}

/// A named limit of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// Its name.
    pub name: Arc<str>,
    /// What is counted apart; empty counts all calls together.
    pub per: Vec<Dimension>,
    /// Requests a window; at least 1.
    pub requests: u64,
    /// The window, in milliseconds; at least 1.
    pub window_ms: u64,
    /// How many calls may come at once; at least 1.
    pub burst: u64,
    /// Whether it refuses.
    pub enforcement: Enforcement,
}

/// What a limit counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Dimension {
    /// Each principal; anonymous callers share one count.
    Principal,
    /// Each team.
    Team,
    /// Each client address (IPv6: each /64).
    ClientAddress,
    /// Each version of the route.
    Version,
}
