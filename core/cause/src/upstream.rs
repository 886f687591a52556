//! `upstream.*`: the service or provider behind the gateway did not answer as it must.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::{Action, Entry, Fixer, Retry, Status, Tell};

/// What went wrong behind the gateway. `backend` names the Service, URL host or model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Upstream {
    /// The backend has no ready endpoint.
    NoEndpoints {
        /// The backend.
        backend: Arc<str>,
    },
    /// The backend's host name does not resolve.
    NameNotResolved {
        /// The backend.
        backend: Arc<str>,
        /// What failed, for the owner.
        reason: Arc<str>,
    },
    /// The backend leads to an address that the gateway may not call.
    AddressRefused {
        /// The backend.
        backend: Arc<str>,
        /// The address.
        address: IpAddr,
        /// Whose or what it is, such as `private`.
        why: Arc<str>,
    },
    /// The backend leads back to this gateway, which has sent the same request on before.
    Loop {
        /// The backend.
        backend: Arc<str>,
        /// How often it was sent on already.
        passes: usize,
    },
    /// No connection: refused or unreachable.
    Unreachable {
        /// The backend.
        backend: Arc<str>,
        /// What failed, for the owner.
        reason: Arc<str>,
    },
    /// No connection within the connect timeout.
    ConnectTimeout {
        /// The backend.
        backend: Arc<str>,
        /// Milliseconds allowed.
        limit_ms: u64,
    },
    /// The TLS handshake failed.
    Tls {
        /// The backend.
        backend: Arc<str>,
        /// What failed, for the owner.
        reason: Arc<str>,
    },
    /// No answer within the timeout.
    Timeout {
        /// The backend.
        backend: Arc<str>,
        /// Milliseconds allowed.
        limit_ms: u64,
    },
    /// Within its answer nothing came for too long.
    Silent {
        /// The backend.
        backend: Arc<str>,
        /// Milliseconds allowed between two parts.
        limit_ms: u64,
    },
    /// The connection ended before the answer was complete.
    Reset {
        /// The backend.
        backend: Arc<str>,
        /// What failed, for the owner.
        reason: Arc<str>,
    },
    /// The answer is not HTTP, or too large.
    Protocol {
        /// The backend.
        backend: Arc<str>,
        /// What failed, for the owner.
        reason: Arc<str>,
    },
    /// The provider refused the gateway's own credential.
    CredentialRefused {
        /// The AiModel.
        backend: Arc<str>,
        /// The provider's status: 401 or 403.
        status: u16,
    },
    /// The provider is out of quota for the gateway.
    RateLimited {
        /// The AiModel.
        backend: Arc<str>,
        /// The provider's `Retry-After`, in seconds.
        retry_after_seconds: Option<u64>,
    },
    /// The provider answered with its own error.
    Error {
        /// The AiModel.
        backend: Arc<str>,
        /// The provider's status.
        status: u16,
        /// The provider's `Retry-After`, in seconds.
        retry_after_seconds: Option<u64>,
    },
    /// Every connection that the backend may have is busy.
    Overloaded {
        /// The backend.
        backend: Arc<str>,
        /// Connections allowed.
        limit: usize,
    },
}

impl Upstream {
    #[expect(clippy::too_many_lines, reason = "the table of this family, one row each")]
    pub(crate) fn tell(&self, tell: Tell<'_>) {
        let entry = |code, status, by, retry, title| Entry {
            code,
            status: Status::of_upstream(status),
            by,
            action: match retry {
                Retry::Later => Action::Wait,
                Retry::Never => Action::FixUpstream,
            },
            retry,
            title,
        };
        let again = "Send the request again in a moment; report the decision id if it goes on.";
        match self {
            Self::NoEndpoints { backend } => tell(
                entry("upstream.no_endpoints", 503, Fixer::ApiOwner, Retry::Later, "The service has no ready endpoint"),
                [
                    format_args!("No instance of the service is ready."),
                    format_args!("{again}"),
                    format_args!("{backend} has no ready address in its EndpointSlices."),
                ],
            ),
            Self::NameNotResolved { backend, reason } => tell(
                entry("upstream.name_not_resolved", 502, Fixer::ApiOwner, Retry::Later, "The service's name does not resolve"),
                [
                    format_args!("The service's address cannot be found."),
                    format_args!("{again}"),
                    format_args!("{backend}: {reason}"),
                ],
            ),
            Self::AddressRefused { backend, address, why } => tell(
                entry("upstream.address_refused", 502, Fixer::ApiOwner, Retry::Never, "The service's address may not be called"),
                [
                    format_args!("The service's address is one that the gateway does not call."),
                    format_args!("Report the decision id to the API's owner."),
                    format_args!(
                        "{backend} leads to {address}, which is {why}; name a Service that selects pods instead, or have the \
                         platform set `spec.upstreams.privateAddresses: Allow` in the GatewayConfig where the address is private."
                    ),
                ],
            ),
            Self::Loop { backend, passes } => tell(
                entry("upstream.loop", 508, Fixer::ApiOwner, Retry::Never, "The request goes in circles"),
                [
                    format_args!("The service leads back to this gateway."),
                    format_args!("Report the decision id to the API's owner."),
                    format_args!(
                        "{backend} leads back to this gateway, which has sent this request on {passes} times; name the service \
                         itself instead of an address of the gateway."
                    ),
                ],
            ),
            Self::Unreachable { backend, reason } => tell(
                entry("upstream.unreachable", 502, Fixer::ApiOwner, Retry::Later, "The service cannot be reached"),
                [
                    format_args!("No connection to the service could be made."),
                    format_args!("{again}"),
                    format_args!("{backend}: {reason}"),
                ],
            ),
            Self::ConnectTimeout { backend, limit_ms } => tell(
                entry(
                    "upstream.connect_timeout",
                    504,
                    Fixer::ApiOwner,
                    Retry::Later,
                    "The service does not accept connections in time",
                ),
                [
                    format_args!("No connection to the service within {limit_ms} ms."),
                    format_args!("{again}"),
                    format_args!("{backend} did not accept a connection within {limit_ms} ms."),
                ],
            ),
            Self::Tls { backend, reason } => tell(
                entry("upstream.tls", 502, Fixer::ApiOwner, Retry::Never, "The service's TLS is not acceptable"),
                [
                    format_args!("A secure connection to the service could not be made."),
                    format_args!("Report the decision id to the API's owner."),
                    format_args!("{backend}: {reason}"),
                ],
            ),
            Self::Timeout { backend, limit_ms } => tell(
                entry("upstream.timeout", 504, Fixer::ApiOwner, Retry::Later, "The service does not answer in time"),
                [
                    format_args!("The service did not answer within {limit_ms} ms."),
                    format_args!("{again}"),
                    format_args!(
                        "{backend} took longer than {limit_ms} ms; see `spec.traffic.timeout` of the ApiRoute, `timeouts` of \
                        the HTTPRoute's rule, or `spec.timeouts.response` of the GatewayConfig."
                    ),
                ],
            ),
            Self::Silent { backend, limit_ms } => tell(
                entry("upstream.timeout", 504, Fixer::ApiOwner, Retry::Later, "The service does not answer in time"),
                [
                    format_args!("The service's answer began, and then nothing came for {limit_ms} ms."),
                    format_args!("{again}"),
                    format_args!("{backend} sent nothing for {limit_ms} ms; see `spec.timeouts.stream` of the GatewayConfig."),
                ],
            ),
            Self::Reset { backend, reason } => tell(
                entry("upstream.reset", 502, Fixer::ApiOwner, Retry::Later, "The service ended the connection"),
                [
                    format_args!("The service ended the connection before its answer was complete."),
                    format_args!("{again}"),
                    format_args!("{backend}: {reason}"),
                ],
            ),
            Self::Protocol { backend, reason } => tell(
                entry("upstream.protocol", 502, Fixer::ApiOwner, Retry::Never, "The service's answer is not acceptable"),
                [
                    format_args!("The service's answer is not well-formed HTTP, or too large."),
                    format_args!("Report the decision id to the API's owner."),
                    format_args!("{backend}: {reason}"),
                ],
            ),
            Self::CredentialRefused { backend, status } => tell(
                entry(
                    "upstream.credential_refused",
                    502,
                    Fixer::Platform,
                    Retry::Never,
                    "The provider refuses the gateway's credential",
                ),
                [
                    format_args!("The provider does not accept the gateway's own credential; yours is fine."),
                    format_args!("Report the decision id to whoever runs the gateway."),
                    format_args!("{backend}: the provider answered {status}; check `spec.credential` of the AiModel."),
                ],
            ),
            Self::RateLimited { backend, retry_after_seconds } => {
                let pause = retry_after_seconds.map_or_else(|| "a moment".to_owned(), |seconds| format!("{seconds} s"));
                tell(
                    entry("upstream.rate_limited", 429, Fixer::Provider, Retry::Later, "The provider's limit is used up"),
                    [
                        format_args!(
                            "The provider admits no more calls now; this is the provider's limit, not one of this gateway."
                        ),
                        format_args!("Send the request again in {pause}."),
                        format_args!("{backend}: the provider answered 429."),
                    ],
                );
            }
            Self::Error { backend, status, .. } => tell(
                entry("upstream.error", *status, Fixer::Provider, Retry::Later, "The provider failed"),
                [
                    format_args!("The provider answered {status}."),
                    format_args!("{again}"),
                    format_args!("{backend}: the provider answered {status}."),
                ],
            ),
            Self::Overloaded { backend, limit } => tell(
                entry("upstream.overloaded", 503, Fixer::ApiOwner, Retry::Later, "The service is busy"),
                [
                    format_args!("Every connection to the service is busy."),
                    format_args!("{again}"),
                    format_args!("{backend}: all {limit} connections are in use."),
                ],
            ),
        }
    }
}
