//! From a refusal to bytes: the only place that knows problem documents, OpenAI's error shape and
//! gRPC statuses.

mod known;

use std::fmt::Write as _;

use bytes::Bytes;
use cause::{Access, Audience, Check, CredentialReport, CredentialState, Denial, Limit, Upstream, View};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;
use upstream::ResponseBody;

use observe::evidence::Evidence;

use super::admit::Context;
use super::{Rejection, Trail};
use crate::runtime::{BEARER, Challenge};

pub(crate) use known::KnownRefusals;

/// `Doorward-Decision`.
pub(super) const DECISION: HeaderName = HeaderName::from_static("doorward-decision");
/// `Doorward-Code`.
pub(super) const CODE: HeaderName = HeaderName::from_static("doorward-code");

/// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The form in which a caller expects refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// RFC 9457.
    Problem,
    /// OpenAI's error object.
    OpenAi,
    /// A gRPC status without messages.
    Grpc,
}

impl Dialect {
    /// The dialect of a request that no AI route took: gRPC by its media type, else problem documents.
    #[must_use]
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let grpc = headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        if grpc { Self::Grpc } else { Self::Problem }
    }
}

/// A refusal as RFC 9457 writes it, with our members.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: String,
    code: &'a str,
    check: Check,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    credentials: &'a [CredentialReport],
    remedy: &'a cause::Remedy,
    retryable: bool,
}

/// The answer to a refused request.
#[must_use]
pub(super) fn refuse(
    rejection: &Rejection,
    evidence: &Evidence,
    trail: &mut Trail<'_>,
    context: &Context<'_>,
    dialect: Dialect,
) -> Response<ResponseBody> {
    let known = context.worker.refusals.borrow().find(rejection, evidence, dialect);
    let mut response = known.unwrap_or_else(|| write(rejection, evidence, trail, context, dialect));
    decorate(&mut response, evidence, trail);
    response
}

fn write(
    rejection: &Rejection,
    evidence: &Evidence,
    trail: &Trail<'_>,
    context: &Context<'_>,
    dialect: Dialect,
) -> Response<ResponseBody> {
    let settings = &context.runtime.settings;
    let Rejection { check, denial } = rejection;
    let check = *check;
    let audience = Audience::Caller { disclosure: settings.disclosure, proven: evidence.proven() };
    let view = cause::view(denial, audience, &settings.docs);
    let status = StatusCode::from_u16(view.status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let decision = evidence.received.decision;
    let credentials: &[CredentialReport] = if view.shows_credentials { &evidence.credentials } else { &[] };
    let (status, media_type, body) = match dialect {
        Dialect::Problem => (status, "application/problem+json", problem(&view, check, decision.as_str(), credentials)),
        Dialect::OpenAi => {
            let body = llm::openai::error::render(&view, decision.as_str(), credentials, check);
            (status, "application/json", body)
        }
        Dialect::Grpc => (StatusCode::OK, "application/grpc", Vec::new()),
    };
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CODE, HeaderValue::from_static(view.code));
    match dialect {
        Dialect::Problem => {}
        Dialect::OpenAi if llm::openai::error::retry_cannot_help(&view, evidence.received.at) => {
            headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
        }
        Dialect::OpenAi => {}
        Dialect::Grpc => grpc(&mut headers, &view),
    }
    challenge(&mut headers, (denial, &view), evidence, trail);
    waiting(&mut headers, denial);
    if matches!(denial, Denial::Framing(_)) && evidence.received.protocol < http::Version::HTTP_2 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    // What OpenAI's clients are told of trying again depends on the time that is left.
    if dialect != Dialect::OpenAi || view.remedy.retry_at.is_none() {
        context.worker.refusals.borrow_mut().keep((rejection, evidence, dialect), (status, &headers, &body));
    }
    let mut response = Response::new(ResponseBody::of(Bytes::from(body)));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// What every answer carries, whatever its outcome.
pub(super) fn decorate(response: &mut Response<ResponseBody>, evidence: &Evidence, trail: &mut Trail<'_>) {
    let headers = response.headers_mut();
    if let Ok(decision) = HeaderValue::from_bytes(evidence.received.decision.as_bytes()) {
        headers.insert(DECISION, decision);
    }
    if let Some((limit, policy)) = trail.limit.take() {
        headers.insert(RATE_LIMIT, limit);
        headers.insert(RATE_LIMIT_POLICY, policy.clone());
    }
    if let Some(index) = trail.version
        && let Some(serve) = trail.route.and_then(|route| route.serve.as_ref().ok())
    {
        for (name, value) in serve.choice.headers(index) {
            headers.append(name, value.clone());
        }
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

fn problem(view: &View, check: Check, decision: &str, credentials: &[CredentialReport]) -> Vec<u8> {
    let document = Problem {
        r#type: &view.remedy.docs,
        title: view.title,
        status: view.status.as_u16(),
        detail: &view.detail,
        instance: format!("urn:doorward:decision:{decision}"),
        code: view.code,
        check,
        rule: view.rule.as_deref(),
        credentials,
        remedy: &view.remedy,
        retryable: view.retryable,
    };
    // Nearly every document fits, so that none is moved while it is written.
    let mut text = Vec::with_capacity(1024);
    // Only maps with keys that are no text fail to serialise; there are none.
    match serde_json::to_writer(&mut text, &document) {
        Ok(()) => text,
        Err(_) => Vec::new(),
    }
}

/// `WWW-Authenticate` (RFC 9110 section 11.6.1, RFC 6750 section 3). A request without a bearer token gets no error
/// code for one, and no caller one that says more than the body.
fn challenge(headers: &mut HeaderMap, (denial, view): (&Denial, &View), evidence: &Evidence, trail: &Trail<'_>) {
    let Some(serve) = trail.route.and_then(|route| route.serve.as_ref().ok()) else { return };
    let realm = trail.route.map(|route| route.id.name.to_string()).unwrap_or_default();
    if let Denial::Access(Access::ScopeMissing { needed, anonymous: false, .. }) = denial
        && view.code == "access.scope_missing"
    {
        let scopes: Vec<&str> = needed.iter().map(AsRef::as_ref).collect();
        let text = format!("Bearer realm=\"{realm}\", error=\"insufficient_scope\", scope=\"{}\"", scopes.join(" "));
        insert(headers, WWW_AUTHENTICATE, &text);
        return;
    }
    if view.status.as_u16() != 401 {
        return;
    }
    let is_refused = |report: &CredentialReport| {
        let is_bearer = *report.source == **BEARER && report.state != CredentialState::Missing;
        is_bearer && report.state != CredentialState::Accepted
    };
    let error = if evidence.credentials.iter().any(is_refused) { ", error=\"invalid_token\"" } else { "" };
    for challenge in serve.authentication.iter().flat_map(|asked| &asked.challenges) {
        let text = match challenge {
            Challenge::Bearer => format!("Bearer realm=\"{realm}\"{error}"),
            Challenge::ApiKey(place) => format!("ApiKey realm=\"{realm}\", {place}"),
        };
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
}

/// `Retry-After`, where waiting helps and it is known how long.
fn waiting(headers: &mut HeaderMap, denial: &Denial) {
    let seconds = if let Denial::Limit(Limit::Requests { retry_after_seconds, .. }) = denial {
        Some(u64::from(*retry_after_seconds))
    } else if let Denial::Upstream(
        Upstream::RateLimited { retry_after_seconds, .. } | Upstream::Error { retry_after_seconds, .. },
    ) = denial
    {
        *retry_after_seconds
    } else if denial.entry().status.as_u16() == 503 && denial.entry().retry == cause::Retry::Later {
        Some(1)
    } else {
        None
    };
    if let Some(seconds) = seconds {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// A status without messages ("Trailers-Only", gRPC over HTTP/2).
fn grpc(headers: &mut HeaderMap, view: &View) {
    let status: u16 = match view.status.as_u16() {
        400 | 413 | 414 | 415 | 431 => 3,
        401 => 16,
        403 => 7,
        404 | 410 | 421 => 5,
        408 | 504 => 4,
        429 => 8,
        501 | 505 => 12,
        502 | 503 => 14,
        _ => 13,
    };
    headers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from(status));
    let mut message = String::new();
    for byte in view.detail.bytes().chain(" ".bytes()).chain(view.remedy.text.bytes()) {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            message.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(message, "%{byte:02X}");
        }
    }
    insert(headers, HeaderName::from_static("grpc-message"), &message);
}
