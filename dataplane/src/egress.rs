//! Documents that the gateway itself fetches: key sets, discovery, introspection.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, HOST};
use http::{HeaderMap, HeaderValue, Request};
use upstream::{Fetched, Guard, Upstreams};

use crate::runtime::Url;

/// How long a document may take.
pub(crate) const PATIENCE_MS: u64 = 5_000;

/// Gets a document of at most `bytes` bytes from where `guard` lets it; follows no redirect.
pub(crate) async fn get(upstreams: &Upstreams, place: &ir::UrlBackend, guard: &Guard, bytes: usize) -> Result<Fetched, String> {
    let Url { target, host, prefix } = Url::of(place, Arc::clone(&place.host), guard).map_err(|reason| reason.to_string())?;
    let mut headers = HeaderMap::new();
    headers.insert(HOST, host);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = prefix.parse().map_err(|_| "its path is not valid".to_owned())?;
    *request.headers_mut() = headers;
    upstreams.fetch(&target, request, bytes, PATIENCE_MS).await.map_err(|cause| words(&cause))
}

/// Posts a form and gets a document of at most `bytes` bytes.
pub(crate) async fn post_form(
    upstreams: &Upstreams,
    url: &Url,
    authorization: &HeaderValue,
    form: String,
    bytes: usize,
) -> Result<Fetched, String> {
    let mut request = Request::new(Bytes::from(form));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = url.prefix.parse().map_err(|_| "its path is not valid".to_owned())?;
    let headers = request.headers_mut();
    headers.insert(HOST, url.host.clone());
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(http::header::AUTHORIZATION, authorization.clone());
    upstreams.fetch(&url.target, request, bytes, PATIENCE_MS).await.map_err(|cause| words(&cause))
}

/// Posts a batch of spans to an OTLP/HTTP endpoint (OTLP 1.x, section OTLP/HTTP Request).
pub(crate) async fn post_spans(upstreams: &Upstreams, endpoint: &str, batch: Bytes) -> Result<(), String> {
    let place = crate::state::parse_url(&format!("{}/v1/traces", endpoint.trim_end_matches('/')));
    let place = place.ok_or_else(|| "the endpoint is no usable URL".to_owned())?;
    // Whoever runs the gateway says where spans go.
    let Url { target, host, prefix } =
        Url::of(&place, Arc::clone(&place.host), &Guard::default()).map_err(|reason| reason.to_string())?;
    let mut request = Request::new(batch);
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = prefix.parse().map_err(|_| "its path is not valid".to_owned())?;
    let headers = request.headers_mut();
    headers.insert(HOST, host);
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    let fetched = upstreams.fetch(&target, request, ANSWER_BYTES, PATIENCE_MS).await.map_err(|cause| words(&cause))?;
    if fetched.status.is_success() { Ok(()) } else { Err(format!("it answered {}", fetched.status.as_u16())) }
}

/// The largest answer to spans.
const ANSWER_BYTES: usize = 64 * 1024;

/// What went wrong, in the owner's words.
pub(crate) fn words(cause: &cause::Upstream) -> String {
    // No route's timeout holds for what the gateway itself asks.
    let audience = if let cause::Upstream::Timeout { .. } | cause::Upstream::Silent { .. } = cause {
        cause::Audience::Caller { disclosure: cause::Disclosure::Standard, proven: false }
    } else {
        cause::Audience::Owner
    };
    cause::view(&cause::Denial::Upstream(cause.clone()), audience, "").detail
}
