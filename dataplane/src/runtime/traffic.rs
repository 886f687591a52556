//! How requests and answers are shaped, with names and values parsed once.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// How requests and answers of a route are shaped.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// How long an answer's head may take.
    pub(crate) timeout: Option<Duration>,
    /// How long the whole exchange may take.
    pub(crate) whole: Option<Duration>,
    /// Changes to the request's fields.
    pub(crate) request: HeaderChanges,
    /// Changes to the answer's fields.
    pub(crate) response: HeaderChanges,
    /// What replaces host and path; `None` leaves both.
    pub(crate) rewrite: Option<Box<Rewrite>>,
    /// Leave the accepted credential on the request.
    pub(crate) forward_credential: bool,
}

/// What replaces parts of a request's target.
#[derive(Debug)]
pub(crate) struct Rewrite {
    /// What replaces the path.
    pub(crate) path: Option<PathRewrite>,
    /// What replaces the host.
    pub(crate) hostname: Option<HeaderValue>,
}

/// Changes to header fields, in their order.
#[derive(Debug, Default)]
pub(crate) struct HeaderChanges(Box<[Change]>);

#[derive(Debug)]
enum Change {
    Set(HeaderName, HeaderValue),
    Add(HeaderName, HeaderValue),
    Remove(HeaderName),
}

/// What replaces a path.
pub(crate) type PathRewrite = ir::PathRewrite;

impl HeaderChanges {
    /// Parses the changes; the translator has refused what does not parse.
    #[must_use]
    pub(crate) fn compile(changes: &ir::HeaderChanges) -> Self {
        let field = |(name, value): &(Arc<str>, Arc<str>)| Some((name.parse().ok()?, HeaderValue::from_str(value).ok()?));
        let set = changes.set.iter().filter_map(field).map(|(name, value)| Change::Set(name, value));
        let add = changes.add.iter().filter_map(field).map(|(name, value)| Change::Add(name, value));
        let remove = changes.remove.iter().filter_map(|name| name.parse().ok()).map(Change::Remove);
        Self(set.chain(add).chain(remove).collect())
    }

    /// Whether it changes nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes the changes.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for change in &self.0 {
            match change {
                Change::Set(name, value) => drop(headers.insert(name, value.clone())),
                Change::Add(name, value) => drop(headers.append(name, value.clone())),
                Change::Remove(name) => drop(headers.remove(name)),
            }
        }
    }
}

impl Traffic {
    /// What replaces the path.
    pub(crate) fn path(&self) -> Option<&PathRewrite> {
        self.rewrite.as_ref()?.path.as_ref()
    }

    /// What replaces the host.
    pub(crate) fn hostname(&self) -> Option<&HeaderValue> {
        self.rewrite.as_ref()?.hostname.as_ref()
    }

    /// Parses what a route says of its traffic.
    #[must_use]
    pub(crate) fn compile(traffic: &ir::Traffic) -> Self {
        let path = traffic.rewrite_path.clone();
        let hostname = traffic.rewrite_hostname.as_ref().and_then(|name| HeaderValue::from_str(name).ok());
        let rewrites = path.is_some() || hostname.is_some();
        Self {
            timeout: traffic.timeout_ms.map(Duration::from_millis),
            whole: traffic.whole_ms.map(Duration::from_millis),
            request: HeaderChanges::compile(&traffic.request_headers),
            response: HeaderChanges::compile(&traffic.response_headers),
            rewrite: rewrites.then(|| Box::new(Rewrite { path, hostname })),
            forward_credential: traffic.forward_credential,
        }
    }
}

/// A redirect (Gateway API, HTTPRequestRedirectFilter).
pub(crate) type Redirect = ir::Redirect;
