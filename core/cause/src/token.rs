//! `token.*`: a JWT (RFC 7519, RFC 8725) or an introspected token (RFC 7662) is not accepted.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::{Action, Entry, Fixer, Listed, ObjectName, Retry, Status, Tell};

/// Which part of a token is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TokenPart {
    /// Not three base64url parts, or too large.
    Structure,
    /// The JOSE header.
    Header,
    /// The claims.
    Claims,
}

impl TokenPart {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Header => "header",
            Self::Claims => "claims",
        }
    }
}

/// Why the token is refused. Claims are told only after the signature was verified.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Token {
    /// Not a JWS in compact form, or JSON that is not strict.
    Malformed {
        /// Which part.
        part: TokenPart,
    },
    /// The token is encrypted; no encrypted token is accepted.
    Encrypted,
    /// The `alg` is not one that the provider's keys and list allow.
    AlgorithmNotAllowed {
        /// The algorithms that are accepted.
        accepted: Vec<Arc<str>>,
        /// Whether it is one of them, and the key that the token's `kid` names is for another.
        by_key: bool,
    },
    /// A `crit` header names an extension that is not understood (RFC 7515 section 4.1.11).
    CriticalHeader,
    /// The `typ` says that this is no access token (RFC 8725 section 3.11).
    TypeNotAccepted,
    /// No method of the route accepts tokens of this issuer.
    IssuerUnknown {
        /// Issuers that the route accepts.
        accepted: Vec<Arc<str>>,
        /// The issuer that the token claims, as it may be shown to the owner.
        found: Arc<str>,
    },
    /// No key of the issuer has the token's `kid`.
    KeyUnknown {
        /// The provider that was asked.
        provider: ObjectName,
    },
    /// The signature does not verify.
    SignatureInvalid {
        /// The provider whose keys were tried.
        provider: ObjectName,
    },
    /// `exp` has passed.
    Expired {
        /// When it ended.
        expired_at: Timestamp,
        /// The time of the request.
        now: Timestamp,
        /// Seconds of leeway already granted.
        leeway_seconds: u64,
    },
    /// `nbf` or `iat` lies ahead.
    NotYetValid {
        /// When it begins.
        valid_from: Timestamp,
        /// The time of the request.
        now: Timestamp,
        /// Seconds of leeway already granted.
        leeway_seconds: u64,
    },
    /// The token is older than the provider's `maxAge`.
    TooOld {
        /// When it was issued.
        issued_at: Timestamp,
        /// Seconds allowed.
        max_age_seconds: u64,
        /// The time of the request.
        now: Timestamp,
    },
    /// `aud` names none of the provider's audiences.
    AudienceWrong {
        /// The provider.
        provider: ObjectName,
        /// The audiences that are accepted.
        accepted: Vec<Arc<str>>,
        /// The audiences of the token, as they may be shown to the owner.
        found: Arc<str>,
    },
    /// A required claim is absent or of the wrong type.
    ClaimMissing {
        /// The claim, as a path such as `sub`.
        claim: Arc<str>,
    },
    /// The issuer says that the token is not active.
    Inactive {
        /// The provider that was asked.
        provider: ObjectName,
    },
    /// The issuer's key set could not be fetched, or is too old to use.
    KeysUnavailable {
        /// The provider.
        provider: ObjectName,
        /// What failed, for the owner.
        reason: Arc<str>,
    },
    /// The introspection endpoint could not be asked.
    IntrospectionUnavailable {
        /// The provider.
        provider: ObjectName,
        /// What failed, for the owner.
        reason: Arc<str>,
    },
    /// The introspection endpoint refused the gateway's own client credentials.
    IntrospectionRefused {
        /// The provider.
        provider: ObjectName,
    },
}

impl Token {
    #[expect(clippy::too_many_lines, reason = "the table of this family, one row each")]
    pub(crate) fn tell(&self, tell: Tell<'_>) {
        let refused =
            |code, action, title| Entry { code, status: Status::new(401), by: Fixer::Caller, action, retry: Retry::Never, title };
        let ours = |code, status, title| Entry {
            code,
            status: Status::new(status),
            by: Fixer::Platform,
            action: Action::FixUpstream,
            retry: if status == 503 { Retry::Later } else { Retry::Never },
            title,
        };
        match self {
            Self::Malformed { part } => tell(
                refused("token.malformed", Action::ReplaceCredential, "The token is malformed"),
                [
                    format_args!("The token's {} cannot be read.", part.as_str()),
                    format_args!("Send the token exactly as the issuer gave it."),
                    format_args!(""),
                ],
            ),
            Self::Encrypted => tell(
                refused("token.encrypted", Action::ReplaceCredential, "Encrypted tokens are not accepted"),
                [
                    format_args!("The token is a JWE; only signed tokens (JWS) are accepted."),
                    format_args!("Ask the issuer for a signed access token."),
                    format_args!(""),
                ],
            ),
            Self::AlgorithmNotAllowed { by_key: true, .. } => tell(
                refused("token.algorithm_not_allowed", Action::ReplaceCredential, "The token's algorithm is not accepted"),
                [
                    format_args!("The key that the token's kid names is not for the token's algorithm."),
                    format_args!("Have the issuer name in kid the key that it signs with."),
                    format_args!("See `alg` and `kty` of that key in the key set."),
                ],
            ),
            Self::AlgorithmNotAllowed { accepted, by_key: false } => tell(
                refused("token.algorithm_not_allowed", Action::ReplaceCredential, "The token's algorithm is not accepted"),
                [
                    format_args!("Tokens must be signed with one of {}.", Listed(accepted)),
                    format_args!("Have the issuer sign with one of {}.", Listed(accepted)),
                    format_args!("See `spec.algorithms` of the IdentityProvider and the keys' own `alg`."),
                ],
            ),
            Self::CriticalHeader => tell(
                refused(
                    "token.critical_header",
                    Action::ReplaceCredential,
                    "The token demands an extension that is not understood",
                ),
                [
                    format_args!("The token's crit header names an extension that this gateway does not implement."),
                    format_args!("Ask the issuer for a token without crit."),
                    format_args!(""),
                ],
            ),
            Self::TypeNotAccepted => tell(
                refused("token.type_not_accepted", Action::ReplaceCredential, "The token is of another type"),
                [
                    format_args!("The token's typ says that it is no access token."),
                    format_args!("Send the access token, not an ID or logout token."),
                    format_args!(""),
                ],
            ),
            Self::IssuerUnknown { accepted, found } => tell(
                refused("token.issuer_unknown", Action::ReplaceCredential, "The token's issuer is not accepted here"),
                [
                    format_args!("This API accepts tokens of {}.", Listed(accepted)),
                    format_args!("Get a token from one of {}.", Listed(accepted)),
                    format_args!(
                        "The token claims the issuer {found}; add a `jwt` method whose provider has it, if it should be admitted."
                    ),
                ],
            ),
            Self::KeyUnknown { provider } => tell(
                refused(
                    "token.key_unknown",
                    Action::RefreshToken,
                    "The token was signed with a key that the issuer does not publish",
                ),
                [
                    format_args!("No published key of the issuer has the token's kid."),
                    format_args!("Get a new token from the issuer."),
                    format_args!("The key set of IdentityProvider {provider} was fresh when it was searched."),
                ],
            ),
            Self::SignatureInvalid { provider } => tell(
                refused("token.signature_invalid", Action::RefreshToken, "The token's signature does not verify"),
                [
                    format_args!("The token was changed, cut, or signed with another key."),
                    format_args!("Get a new token from the issuer."),
                    format_args!("The keys of IdentityProvider {provider} were tried."),
                ],
            ),
            Self::Expired { expired_at, now, leeway_seconds } => tell(
                refused("token.expired", Action::RefreshToken, "The token has expired"),
                [
                    format_args!(
                        "The token expired at {expired_at}; the gateway's time is {now:.0}, with {leeway_seconds} s of leeway."
                    ),
                    format_args!("Get a new token from the issuer; check the clock if it is new."),
                    format_args!(""),
                ],
            ),
            Self::NotYetValid { valid_from, now, leeway_seconds } => tell(
                refused("token.not_yet_valid", Action::Wait, "The token is not valid yet"),
                [
                    format_args!(
                        "The token is valid from {valid_from}; the gateway's time is {now:.0}, with {leeway_seconds} s of leeway."
                    ),
                    format_args!("Check the issuer's and the sender's clock, or use the token later."),
                    format_args!(""),
                ],
            ),
            Self::TooOld { issued_at, max_age_seconds, now } => tell(
                refused("token.too_old", Action::RefreshToken, "The token was issued too long ago"),
                [
                    format_args!("The token was issued at {issued_at}; at {now:.0} that is more than {max_age_seconds} s ago."),
                    format_args!("Get a new token from the issuer."),
                    format_args!("See `spec.maxAge` of the IdentityProvider."),
                ],
            ),
            Self::AudienceWrong { provider, accepted, found } => tell(
                refused("token.audience_wrong", Action::RefreshToken, "The token is for another audience"),
                [
                    format_args!("The token's aud names none of {}.", Listed(accepted)),
                    format_args!("Ask the issuer for a token with one of the audiences {}.", Listed(accepted)),
                    format_args!("The token is for {found}; see `spec.audiences` of IdentityProvider {provider}."),
                ],
            ),
            Self::ClaimMissing { claim } => tell(
                refused("token.claim_missing", Action::RefreshToken, "The token lacks a claim"),
                [
                    format_args!("The claim {claim} is absent or of the wrong type."),
                    format_args!("Ask the issuer for tokens that carry {claim}."),
                    format_args!("See `spec.claims` of the IdentityProvider."),
                ],
            ),
            Self::Inactive { provider } => tell(
                refused("token.inactive", Action::RefreshToken, "The issuer says that the token is not active"),
                [
                    format_args!("The token is unknown to the issuer, expired or revoked."),
                    format_args!("Get a new token from the issuer."),
                    format_args!("IdentityProvider {provider} answered `active: false`."),
                ],
            ),
            Self::KeysUnavailable { provider, reason } => tell(
                ours("token.keys_unavailable", 503, "The issuer's keys are not available"),
                [
                    format_args!("The token cannot be judged now: the issuer's key set is not available."),
                    format_args!("Send the request again in a moment; the token may well be good."),
                    format_args!("Key set of IdentityProvider {provider}: {reason}"),
                ],
            ),
            Self::IntrospectionUnavailable { provider, reason } => tell(
                ours("token.introspection_unavailable", 503, "The issuer cannot be asked about the token"),
                [
                    format_args!("The token cannot be judged now: the issuer does not answer."),
                    format_args!("Send the request again in a moment; the token may well be good."),
                    format_args!("Introspection at IdentityProvider {provider}: {reason}"),
                ],
            ),
            Self::IntrospectionRefused { provider } => tell(
                ours("token.introspection_refused", 500, "The issuer refuses the gateway"),
                [
                    format_args!("The issuer does not accept the gateway's own credentials."),
                    format_args!("Report the decision id to whoever runs the gateway."),
                    format_args!("Check `spec.introspection.clientId` and `clientSecretRef` of IdentityProvider {provider}."),
                ],
            ),
        }
    }
}
