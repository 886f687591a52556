//! Keys and the issuers of tokens.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Addresses, KeyId, Limit, ProviderId, RouteId, Secret};

/// One credential of one consumer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// The ApiKey; its namespace is the team.
    pub id: KeyId,
    /// The consumer that holds it.
    pub consumer: Arc<str>,
    /// Roles of its principal.
    pub roles: Arc<[Arc<str>]>,
    /// The routes it is for; `None` is every route that admits its namespace.
    pub routes: Option<BTreeSet<RouteId>>,
    /// SHA-256 of its text; `None` where its Secret cannot be read, so that no text is its.
    pub hash: Option<[u8; 32]>,
    /// Its public id (`dw_<env>_<id>`), where its text is ours and known.
    pub public_id: Option<Arc<str>>,
    /// The texts that rotations replaced, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierText>,
    /// Not valid before.
    pub not_before: Option<Timestamp>,
    /// Not valid from this time on.
    pub expires_at: Option<Timestamp>,
    /// Suspended by its owner.
    pub suspended: bool,
    /// From where it may be used.
    pub addresses: Addresses,
    /// How much it may be used, beside the route's limits.
    pub limits: Vec<Limit>,
}

/// A text of a key that a rotation replaced: good for its overlap, known for what it was after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierText {
    /// SHA-256 of it.
    pub hash: [u8; 32],
    /// Its public id, where it is known.
    pub public_id: Option<Arc<str>>,
    /// Not good from this time on.
    pub until: Timestamp,
}

/// Who vouches for tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provider {
    /// The IdentityProvider.
    pub id: ProviderId,
    /// `iss` of its tokens.
    pub issuer: Arc<str>,
    /// `aud` must name one of these; at least one.
    pub audiences: Vec<Arc<str>>,
    /// JWS algorithms that are accepted, asymmetric only; at least one.
    pub algorithms: Vec<Arc<str>>,
    /// Where its keys are.
    pub keys: KeySet,
    /// Where it can be asked about a token (RFC 7662).
    pub introspection: Option<Introspection>,
    /// Which claims say what.
    pub claims: Claims,
    /// Clock difference that is forgiven, in milliseconds.
    pub leeway_ms: u64,
    /// With `maxAge`, tokens older than this by `iat` are refused and `exp` is optional. Milliseconds.
    pub max_age_ms: Option<u64>,
}

/// Where an issuer's keys are (RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeySet {
    /// The JSON text of the key set.
    Inline(Arc<str>),
    /// Fetched from this URL.
    Uri(Arc<str>),
    /// Found by OIDC discovery below the issuer.
    Discovery,
}

/// Where an issuer is asked about a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Introspection {
    /// The endpoint.
    pub uri: Arc<str>,
    /// The gateway's own client id.
    pub client_id: Arc<str>,
    /// The gateway's own client secret.
    pub client_secret: Secret,
}

/// Which claims say who a token's principal is. Paths are dotted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Its name; required in every token.
    pub principal: Arc<str>,
    /// Its team.
    pub team: Option<Arc<str>>,
    /// Its roles: a list of texts, or one text with blanks between.
    pub roles: Option<Arc<str>>,
    /// Its scopes: one text with blanks between (RFC 8693), or a list.
    pub scopes: Arc<str>,
}
