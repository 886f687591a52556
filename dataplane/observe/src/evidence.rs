//! What the steps of one request proved: the one object that the access log, the span, the
//! metrics, the look-back and `explain` print.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cause::{Check, CredentialReport, Denial, ObjectName, RuleReport};
use http::{HeaderValue, Method, Uri};
use jiff::Timestamp;
use policy::principal::{Principal, PrincipalKind};

use crate::decision::DecisionId;
use crate::trace::TraceContext;

/// What was received, before any judgement.
#[derive(Clone, Debug)]
pub struct Received {
    /// The id of this call.
    pub decision: DecisionId,
    /// When its head was complete.
    pub at: Timestamp,
    /// The peer of the connection.
    pub peer: SocketAddr,
    /// The protocol.
    pub protocol: http::Version,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The method.
    pub method: Method,
    /// The target as it was sent.
    pub target: Uri,
    /// `Host` or `:authority`.
    pub host: Option<HeaderValue>,
    /// `User-Agent`.
    pub user_agent: Option<HeaderValue>,
    /// Its place in a trace (W3C Trace Context).
    pub trace: TraceContext,
}

/// What the steps proved so far. A step that was not reached, or refused, left `None`.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What was received.
    pub received: Received,
    /// The generation of the configuration that judged it.
    pub generation: u64,
    /// `locate`: where it goes.
    pub located: Option<Located>,
    /// `screen`: the client's address.
    pub client: Option<IpAddr>,
    /// `identify`: every credential looked at.
    pub credentials: Vec<CredentialReport>,
    /// `identify`: who calls.
    pub principal: Option<Principal>,
    /// `authorize`: the Allow rule that matched, or `None` where the route has none.
    pub authorized: Option<Option<Arc<str>>>,
    /// `authorize`: what each rule said; gathered only where somebody reads it.
    pub rules: Vec<RuleReport>,
    /// `validate`: the model that serves it.
    pub model: Option<Arc<str>>,
    /// `meter`: the most restrictive limit.
    pub metered: Option<Metered>,
    /// What checks in Shadow mode would have refused.
    pub shadow: Vec<(Check, Denial)>,
    /// Query parameters of the route that carry credentials, by their decoded names: no output
    /// shows their values.
    pub redacted_query: Option<Arc<[Arc<str>]>>,
}

impl Evidence {
    /// Nothing proved yet.
    #[must_use]
    pub const fn new(received: Received, generation: u64) -> Self {
        Self {
            received,
            generation,
            located: None,
            client: None,
            credentials: Vec::new(),
            principal: None,
            authorized: None,
            rules: Vec::new(),
            model: None,
            metered: None,
            shadow: Vec::new(),
            redacted_query: None,
        }
    }

    /// Whether the caller has proven to hold a credential.
    #[must_use]
    pub fn proven(&self) -> bool {
        self.principal.as_ref().is_some_and(|principal| principal.kind != PrincipalKind::Anonymous)
    }
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub struct Located {
    /// The ApiRoute.
    pub route: ObjectName,
    /// The version; `None` while the route is closed or has no such version.
    pub version: Option<Arc<str>>,
    /// What named the version, such as `path` or `default`.
    pub chosen_by: Option<&'static str>,
}

/// The most restrictive limit of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metered {
    /// Its name.
    pub limit: Arc<str>,
    /// Calls left now.
    pub remaining: u64,
    /// The value of `RateLimit`.
    pub rate_limit: HeaderValue,
    /// The value of `RateLimit-Policy`.
    pub policy: HeaderValue,
}

/// How a call ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The status that was sent.
    pub status: u16,
    /// Which step refused, and why.
    pub refused: Option<(Check, Denial)>,
    /// From the complete head to the last byte of the answer.
    pub duration: Duration,
    /// How long the upstream took to begin its answer.
    pub upstream: Option<Duration>,
    /// Bytes of body received.
    pub bytes_in: u64,
    /// Bytes of body sent.
    pub bytes_out: u64,
    /// Tokens, where a model answered.
    pub usage: Option<Usage>,
    /// Whether the answer ended as it should.
    pub complete: bool,
}

/// Tokens of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Read by the model.
    pub input: u64,
    /// Written by the model.
    pub output: u64,
    /// Counted by us, because the provider did not say.
    pub estimated: bool,
}

/// One finished call.
#[derive(Clone, Debug)]
pub struct Record {
    /// What was proved.
    pub evidence: Evidence,
    /// How it ended.
    pub outcome: Outcome,
}
