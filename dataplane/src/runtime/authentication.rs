//! How callers of a route prove who they are.

use std::sync::{Arc, LazyLock};

use cause::CredentialKind;
use http::HeaderName;
use ir::{AuthenticationMode, Consumers, KeySource, Method};

use super::Provider;

/// How callers of a route prove who they are.
#[derive(Debug)]
pub(crate) struct Authentication {
    /// Whether they must.
    pub(crate) mode: AuthenticationMode,
    /// Whose keys are admitted.
    pub(crate) consumers: Consumers,
    /// Where API keys are accepted.
    pub(crate) keys: Vec<KeyPlace>,
    /// Whether API keys are accepted in `Authorization: Bearer`.
    pub(crate) bearer_keys: bool,
    /// Issuers of tokens that are judged by their signature.
    pub(crate) jwt: Vec<Arc<Provider>>,
    /// Issuers that are asked about tokens.
    pub(crate) introspection: Vec<Arc<Provider>>,
    /// Where credentials are accepted, in words.
    pub(crate) accepted: Vec<Arc<str>>,
    /// What a 401 offers.
    pub(crate) challenges: Vec<Challenge>,
    /// Query parameters that carry keys: no output shows their values.
    pub(crate) redacted: Option<Arc<[Arc<str>]>>,
}

/// A place of API keys beside `Authorization`.
#[derive(Clone, Debug)]
pub(crate) enum KeyPlace {
    /// A header field, and its place in words.
    Header(HeaderName, Arc<str>),
    /// A query parameter, and its place in words.
    Query(Arc<str>, Arc<str>),
}

impl KeyPlace {
    /// The place in words.
    pub(crate) const fn source(&self) -> &Arc<str> {
        match self {
            Self::Header(_, source) | Self::Query(_, source) => source,
        }
    }
}

/// One challenge of `WWW-Authenticate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// RFC 6750.
    Bearer,
    /// An API key, with the parameters that say where.
    ApiKey(String),
}

/// The place of bearer credentials, in words.
pub(crate) static BEARER: LazyLock<Arc<str>> = LazyLock::new(|| "Authorization: Bearer".into());

impl Authentication {
    /// Compiles a route's methods; `None` where it asks nobody. `provider` finds an issuer; the
    /// translator has closed routes whose issuers are missing.
    pub(crate) fn compile(checks: &ir::Checks, provider: impl Fn(&ir::ProviderId) -> Option<Arc<Provider>>) -> Option<Self> {
        let written = &checks.authentication;
        if written.mode == AuthenticationMode::Anonymous {
            return None;
        }
        let mut compiled = Self {
            mode: written.mode,
            consumers: checks.consumers.clone(),
            keys: Vec::new(),
            bearer_keys: false,
            jwt: Vec::new(),
            introspection: Vec::new(),
            accepted: Vec::new(),
            challenges: Vec::new(),
            redacted: None,
        };
        for method in &written.methods {
            match method {
                Method::ApiKey(KeySource::Header(name)) => {
                    let Ok(parsed) = name.parse::<HeaderName>() else { continue };
                    let place: Arc<str> = format!("header {}", titled(name)).into();
                    compiled.challenge(Challenge::ApiKey(format!("in=\"header\", name=\"{}\"", titled(name))));
                    compiled.accept(&place);
                    compiled.keys.push(KeyPlace::Header(parsed, place));
                }
                Method::ApiKey(KeySource::Query(name)) => {
                    let place: Arc<str> = format!("query parameter {name}").into();
                    let shown: String = name.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\')).collect();
                    compiled.challenge(Challenge::ApiKey(format!("in=\"query\", name=\"{shown}\"")));
                    compiled.accept(&place);
                    compiled.keys.push(KeyPlace::Query(Arc::clone(name), place));
                }
                Method::ApiKey(KeySource::Bearer) => {
                    compiled.bearer_keys = true;
                    compiled.bearer();
                }
                Method::Jwt(id) => {
                    compiled.jwt.extend(provider(id));
                    compiled.bearer();
                }
                Method::Introspection(id) => {
                    compiled.introspection.extend(provider(id));
                    compiled.bearer();
                }
            }
        }
        let named = compiled.keys.iter().filter_map(|place| match place {
            KeyPlace::Header(..) => None,
            KeyPlace::Query(name, _) => Some(Arc::clone(name)),
        });
        let named: Arc<[Arc<str>]> = named.collect();
        compiled.redacted = (!named.is_empty()).then_some(named);
        Some(compiled)
    }

    /// Whether `Authorization: Bearer` is looked at.
    #[must_use]
    pub(crate) fn takes_bearer(&self) -> bool {
        self.bearer_keys || !self.jwt.is_empty() || !self.introspection.is_empty()
    }

    /// What `Authorization: Bearer` holds first of all.
    #[must_use]
    pub(crate) fn bearer_kind(&self) -> CredentialKind {
        if !self.jwt.is_empty() {
            CredentialKind::Jwt
        } else if self.introspection.is_empty() {
            CredentialKind::ApiKey
        } else {
            CredentialKind::Introspection
        }
    }

    /// What is accepted, for a caller whose text in `source` was of another kind.
    #[must_use]
    pub(crate) fn accepted_but(&self, source: &Arc<str>) -> Vec<Arc<str>> {
        let token: Arc<str> = format!("{source} (a token, not a key)").into();
        self.accepted.iter().map(|place| if place == source { Arc::clone(&token) } else { Arc::clone(place) }).collect()
    }

    fn bearer(&mut self) {
        self.accept(&BEARER);
        self.challenge(Challenge::Bearer);
    }

    fn accept(&mut self, place: &Arc<str>) {
        if !self.accepted.contains(place) {
            self.accepted.push(Arc::clone(place));
        }
    }

    fn challenge(&mut self, challenge: Challenge) {
        if !self.challenges.contains(&challenge) {
            self.challenges.push(challenge);
        }
    }
}

/// `x-api-key` as people write it: `X-Api-Key`.
fn titled(name: &str) -> String {
    let mut start = true;
    name.chars()
        .map(|character| {
            let shown = if start { character.to_ascii_uppercase() } else { character };
            start = character == '-';
            shown
        })
        .collect()
}
