//! Who a request proved to be: what credentials of all kinds come down to.

use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use ir::{KeyId, ProviderId};
use serde_json::{Map, Value};

/// How a principal was proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {
    /// Not at all.
    Anonymous,
    /// By an API key.
    ApiKey,
    /// By a signed token.
    Jwt,
    /// By a token that its issuer vouched for.
    Introspection,
}

impl PrincipalKind {
    /// The word in expressions, logs and evidence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "Anonymous",
            Self::ApiKey => "ApiKey",
            Self::Jwt => "Jwt",
            Self::Introspection => "Introspection",
        }
    }
}

/// What is known of a principal.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// How it was proven.
    pub kind: PrincipalKind,
    /// Its name: the consumer of a key, the principal claim of a token; empty when anonymous.
    pub name: Arc<str>,
    /// Its team: the namespace of a key, the team claim of a token.
    pub team: Option<Arc<str>>,
    /// Its roles.
    pub roles: Arc<[Arc<str>]>,
    /// The scopes of its token; keys have none.
    pub scopes: Arc<[Arc<str>]>,
    /// The claims of its token; keys have none.
    pub claims: Arc<Map<String, Value>>,
    /// The key, where one was used.
    pub key: Option<KeyId>,
    /// The issuer, where a token was used.
    pub provider: Option<ProviderId>,
}

/// No scopes, and no claims: made once, and shared by all keys.
static NO_SCOPES: LazyLock<Arc<[Arc<str>]>> = LazyLock::new(|| Arc::new([]));
static NO_CLAIMS: LazyLock<Arc<Map<String, Value>>> = LazyLock::new(Arc::default);

/// A principal, cheap to clone: it travels through evidence, limits and logs.
#[derive(Clone, Debug, PartialEq)]
pub struct Principal(Arc<Facts>);

impl Principal {
    /// Nobody in particular. Make one per configuration and clone it.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::from(Facts {
            kind: PrincipalKind::Anonymous,
            name: "".into(),
            team: None,
            roles: Arc::new([]),
            scopes: Arc::new([]),
            claims: Arc::default(),
            key: None,
            provider: None,
        })
    }

    /// Whether another credential proves the same principal; two keys of one consumer do, whatever their roles.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.kind, &self.name, &self.team, &self.provider) == (other.kind, &other.name, &other.team, &other.provider)
    }

    /// The principal of a key.
    #[must_use]
    pub fn of_key(key: &ir::Key) -> Self {
        Self::from(Facts {
            kind: PrincipalKind::ApiKey,
            name: Arc::clone(&key.consumer),
            team: Some(Arc::clone(&key.id.0.namespace)),
            roles: Arc::clone(&key.roles),
            scopes: Arc::clone(&NO_SCOPES),
            claims: Arc::clone(&NO_CLAIMS),
            key: Some(key.id.clone()),
            provider: None,
        })
    }
}

impl From<Facts> for Principal {
    fn from(facts: Facts) -> Self {
        Self(Arc::new(facts))
    }
}

impl Deref for Principal {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}
