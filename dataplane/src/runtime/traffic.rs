//! How requests and answers are shaped, with names and values parsed once.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// How requests and answers of a route are shaped.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// How long an answer's head may take.
    pub(crate) timeout: Option<Duration>,
    /// Changes to the request's fields.
    pub(crate) request: HeaderChanges,
    /// Changes to the answer's fields.
    pub(crate) response: HeaderChanges,
    /// What replaces the path.
    pub(crate) path: Option<PathRewrite>,
    /// What replaces the host.
    pub(crate) hostname: Option<HeaderValue>,
    /// Leave the accepted credential on the request.
    pub(crate) forward_credential: bool,
}

/// Changes to header fields.
#[derive(Debug, Default)]
pub(crate) struct HeaderChanges {
    set: Vec<(HeaderName, HeaderValue)>,
    add: Vec<(HeaderName, HeaderValue)>,
    remove: Vec<HeaderName>,
}

/// What replaces a path.
pub(crate) type PathRewrite = ir::PathRewrite;

impl HeaderChanges {
    /// Parses the changes; the translator has refused what does not parse.
    #[must_use]
    pub(crate) fn compile(changes: &ir::HeaderChanges) -> Self {
        let fields = |pairs: &[(Arc<str>, Arc<str>)]| {
            pairs.iter().filter_map(|(name, value)| Some((name.parse().ok()?, HeaderValue::from_str(value).ok()?))).collect()
        };
        Self {
            set: fields(&changes.set),
            add: fields(&changes.add),
            remove: changes.remove.iter().filter_map(|name| name.parse().ok()).collect(),
        }
    }

    /// Makes the changes.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name, value.clone());
        }
        for name in &self.remove {
            headers.remove(name);
        }
    }
}

impl Traffic {
    /// Parses what a route says of its traffic.
    #[must_use]
    pub(crate) fn compile(traffic: &ir::Traffic) -> Self {
        Self {
            timeout: traffic.timeout_ms.map(Duration::from_millis),
            request: HeaderChanges::compile(&traffic.request_headers),
            response: HeaderChanges::compile(&traffic.response_headers),
            path: traffic.rewrite_path.clone(),
            hostname: traffic.rewrite_hostname.as_ref().and_then(|name| HeaderValue::from_str(name).ok()),
            forward_credential: traffic.forward_credential,
        }
    }
}

/// A redirect (Gateway API, HTTPRequestRedirectFilter).
pub(crate) type Redirect = ir::Redirect;
