//! A whole answer at once, bounded: for key sets, discovery and introspection.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;

use crate::body::{Cut, RequestBody};
use crate::failure::SendError;
use crate::send::Timeouts;
use crate::target::Target;
use crate::upstreams::Upstreams;

/// An answer in full.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Its status; a redirect is not followed.
    pub status: StatusCode,
    /// Its fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Upstreams {
    /// Sends `request`, in origin form and with `Host`, and reads the answer to its end: at most
    /// `max_bytes`, all within `limit_ms`.
    ///
    /// # Errors
    ///
    /// As [`Upstreams::send`]; an answer that is too large is [`cause::Upstream::Protocol`].
    pub async fn fetch(
        &self,
        target: &Target,
        request: Request<Bytes>,
        max_bytes: usize,
        limit_ms: u64,
    ) -> Result<Fetched, cause::Upstream> {
        let backend = || Arc::clone(target.name());
        let timeouts = Timeouts { connect_ms: limit_ms, response_ms: limit_ms, stream_ms: limit_ms, whole_ms: None };
        let whole = async {
            let response = self.send(target, request.map(RequestBody::of), timeouts).await.map_err(|error| match error {
                SendError::Upstream { cause, .. } => cause,
                // The body is here in full; it cannot fail.
                SendError::Body(failure) => cause::Upstream::Reset { backend: backend(), reason: failure.to_string().into() },
            })?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, max_bytes).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    let reason = format!("its answer is larger than {max_bytes} bytes").into();
                    return cause::Upstream::Protocol { backend: backend(), reason };
                }
                error.downcast::<Cut>().map_or(Cut::Reset, |cut| *cut).cause(target.name())
            })?;
            Ok(Fetched { status: head.status, headers: head.headers, body: body.to_bytes() })
        };
        timeout(Duration::from_millis(limit_ms), whole)
            .await
            .unwrap_or_else(|_| Err(cause::Upstream::Timeout { backend: backend(), limit_ms }))
    }
}
