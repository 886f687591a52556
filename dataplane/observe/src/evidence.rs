//! What the steps of one request proved: the one object that the access log, the span, the
//! metrics, the look-back and `explain` print.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cause::{Check, CredentialReport, Denial, ObjectName, ObjectRef, RuleReport};
use http::{HeaderValue, Method, Uri};
use jiff::Timestamp;
use policy::principal::{Principal, PrincipalKind};
use smallvec::SmallVec;

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
    /// The method; `None` where it could not be read.
    pub method: Option<Method>,
    /// What its head said.
    pub head: HeadText,
    /// Its place in a trace (W3C Trace Context).
    pub trace: TraceContext,
}

/// The texts of a head that are told of, copied out of it in one piece: a record that shared them
/// would keep the buffer that its connection reads into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadText {
    /// Path, query, host and user agent, one behind the other.
    text: Box<[u8]>,
    path_end: usize,
    /// `None` without a query; likewise below.
    query_end: Option<usize>,
    host_end: Option<usize>,
    has_user_agent: bool,
}

impl HeadText {
    /// The texts of the target as it was sent, of `Host` and of `User-Agent`.
    #[must_use]
    pub fn of(target: &Uri, host: Option<&HeaderValue>, user_agent: Option<&HeaderValue>) -> Self {
        // HTTP/2 names the host in `:authority`, which says more than a Host field beside it (RFC 9113 section 8.3.1).
        let authority = target.authority().map(|authority| authority.as_str().rsplit('@').next().unwrap_or_default().as_bytes());
        let (host, user_agent) = (authority.or(host.map(HeaderValue::as_bytes)), user_agent.map(HeaderValue::as_bytes));
        Self::joined(target.path().as_bytes(), target.query().map(str::as_bytes), host, user_agent)
    }

    /// What could be read of a head that is no request: path, query and host.
    #[must_use]
    pub fn of_refused(path: Option<&str>, query: Option<&str>, host: Option<&str>) -> Self {
        Self::joined(path.unwrap_or_default().as_bytes(), query.map(str::as_bytes), host.map(str::as_bytes), None)
    }

    fn joined(path: &[u8], query: Option<&[u8]>, host: Option<&[u8]>, user_agent: Option<&[u8]>) -> Self {
        let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        let mut text = Vec::with_capacity(path.len() + length(query) + length(host) + length(user_agent));
        text.extend_from_slice(path);
        let path_end = text.len();
        let mut append = |part: Option<&[u8]>| {
            text.extend_from_slice(part?);
            Some(text.len())
        };
        let (query_end, host_end) = (append(query), append(host));
        let has_user_agent = append(user_agent).is_some();
        Self { text: text.into_boxed_slice(), path_end, query_end, host_end, has_user_agent }
    }

    /// The path; `None` where it could not be read.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        Some(text_of(self.part(0, Some(self.path_end)))).filter(|path| !path.is_empty())
    }

    /// The query, without its `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query_end.map(|end| text_of(self.part(self.path_end, Some(end))))
    }

    /// `Host` or `:authority`.
    #[must_use]
    pub fn host(&self) -> Option<&[u8]> {
        self.host_end.map(|end| self.part(self.query_end.unwrap_or(self.path_end), Some(end)))
    }

    /// `User-Agent`.
    #[must_use]
    pub fn user_agent(&self) -> Option<&[u8]> {
        let start = self.host_end.or(self.query_end).unwrap_or(self.path_end);
        self.has_user_agent.then(|| self.part(start, None))
    }

    /// Bytes of all of it.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    fn part(&self, start: usize, end: Option<usize>) -> &[u8] {
        self.text.get(start..end.unwrap_or(self.text.len())).unwrap_or_default()
    }
}

/// A part of a target, which is text.
fn text_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Reports of all credentials of a call, within its record where there is one: mostly there is.
pub type CredentialReports = SmallVec<[CredentialReport; 1]>;

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
    pub credentials: CredentialReports,
    /// `identify`: the ApiKeys of texts that are refused or that are one of two, by where they were; for their owners.
    pub keys: Vec<(Arc<str>, ObjectName)>,
    /// `identify`: who calls.
    pub principal: Option<Principal>,
    /// `authorize`: the Allow rule that matched, or `None` where the route has none.
    pub authorized: Option<Option<Arc<str>>>,
    /// `validate`: the model that serves it.
    pub model: Option<Arc<str>>,
    /// `meter`: the most restrictive limit.
    pub metered: Option<Metered>,
    /// What checks in Shadow mode would have refused.
    pub shadow: Vec<(Check, Denial)>,
    /// What may be shown of the query.
    pub shown_query: ShownQuery,
    /// What is gathered only where somebody reads it at once: by `explain`.
    pub explained: Option<Box<Explained>>,
}

/// What may be shown of a call's query.
#[derive(Clone, Debug, Default)]
pub enum ShownQuery {
    /// The names alone: no route, or a closed one, says which parameters are credentials.
    #[default]
    Names,
    /// The values too, but for those of the route's credentials, by their decoded names.
    AllBut(Option<Arc<[Arc<str>]>>),
}

/// What `explain` tells beside the evidence that every call leaves.
#[derive(Clone, Debug, Default)]
pub struct Explained {
    /// `screen`: what the lists of addresses say; `None` where the step was not reached.
    pub addresses: Option<String>,
    /// `authorize`: what each rule said, in the manifest's order.
    pub rules: Vec<RuleReport>,
    /// `meter`: every limit of route and key, also where an earlier step refused.
    pub limits: Vec<LimitLeft>,
}

/// What is left of one limit. Nothing was counted to find out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitLeft {
    /// The object that holds it.
    pub holder: ObjectRef,
    /// Its place among the limits of that object.
    pub index: usize,
    /// Whether it is only observed (`mode: Shadow`).
    pub shadow: bool,
    /// Whether it admits one more call.
    pub admits: bool,
    /// What it says of that call.
    pub metered: Metered,
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
            credentials: CredentialReports::new_const(),
            keys: Vec::new(),
            principal: None,
            authorized: None,
            model: None,
            metered: None,
            shadow: Vec::new(),
            shown_query: ShownQuery::Names,
            explained: None,
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
    /// The names of the route.
    pub names: Arc<RouteNames>,
    /// The version by its place; `None` while the route is closed or has no such version.
    pub version: Option<usize>,
    /// What named the version, such as `path` or `default`.
    pub chosen_by: Option<&'static str>,
}

/// What a route and its versions are called. Made with the route and shared whole, so that a call on one of ten
/// thousand routes touches one count of references, and not one for each name.
#[derive(Clone, Debug)]
pub struct RouteNames {
    /// The kind of the route's object.
    pub kind: &'static str,
    /// Which of the object's rules it is, where its kind has several.
    pub rule: Option<u16>,
    /// The route's object.
    pub route: ObjectName,
    /// Its versions.
    pub versions: Vec<Arc<str>>,
}

impl Located {
    /// The route's object.
    #[must_use]
    pub fn route(&self) -> &ObjectName {
        &self.names.route
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.names.versions.get(self.version?).map(AsRef::as_ref)
    }
}

/// The most restrictive limit of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metered {
    /// Its name.
    pub limit: Arc<str>,
    /// Calls left now.
    pub remaining: u64,
    /// Seconds until all are back, or until the next one where none is left.
    pub reset_seconds: u64,
    /// Calls that it allows, and in how many seconds.
    pub allowed: (u64, u64),
}

/// How a call ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The status that was sent.
    pub status: u16,
    /// Which step refused, and why.
    pub refused: Option<Box<(Check, Denial)>>,
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

/// One call: filled while it is served, given away when it has ended.
#[derive(Clone, Debug)]
pub struct Record {
    /// What was proved.
    pub evidence: Evidence,
    /// How it ended.
    pub outcome: Outcome,
}

impl Record {
    /// A call that was received and not answered yet.
    #[must_use]
    pub const fn new(received: Received, generation: u64) -> Self {
        let outcome = Outcome {
            status: 0,
            refused: None,
            duration: Duration::ZERO,
            upstream: None,
            bytes_in: 0,
            bytes_out: 0,
            usage: None,
            complete: false,
        };
        Self { evidence: Evidence::new(received, generation), outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_a_head_are_told_apart() {
        let check = |target: &str, host: Option<&'static str>, agent: Option<&'static str>| {
            let uri: Uri = target.parse().unwrap();
            let value = |text: Option<&'static str>| text.map(HeaderValue::from_static);
            let head = HeadText::of(&uri, value(host).as_ref(), value(agent).as_ref());
            assert_eq!((head.path(), head.query()), (Some(uri.path()), uri.query()));
            let authority = uri.authority().map(http::uri::Authority::as_str);
            assert_eq!(head.host(), authority.or(host).map(str::as_bytes));
            assert_eq!(head.user_agent(), agent.map(str::as_bytes));
        };
        for target in ["/", "/a/b", "/a?", "/a?b=c", "https://h.example/x?y", "https://h.example"] {
            for host in [None, Some(""), Some("h")] {
                for agent in [None, Some(""), Some("curl/8")] {
                    check(target, host, agent);
                }
            }
        }
    }
}
