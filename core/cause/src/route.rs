//! `route.*`: nothing here serves the request.

use serde::Serialize;

use crate::{Action, Entry, Fixer, Retry, Status, Tell};

/// Why no route took the request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Route {
    /// No route of this listener serves the host.
    HostUnknown {
        /// The request's host, without port.
        host: String,
    },
    /// The host is served, the path is not.
    NotFound {
        /// The request's host, without port.
        host: String,
        /// The request's path in its one normal form.
        path: String,
    },
    /// The path is served, but only for other methods, headers or query parameters.
    NotMatched {
        /// The request's path in its one normal form.
        path: String,
    },
    /// The connection's certificate is another listener's than the host's (RFC 9110 section 15.5.20).
    Misdirected {
        /// The request's host, without port.
        host: String,
    },
    /// A defect in the gateway ended this request alone.
    Internal,
}

impl Route {
    pub(crate) fn tell(&self, tell: Tell<'_>) {
        let entry =
            |code, status, by, action, retry, title| Entry { code, status: Status::new(status), by, action, retry, title };
        match self {
            Self::HostUnknown { host } => tell(
                entry(
                    "route.host_unknown",
                    404,
                    Fixer::Caller,
                    Action::FixRequest,
                    Retry::Never,
                    "No API is served under this host",
                ),
                [
                    format_args!("No route serves the host {host}."),
                    format_args!("Check the host in the URL, or the Host header."),
                    format_args!("Add {host} to `spec.hostnames` of an ApiRoute that this listener admits."),
                ],
            ),
            Self::NotFound { host, path } => tell(
                entry(
                    "route.not_found",
                    404,
                    Fixer::Caller,
                    Action::FixRequest,
                    Retry::Never,
                    "No API is served under this path",
                ),
                [
                    format_args!("No route of {host} serves the path {path}."),
                    format_args!("Check the path in the URL."),
                    format_args!("Give an ApiRoute of this host a `spec.path` that is a prefix of {path}."),
                ],
            ),
            Self::NotMatched { path } => tell(
                entry(
                    "route.not_matched",
                    404,
                    Fixer::Caller,
                    Action::FixRequest,
                    Retry::Never,
                    "The path is served for other requests only",
                ),
                [
                    format_args!("Routes serve {path}, but only with another method, header or query parameter."),
                    format_args!("Check the method, headers and query of the request against the API's documentation."),
                    format_args!("See `spec.matches` of the ApiRoutes under this path."),
                ],
            ),
            Self::Misdirected { host } => tell(
                entry(
                    "route.misdirected",
                    421,
                    Fixer::Caller,
                    Action::FixRequest,
                    Retry::Later,
                    "The connection was opened for another host",
                ),
                [
                    format_args!("The host {host} belongs to another listener than the one that this connection was opened for."),
                    format_args!("Open a new connection for this host."),
                    format_args!(""),
                ],
            ),
            Self::Internal => tell(
                entry(
                    "route.internal",
                    500,
                    Fixer::Platform,
                    Action::FixUpstream,
                    Retry::Never,
                    "The gateway failed on this request",
                ),
                [
                    format_args!("A defect in the gateway ended this request; others are not affected."),
                    format_args!("Report the decision id to whoever runs the gateway."),
                    format_args!("The gateway's own log has the place of the defect under this decision id."),
                ],
            ),
        }
    }
}
