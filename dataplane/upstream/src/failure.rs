//! What went wrong, and whose it is.

use std::error::Error;
use std::io;
use std::sync::Arc;

use h2::Reason;

use crate::body::{BodyFailure, Cut};

/// Whether the upstream may have acted on the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It cannot have: no byte of it was sent, or the upstream said that it did not look at it.
    None,
    /// It may have.
    Possible,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum SendError {
    /// The client's body failed on its way.
    Body(BodyFailure),
    /// The upstream failed.
    Upstream {
        /// How.
        cause: cause::Upstream,
        /// Whether it may have acted on the request.
        delivery: Delivery,
    },
}

impl SendError {
    pub(crate) const fn unsent(cause: cause::Upstream) -> Self {
        Self::Upstream { cause, delivery: Delivery::None }
    }

    pub(crate) const fn sent(cause: cause::Upstream) -> Self {
        Self::Upstream { cause, delivery: Delivery::Possible }
    }
}

/// The cause of an HTTP/2 exchange that failed with `error`.
pub(crate) fn cause_of(error: &hyper::Error, backend: &Arc<str>) -> cause::Upstream {
    let backend = Arc::clone(backend);
    if source::<h2::Error>(error).is_some_and(|error| error.is_library() || error.reason() == Some(Reason::PROTOCOL_ERROR)) {
        return cause::Upstream::Protocol { backend, reason: "it does not keep to HTTP/2".into() };
    }
    lost(backend, if error.is_incomplete_message() { CLOSED } else { LOST })
}

/// How a connection that ended before an answer is told of.
pub(crate) const CLOSED: &str = "it closed the connection without an answer";
pub(crate) const LOST: &str = "the connection was lost before an answer";

pub(crate) fn lost(backend: Arc<str>, reason: &str) -> cause::Upstream {
    cause::Upstream::Reset { backend, reason: reason.into() }
}

/// Whether the upstream said that it did not look at the request (RFC 9113 section 8.7).
pub(crate) fn is_untouched(error: &hyper::Error) -> bool {
    source::<h2::Error>(error)
        .is_some_and(|error| error.is_remote() && (error.reason() == Some(Reason::REFUSED_STREAM) || error.is_go_away()))
}

/// Whether the upstream ended this stream alone (RFC 9113 section 5.4.2): its connection goes on,
/// and it has said that it does not want the request.
pub(crate) fn is_of_stream(error: &hyper::Error) -> bool {
    source::<h2::Error>(error).is_some_and(|error| error.is_reset() && error.is_remote())
}

/// Why the body of an HTTP/2 answer stopped with `error`.
pub(crate) fn cut_of(error: &hyper::Error) -> Cut {
    let invalid = source::<io::Error>(error)
        .is_some_and(|error| matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData));
    let not_http2 = source::<h2::Error>(error).is_some_and(h2::Error::is_library);
    if invalid || not_http2 || error.is_parse() { Cut::Malformed } else { Cut::Reset }
}

/// What a failed connect means, for the owner.
#[expect(clippy::wildcard_enum_match_arm, reason = "the standard library's list is open, and the rest is alike to us")]
pub(crate) fn connect_reason(error: &io::Error, address: std::net::SocketAddr) -> Arc<str> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("{address} refuses connections"),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => format!("there is no way to {address}"),
        io::ErrorKind::PermissionDenied => format!("connecting to {address} is not permitted"),
        _ => format!("connecting to {address} failed"),
    }
    .into()
}

fn source<E: Error + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(found) = inner.downcast_ref::<E>() {
            return Some(found);
        }
        source = inner.source();
    }
    None
}
