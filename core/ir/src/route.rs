//! One API: which requests it takes, what is checked, where they go.

use std::collections::BTreeSet;
use std::sync::Arc;

use cause::FaultCause;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Backend, Checks, HostPattern, ListenerId, Match, Part, RouteId};

/// One route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// The object, and which of its rules.
    pub id: RouteId,
    /// When the object was created, where that is known: of routes that would take a request
    /// alike, the oldest does.
    pub created_at: Option<Timestamp>,
    /// The listeners that take it.
    pub listeners: BTreeSet<ListenerId>,
    /// The hosts; empty takes every host of its listeners.
    pub hostnames: Vec<HostPattern>,
    /// The alternatives; at least one.
    pub matches: Vec<Match>,
    /// What it serves, or the fault that closes it.
    pub serve: Part<Arc<Serve>>,
}

impl Route {
    /// Whether it is closed because another route serves what it claims: then that one goes before it.
    #[must_use]
    pub fn gives_way(&self) -> bool {
        self.serve.as_result().is_err_and(|fault| matches!(fault.cause, FaultCause::Conflict { .. }))
    }
}

/// What a route serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Serve {
    /// How a caller names a version.
    pub versioning: Versioning,
    /// The versions, newest first; at least one.
    pub versions: Vec<Version>,
    /// What is checked.
    pub checks: Checks,
    /// How requests and answers are shaped.
    pub traffic: Traffic,
}

/// How a caller names a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Versioning {
    /// Where it is looked for, in this order; empty where callers cannot choose.
    pub select: Vec<VersionSource>,
    /// What serves when nothing is named; `None` is the newest Published version.
    pub default: Option<semver::VersionReq>,
}

/// Where a caller names a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VersionSource {
    /// The segment behind the route's path: `v2`.
    Path,
    /// A header field, named in lower case.
    Header(Arc<str>),
    /// A query parameter.
    Query(Arc<str>),
    /// A parameter of the media type in `Accept` or `Content-Type`.
    MediaType(Arc<str>),
}

/// One version of an API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// The version.
    pub version: semver::Version,
    /// Where it is in its life.
    pub stage: Stage,
    /// Since when it is deprecated (RFC 9745).
    pub deprecated_at: Option<Timestamp>,
    /// When it ends (RFC 8594).
    pub sunset_at: Option<Timestamp>,
    /// What answers, or the fault that closes this version.
    pub backend: Part<Backend>,
}

impl Version {
    /// What answers for a route of a kind that has no versions; its number is told to nobody.
    #[must_use]
    pub const fn only(backend: Part<Backend>) -> Self {
        let version = semver::Version::new(0, 0, 0);
        Self { version, stage: Stage::Published, deprecated_at: None, sunset_at: None, backend }
    }
}

/// Where a version is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// Serves whoever names it exactly; is listed nowhere.
    Draft,
    /// Serves.
    #[default]
    Published,
    /// Serves, with warnings.
    Deprecated,
    /// Answers 410.
    Retired,
}

/// How requests and answers are shaped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// How long an answer's head may take, in milliseconds; `None` is the gateway's default.
    pub timeout_ms: Option<u64>,
    /// How long the whole exchange may take, to the last byte of the answer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole_ms: Option<u64>,
    /// Changes to the request's fields.
    pub request_headers: HeaderChanges,
    /// Changes to the answer's fields.
    pub response_headers: HeaderChanges,
    /// What replaces the path.
    pub rewrite_path: Option<PathRewrite>,
    /// What replaces the host.
    pub rewrite_hostname: Option<Arc<str>>,
    /// Leave the accepted credential on the request.
    pub forward_credential: bool,
}

/// Changes to header fields: set, then add, then remove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderChanges {
    /// Fields that are replaced.
    pub set: Vec<(Arc<str>, Arc<str>)>,
    /// Fields that are added.
    pub add: Vec<(Arc<str>, Arc<str>)>,
    /// Fields that are removed.
    pub remove: Vec<Arc<str>>,
}

/// What replaces a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PathRewrite {
    /// All of it.
    Full(Arc<str>),
    /// The prefix that the route matched.
    Prefix(Arc<str>),
}
