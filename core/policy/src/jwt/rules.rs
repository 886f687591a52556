//! What a provider's tokens must be, compiled, and the claims that are about the token itself.

use std::sync::Arc;

use cause::{ObjectName, Token, TokenPart};
use ir::{Provider, ProviderId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::claims::ClaimPath;
use super::shown_claim;

/// The compiled rules of one provider.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(super) id: ProviderId,
    issuer: Arc<str>,
    audiences: Vec<Arc<str>>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) accepted: Vec<Arc<str>>,
    leeway: SignedDuration,
    max_age: Option<SignedDuration>,
    pub(super) principal: ClaimPath,
    pub(super) team: Option<ClaimPath>,
    pub(super) roles: Option<ClaimPath>,
    pub(super) scopes: ClaimPath,
}

impl Rules {
    /// Compiles a provider. Algorithms that do not exist here admit nothing.
    #[must_use]
    pub fn compile(provider: &Provider) -> Self {
        let algorithms: Vec<Algorithm> = provider.algorithms.iter().filter_map(|name| Algorithm::of(name)).collect();
        Self {
            id: provider.id.clone(),
            issuer: Arc::clone(&provider.issuer),
            audiences: provider.audiences.clone(),
            accepted: algorithms.iter().map(|algorithm| algorithm.name().into()).collect(),
            algorithms,
            leeway: milliseconds(provider.leeway_ms),
            max_age: provider.max_age_ms.map(milliseconds),
            principal: ClaimPath::new(&provider.claims.principal),
            team: provider.claims.team.as_ref().map(ClaimPath::new),
            roles: provider.claims.roles.as_ref().map(ClaimPath::new),
            scopes: ClaimPath::new(&provider.claims.scopes),
        }
    }

    /// The issuer whose tokens these rules judge.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The IdentityProvider.
    #[must_use]
    pub const fn name(&self) -> &ObjectName {
        &self.id.0
    }

    /// `iss` is the provider's, to the letter (RFC 8725 section 3.8).
    pub(crate) fn issued_by_it(&self, claims: &Map<String, Value>) -> Result<(), Token> {
        match claims.get("iss") {
            Some(Value::String(issuer)) if **issuer == *self.issuer => Ok(()),
            Some(found) => {
                let accepted = vec![Arc::clone(&self.issuer)];
                Err(Token::IssuerUnknown { accepted, found: shown_claim(found.as_str().unwrap_or("of another type than text")) })
            }
            None => Err(Token::ClaimMissing { claim: "iss".into() }),
        }
    }

    /// `exp`, `nbf`, `iat` and the provider's `maxAge`. Gives when the token ends.
    pub(super) fn valid_at(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, Token> {
        let end = self.end(claims, now)?;
        end.ok_or_else(|| Token::ClaimMissing { claim: if self.max_age.is_some() { "iat" } else { "exp" }.into() })
    }

    /// The same, where no claim is required. Gives the end, where the claims have one.
    pub(crate) fn end(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Option<Timestamp>, Token> {
        let (expires, begins, issued) = (date(claims, "exp")?, date(claims, "nbf")?, date(claims, "iat")?);
        if let (Some(end), Some(start)) = (expires, begins)
            && start >= end
        {
            return Err(Token::Malformed { part: TokenPart::Claims });
        }
        let leeway_seconds = u64::try_from(self.leeway.as_secs()).unwrap_or_default();
        let mut end = None;
        if let Some(expired_at) = expires {
            let with_leeway = later(expired_at, self.leeway);
            if now >= with_leeway {
                return Err(Token::Expired { expired_at, now, leeway_seconds });
            }
            end = Some(with_leeway);
        }
        for valid_from in [begins, issued].into_iter().flatten() {
            if valid_from > later(now, self.leeway) {
                return Err(Token::NotYetValid { valid_from, now, leeway_seconds });
            }
        }
        if let Some(max_age) = self.max_age {
            let Some(issued_at) = issued else { return Ok(None) };
            let too_old = later(later(issued_at, max_age), self.leeway);
            if now >= too_old {
                let max_age_seconds = u64::try_from(max_age.as_secs()).unwrap_or_default();
                return Err(Token::TooOld { issued_at, max_age_seconds, now });
            }
            end = Some(end.map_or(too_old, |end| end.min(too_old)));
        }
        Ok(end)
    }

    /// `aud` names one of the provider's audiences (RFC 7519 section 4.1.3).
    pub(crate) fn meant_for_us(&self, claims: &Map<String, Value>) -> Result<(), Token> {
        let is_ours = |audience: &str| self.audiences.iter().any(|accepted| **accepted == *audience);
        let listed = match claims.get("aud") {
            Some(one @ Value::String(_)) => std::slice::from_ref(one),
            Some(Value::Array(listed)) if listed.iter().all(Value::is_string) => listed,
            Some(_) | None => return Err(Token::ClaimMissing { claim: "aud".into() }),
        };
        let mut named = listed.iter().filter_map(Value::as_str);
        if named.any(is_ours) {
            return Ok(());
        }
        let found: Vec<&str> = listed.iter().filter_map(Value::as_str).collect();
        let (provider, accepted) = (self.name().clone(), self.audiences.clone());
        Err(Token::AudienceWrong { provider, accepted, found: shown_claim(&found.join(", ")) })
    }
}

/// A date: seconds since 1970, whole or decimal, within the years that exist (RFC 7519 section 2).
fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Token> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let number = if let Value::Number(number) = value { Some(number) } else { None };
    let read = number.and_then(|number| match number.as_i64() {
        Some(second) if second >= 0 => Timestamp::from_second(second).ok(),
        Some(_) => None,
        None => {
            let seconds = number.as_f64().filter(|seconds| *seconds >= 0.0)?;
            Timestamp::from_duration(SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
        }
    });
    read.map(Some).ok_or_else(|| Token::ClaimMissing { claim: name.into() })
}

fn milliseconds(number: u64) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(number).unwrap_or(i64::MAX))
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}
