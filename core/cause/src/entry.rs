//! The static half of a row in the table of causes.

use serde::{Deserialize, Serialize};

/// What every cause has: its stable code, its status, who fixes it and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Stable dotted code: metric label, log field, tail of the problem `type`, name of its page.
    pub code: &'static str,
    /// HTTP status of the refusal.
    pub status: Status,
    /// Who can mend it.
    pub by: Fixer,
    /// What they do.
    pub action: Action,
    /// Whether the same request can succeed later without a change.
    pub retry: Retry,
    /// One line for people; the same for every occurrence.
    pub title: &'static str,
}

/// A refusal's HTTP status: 4xx or 5xx, nothing else can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(u16);

impl Status {
    /// A status. A constant outside 400 to 599 does not compile.
    ///
    /// # Panics
    /// Outside 400 to 599.
    #[must_use]
    pub const fn new(status: u16) -> Self {
        assert!(status >= 400 && status <= 599, "a refusal is 4xx or 5xx");
        Self(status)
    }

    /// The provider's own status where that is an error, else 502.
    #[must_use]
    pub const fn of_upstream(status: u16) -> Self {
        if status >= 400 && status <= 599 { Self(status) } else { Self(502) }
    }

    /// The number.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}

/// Who can mend a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Fixer {
    /// Whoever sent the request.
    Caller,
    /// The team that holds the credential.
    KeyOwner,
    /// The team that owns the API.
    ApiOwner,
    /// Whoever runs the gateway.
    Platform,
    /// The upstream or LLM provider.
    Provider,
}

impl Fixer {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "Caller",
            Self::KeyOwner => "KeyOwner",
            Self::ApiOwner => "ApiOwner",
            Self::Platform => "Platform",
            Self::Provider => "Provider",
        }
    }
}

/// What mends a cause, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Change the request itself.
    FixRequest,
    /// Send a credential.
    SendCredential,
    /// Send another credential than this one.
    ReplaceCredential,
    /// Have the key renewed, resumed or rotated.
    RenewCredential,
    /// Get a new token from the issuer.
    RefreshToken,
    /// Have a role or scope granted.
    RequestRole,
    /// Have the API's owner admit this consumer, address or operation.
    RequestAccess,
    /// Use another version of the API.
    UseVersion,
    /// Wait, then send the same request again.
    Wait,
    /// Change a manifest.
    FixManifest,
    /// Mend the upstream or the network to it.
    FixUpstream,
}

/// Whether sending the same request again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Retry {
    /// Never without a change.
    Never,
    /// Possibly, after a pause.
    Later,
}

/// The step of the request's way that refused. The order is the order of evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// The bytes are one unambiguous HTTP request.
    Guard,
    /// Which route and version.
    Locate,
    /// Addresses.
    Screen,
    /// Who calls.
    Identify,
    /// May they.
    Authorize,
    /// Is the payload acceptable.
    Validate,
    /// How much is left.
    Meter,
    /// The upstream.
    Forward,
}

impl Check {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guard => "guard",
            Self::Locate => "locate",
            Self::Screen => "screen",
            Self::Identify => "identify",
            Self::Authorize => "authorize",
            Self::Validate => "validate",
            Self::Meter => "meter",
            Self::Forward => "forward",
        }
    }
}
