//! Signed tokens: JWS in compact form (RFC 7515) with the claims of RFC 7519, by the rules of
//! RFC 8725.
//!
//! The reading is ours and strict; the cryptography is aws-lc's. The algorithm belongs to the key,
//! never to the token: a token only chooses among what its issuer's keys and the provider's list
//! allow, and a `kid` is compared, never followed. Nothing of the claims is told before the
//! signature was verified.

mod algorithm;
mod claims;
mod compact;
mod key_set;
mod rules;

use std::sync::Arc;

use cause::{Token, TokenPart};
use jiff::Timestamp;

pub use key_set::{KeySet, KeySetFault};
pub use rules::Rules;

use crate::principal::{Principal, PrincipalKind};
use crate::strict;
use compact::Compact;
use key_set::Search;

pub(crate) use claims::principal;

/// Bytes that a token may have.
pub const LONGEST: usize = 32 * 1024;

/// A token that was found good.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// Whose it is.
    pub principal: Principal,
    /// When it ends, leeway included; `None` where an introspected token names no end.
    pub expires_at: Option<Timestamp>,
}

/// Why a token is not good.
#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    /// The key set has no key of this name: the issuer may have published a new one.
    KeyUnknown,
    /// This is the cause.
    Cause(Token),
}

impl Refused {
    /// The cause, where no newer key set can change it.
    #[must_use]
    pub fn into_cause(self, rules: &Rules) -> Token {
        match self {
            Self::KeyUnknown => Token::KeyUnknown { provider: rules.name().clone() },
            Self::Cause(token) => token,
        }
    }
}

impl From<Token> for Refused {
    fn from(token: Token) -> Self {
        Self::Cause(token)
    }
}

/// The issuer that a token claims, before anything of it is verified: only to choose whose rules
/// and keys judge it. `None` where the text is no JWS or names no issuer.
#[must_use]
pub fn peek_issuer(text: &str) -> Option<String> {
    compact::issuer(text)
}

/// A claim as it may be shown to an owner: bounded, since a stranger may have written it.
#[must_use]
pub fn shown_claim(text: &str) -> Arc<str> {
    const LETTERS: usize = 200;
    let shown: String = text.chars().take(LETTERS).collect();
    if shown.is_empty() { "an empty text".into() } else { shown.into() }
}

/// Why a text that claims no issuer is not taken for a token of any.
#[must_use]
pub fn malformed(text: &str) -> Token {
    match Compact::read(text) {
        Err(cause) => cause,
        Ok(token) => match token.header() {
            Err(cause) => cause,
            Ok(_) if strict::object(&token.payload).is_none() => Token::Malformed { part: TokenPart::Claims },
            Ok(_) => Token::ClaimMissing { claim: "iss".into() },
        },
    }
}

/// Judges a token by its issuer's rules and keys.
///
/// # Errors
/// [`Refused::KeyUnknown`], or the cause: any of `token.*` but those of fetching keys and of
/// introspection.
pub fn verify(text: &str, rules: &Rules, keys: &KeySet, now: Timestamp) -> Result<Verified, Refused> {
    let token = Compact::read(text)?;
    let header = token.header()?;
    let not_allowed = |by_key| Token::AlgorithmNotAllowed { accepted: rules.accepted.clone(), by_key };
    let algorithm = header.algorithm.filter(|algorithm| rules.algorithms.contains(algorithm));
    let algorithm = algorithm.ok_or_else(|| not_allowed(false))?;
    match keys.verify(header.kid.as_deref(), algorithm, token.signed, &token.signature) {
        Search::Verified => {}
        Search::KeyUnknown => return Err(Refused::KeyUnknown),
        Search::AlgorithmNotAllowed => return Err(not_allowed(true).into()),
        Search::Invalid => return Err(Token::SignatureInvalid { provider: rules.name().clone() }.into()),
    }
    let claims = strict::object(&token.payload).ok_or(Token::Malformed { part: TokenPart::Claims })?;
    rules.issued_by_it(&claims)?;
    let expires_at = rules.valid_at(&claims, now)?;
    rules.meant_for_us(&claims)?;
    let principal = principal(PrincipalKind::Jwt, rules, claims)?;
    Ok(Verified { principal, expires_at: Some(expires_at) })
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::provider as test_provider;
