//! `credential.*`: no credential, or one that is not accepted.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Action, Entry, FieldPath, Fixer, Listed, ObjectName, ObjectRef, Retry, Status, Tell};

/// One place that was looked at for a credential, and what was found there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialReport {
    /// Where: `header X-Api-Key`, `bearer`, `query api_key`.
    pub source: Arc<str>,
    /// What kind of credential the route accepts there.
    pub kind: CredentialKind,
    /// What became of it.
    pub state: CredentialState,
    /// The public id of the key, once the caller has proven to hold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Arc<str>>,
}

/// What a method of authentication accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CredentialKind {
    /// An API key.
    ApiKey,
    /// A signed token.
    Jwt,
    /// A token that the issuer is asked about (RFC 7662).
    Introspection,
}

/// What became of one credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CredentialState {
    /// It admits its principal.
    Accepted,
    /// Nothing was sent there.
    Missing,
    /// Its form is wrong.
    Malformed,
    /// Nobody holds it.
    Unknown,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// Its owner suspended it.
    Suspended,
    /// A rotation replaced it.
    Rotated,
    /// Another issuer's, audience's or kind's.
    NotAccepted,
    /// It could not be judged now.
    Unavailable,
    /// Two values, or two principals.
    Ambiguous,
}

/// Why no credential admits the request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Credential {
    /// Nothing was sent.
    Missing {
        /// The route.
        route: ObjectName,
        /// Where credentials are accepted.
        accepted: Vec<Arc<str>>,
    },
    /// The text cannot be a credential at all.
    Malformed {
        /// Where it was.
        source: Arc<str>,
    },
    /// The text has our form and its checksum is wrong: it was mistyped or cut.
    Checksum {
        /// Where it was.
        source: Arc<str>,
    },
    /// Nobody holds this key.
    Unknown {
        /// Where it was.
        source: Arc<str>,
    },
    /// The key has expired; its text is right.
    Expired {
        /// The ApiKey.
        key: ObjectName,
        /// When it ended.
        expired_at: Timestamp,
        /// The time of the request.
        now: Timestamp,
    },
    /// The key is not valid yet; its text is right.
    NotYetValid {
        /// The ApiKey.
        key: ObjectName,
        /// When it begins.
        valid_from: Timestamp,
        /// The time of the request.
        now: Timestamp,
    },
    /// The key is suspended; its text is right.
    Suspended {
        /// The ApiKey.
        key: ObjectName,
    },
    /// A rotation replaced this text of the key, and the overlap is over; the text is right.
    Rotated {
        /// The ApiKey.
        key: ObjectName,
        /// When the text ended.
        ended_at: Timestamp,
        /// The time of the request.
        now: Timestamp,
    },
    /// One source holds two values, or two good credentials name two principals.
    Ambiguous {
        /// Where they were.
        sources: Vec<Arc<str>>,
    },
    /// What was sent is of a kind that this route does not accept.
    NotAccepted {
        /// Where it was.
        source: Arc<str>,
        /// Where credentials are accepted.
        accepted: Vec<Arc<str>>,
    },
    /// Disclosure Minimal says no more than this about any refused credential.
    Refused,
}

impl Credential {
    /// The ApiKey, where the text is one of its own: for its owner, never for a caller.
    #[must_use]
    pub fn key(&self) -> Option<&ObjectName> {
        self.key_and_field().map(|(key, _)| key)
    }

    /// The field of the key that its owner would change to make it accepted.
    pub(crate) fn mended_at(&self) -> Option<(ObjectRef, FieldPath)> {
        self.key_and_field().map(|(key, field)| (ObjectRef::new("ApiKey", key.clone()), FieldPath::of(field)))
    }

    const fn key_and_field(&self) -> Option<(&ObjectName, &'static str)> {
        match self {
            Self::Expired { key, .. } => Some((key, "spec.expiresAt")),
            Self::NotYetValid { key, .. } => Some((key, "spec.notBefore")),
            Self::Suspended { key } => Some((key, "spec.suspended")),
            Self::Rotated { key, .. } => Some((key, "spec.rotation")),
            Self::Missing { .. }
            | Self::Malformed { .. }
            | Self::Checksum { .. }
            | Self::Unknown { .. }
            | Self::Ambiguous { .. }
            | Self::NotAccepted { .. }
            | Self::Refused => None,
        }
    }

    #[expect(clippy::too_many_lines, reason = "the table of this family, one row each")]
    pub(crate) fn tell(&self, tell: Tell<'_>) {
        let entry =
            |code, status, by, action, title| Entry { code, status: Status::new(status), by, action, retry: Retry::Never, title };
        match self {
            Self::Missing { route, accepted } => tell(
                entry("credential.missing", 401, Fixer::Caller, Action::SendCredential, "The request carries no credential"),
                [
                    format_args!("{route} accepts credentials in: {}.", Listed(accepted)),
                    format_args!("Send a credential in one of: {}.", Listed(accepted)),
                    format_args!(""),
                ],
            ),
            Self::Malformed { source } => tell(
                entry("credential.malformed", 401, Fixer::Caller, Action::ReplaceCredential, "The credential has no known form"),
                [
                    format_args!("The text in {source} is too short, too long or holds characters that no credential has."),
                    format_args!("Send the credential exactly as it was issued."),
                    format_args!(""),
                ],
            ),
            Self::Checksum { source } => tell(
                entry("credential.checksum", 401, Fixer::Caller, Action::ReplaceCredential, "The key was mistyped"),
                [
                    format_args!(
                        "The text in {source} has the form of a key, but its checksum does not match: a character is wrong or missing."
                    ),
                    format_args!("Copy the whole key again, to its last character."),
                    format_args!(""),
                ],
            ),
            Self::Unknown { source } => tell(
                entry("credential.unknown", 401, Fixer::Caller, Action::ReplaceCredential, "The key is not known"),
                [
                    format_args!("Nobody holds the key in {source}."),
                    format_args!("Check which environment the key is for, or ask the API's owner for a key."),
                    format_args!(
                        "No ApiKey of this gateway has this hash; deleted keys and keys whose Secret is missing read like this."
                    ),
                ],
            ),
            Self::Expired { key, expired_at, now } => tell(
                entry("credential.expired", 401, Fixer::KeyOwner, Action::RenewCredential, "The key has expired"),
                [
                    format_args!("The key expired at {expired_at}; the gateway's time is {now:.0}."),
                    format_args!("Ask the owner of the key to renew it."),
                    format_args!("`spec.expiresAt` of ApiKey {key} has passed."),
                ],
            ),
            Self::NotYetValid { key, valid_from, now } => tell(
                entry("credential.not_yet_valid", 401, Fixer::KeyOwner, Action::Wait, "The key is not valid yet"),
                [
                    format_args!("The key is valid from {valid_from}; the gateway's time is {now:.0}."),
                    format_args!("Use the key from {valid_from} on, or ask its owner for an earlier start."),
                    format_args!("`spec.notBefore` of ApiKey {key} lies ahead."),
                ],
            ),
            Self::Suspended { key } => tell(
                entry("credential.suspended", 401, Fixer::KeyOwner, Action::RenewCredential, "The key is suspended"),
                [
                    format_args!("The owner of the key has suspended it."),
                    format_args!("Ask the owner of the key to resume it."),
                    format_args!("`spec.suspended` of ApiKey {key} is true."),
                ],
            ),
            Self::Rotated { key, ended_at, now } => tell(
                entry("credential.rotated", 401, Fixer::Caller, Action::ReplaceCredential, "The key was replaced by a rotation"),
                [
                    format_args!("This text of the key ended at {ended_at}, after a rotation; the gateway's time is {now:.0}."),
                    format_args!("Send the new text of the key; its owner has it."),
                    format_args!("The Secret of ApiKey {key} holds the new text."),
                ],
            ),
            Self::Ambiguous { sources } => tell(
                entry(
                    "credential.ambiguous",
                    400,
                    Fixer::Caller,
                    Action::FixRequest,
                    "The request carries more than one credential",
                ),
                [
                    format_args!("Two values, or credentials of two principals, were sent in: {}.", Listed(sources)),
                    format_args!("Send one credential."),
                    format_args!(""),
                ],
            ),
            Self::NotAccepted { source, accepted } => tell(
                entry(
                    "credential.not_accepted",
                    401,
                    Fixer::Caller,
                    Action::ReplaceCredential,
                    "This kind of credential is not accepted here",
                ),
                [
                    format_args!(
                        "What was sent in {source} is of a kind that this API does not accept; it accepts: {}.",
                        Listed(accepted)
                    ),
                    format_args!("Send a credential in one of: {}.", Listed(accepted)),
                    format_args!(""),
                ],
            ),
            Self::Refused => tell(
                entry("credential.refused", 401, Fixer::Caller, Action::ReplaceCredential, "The credential is not accepted"),
                [
                    format_args!("The credential is not accepted."),
                    format_args!("Ask the API's owner, naming the decision id."),
                    format_args!(""),
                ],
            ),
        }
    }
}
