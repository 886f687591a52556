//! Answers of the gateway's own servers.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use serde_json::json;

pub(super) type Answer = Response<Full<Bytes>>;

/// What every service function gives.
pub(super) type Answered = Result<Answer, Infallible>;

/// A text of a media type.
pub(super) fn text(status: StatusCode, media_type: &'static str, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// A JSON document.
pub(super) fn json_of(document: &impl Serialize) -> Answer {
    match serde_json::to_vec(document) {
        Ok(bytes) => text(StatusCode::OK, "application/json", bytes),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the answer cannot be written as JSON"),
    }
}

/// A problem document (RFC 9457). `detail` holds nothing of the request.
pub(super) fn problem(status: StatusCode, detail: &str) -> Answer {
    let document = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": detail,
    });
    text(status, "application/problem+json", document.to_string())
}

/// The method is another than the path has.
pub(super) fn not_allowed(allowed: &'static str) -> Answer {
    let mut answer = problem(StatusCode::METHOD_NOT_ALLOWED, &format!("this path has {allowed} only"));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}
