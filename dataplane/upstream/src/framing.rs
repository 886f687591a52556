//! What may be said on a connection: requests made unambiguous, answers checked.
//!
//! What matters is that the sender, the receiver and we agree where a message ends (RFC 9112
//! section 6.3). Where an upstream states that in two ways, or in one that is not plain, its answer
//! is refused rather than repaired.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::response;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version};
use http_body::Body;

use crate::body::RequestBody;

/// Bytes of an answer's head.
pub(crate) const HEAD_LIMIT: usize = 64 * 1024;

/// Fields of an answer's head.
pub(crate) const FIELD_LIMIT: usize = 100;

/// Makes the request one that HTTP/1.1 can carry: the length of its body is stated once, as the
/// body itself knows it. Returns it; `None` is chunked.
pub(crate) fn for_http1(request: &mut Request<RequestBody>) -> Option<u64> {
    *request.version_mut() = Version::HTTP_11;
    if request.uri().authority().is_some() {
        restore_host(request);
    }
    let length = request.body().size_hint().exact();
    let expects_body = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    let headers = request.headers_mut();
    match length {
        None => {
            headers.remove(CONTENT_LENGTH);
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        Some(length) => state_length(headers, length, expects_body),
    }
    length
}

/// Makes the request one that HTTP/2 can carry: `:scheme` and `:authority` instead of `Host`, no
/// fields that belong to a connection (RFC 9113 section 8.2.2 and 8.3.1). False when `Host` is not
/// an authority.
pub(crate) fn for_http2(request: &mut Request<RequestBody>, scheme: Scheme) -> bool {
    *request.version_mut() = Version::HTTP_2;
    let length = request.body().size_hint().exact();
    let expects_body = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    match length {
        None => drop(request.headers_mut().remove(CONTENT_LENGTH)),
        Some(length) => state_length(request.headers_mut(), length, expects_body),
    }
    let host = request.headers_mut().remove(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let Some(authority) = host.or_else(|| request.uri().authority().cloned()) else { return false };
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(scheme);
    parts.authority = Some(authority);
    parts.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
    Uri::from_parts(parts).is_ok_and(|uri| {
        *request.uri_mut() = uri;
        true
    })
}

/// Undoes what [`for_http2`] did, for a request that was not sent there.
fn restore_host(request: &mut Request<RequestBody>) {
    let parts = std::mem::take(request.uri_mut()).into_parts();
    if let Some(host) = parts.authority.and_then(|authority| HeaderValue::from_str(authority.as_str()).ok()) {
        request.headers_mut().insert(HOST, host);
    }
    *request.uri_mut() = parts.path_and_query.map_or_else(Uri::default, Uri::from);
}

fn state_length(headers: &mut HeaderMap, length: u64, expects_body: bool) {
    headers.remove(TRANSFER_ENCODING);
    let stated = headers.get(CONTENT_LENGTH).and_then(plain_length);
    if length == 0 && !expects_body {
        if stated != Some(0) {
            headers.remove(CONTENT_LENGTH);
        }
    } else if stated != Some(length) || several(headers) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

fn several(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some()
}

/// Digits and nothing else (RFC 9110 section 8.6).
pub(crate) fn plain_length(value: &HeaderValue) -> Option<u64> {
    let bytes = value.as_bytes();
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    value.to_str().ok()?.parse().ok()
}

/// Why the head of an answer is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsound {
    Switches,
    ManyFields,
    SeveralLengths,
    LengthAndCoding,
    LengthNotPlain,
    CodingNotChunked,
}

impl Unsound {
    /// For the owner.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Switches => "it switches protocols, which was not asked for",
            Self::ManyFields => "its answer has more than 100 fields",
            Self::SeveralLengths => "its answer has several Content-Length fields",
            Self::LengthAndCoding => "its answer has both Content-Length and Transfer-Encoding",
            Self::LengthNotPlain => "the Content-Length of its answer is not a plain number",
            Self::CodingNotChunked => "the Transfer-Encoding of its answer is not chunked",
        }
    }
}

/// Judges the head of an HTTP/2 answer, whose frames have no other length.
pub(crate) fn judge_http2(head: &response::Parts) -> Result<(), Unsound> {
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Unsound::Switches);
    }
    if head.headers.len() > FIELD_LIMIT {
        return Err(Unsound::ManyFields);
    }
    if several(&head.headers) {
        return Err(Unsound::SeveralLengths);
    }
    if head.headers.get(CONTENT_LENGTH).is_some_and(|length| plain_length(length).is_none()) {
        return Err(Unsound::LengthNotPlain);
    }
    Ok(())
}

/// Whether a request may be sent twice (RFC 9110 section 9.2.2).
pub(crate) fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE | Method::OPTIONS | Method::TRACE)
}

/// A copy of the head, for a request that may have to be sent again.
pub(crate) fn copy(head: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let body = head.body().again()?;
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = head.method().clone();
    parts.uri = head.uri().clone();
    parts.headers = head.headers().clone();
    Some(Request::from_parts(parts, body))
}
