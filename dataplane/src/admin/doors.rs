//! What the gateway's own servers answer.

use std::net::IpAddr;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use observe::report::Report;
use tokio::time::timeout;

use super::answer::{Answer, Answered, json_of, not_allowed, problem, text};
use super::{Asked, Door};
use crate::explain::Described;

/// Most bytes of a described request.
const BODY_BYTES: usize = 1 << 20;
/// How long its body may take.
const BODY: Duration = Duration::from_secs(5);
const PLAIN: &str = "text/plain; charset=utf-8";

/// The answer to one request.
pub(super) async fn answer(door: Door, request: Request<Incoming>, asked: &impl Asked) -> Answered {
    Ok(match door {
        Door::Metrics => metrics(&request, asked),
        Door::Management if !is_local_name(request.headers().get(HOST)) => problem(
            StatusCode::MISDIRECTED_REQUEST,
            "management answers to `localhost` and IP addresses only; name it by its address",
        ),
        Door::Management => management(request, asked).await,
    })
}

fn metrics<B>(request: &Request<B>, asked: &impl Asked) -> Answer {
    let path = request.uri().path();
    if !matches!(path, "/metrics" | "/livez" | "/readyz") {
        return problem(StatusCode::NOT_FOUND, "there are /metrics, /livez and /readyz");
    }
    if request.method() != Method::GET {
        return not_allowed("GET");
    }
    match path {
        "/metrics" => text(StatusCode::OK, observe::metrics::CONTENT_TYPE, asked.metrics()),
        "/readyz" if !asked.ready() => text(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "not ready\n"),
        "/readyz" => text(StatusCode::OK, PLAIN, "ready\n"),
        _ => text(StatusCode::OK, PLAIN, "alive\n"),
    }
}

async fn management(request: Request<Incoming>, asked: &impl Asked) -> Answer {
    let path = request.uri().path();
    if path == "/explain" {
        return if request.method() == Method::POST { explain(request, asked).await } else { not_allowed("POST") };
    }
    let id = path.strip_prefix("/decisions/").filter(|id| !id.is_empty() && !id.contains('/'));
    if path != "/status" && id.is_none() {
        return problem(StatusCode::NOT_FOUND, "there are /status, /decisions/{id} and /explain");
    }
    if request.method() != Method::GET {
        return not_allowed("GET");
    }
    match id {
        None => json_of(&asked.status()),
        Some(id) => match decision(id.to_owned(), asked.clone()).await {
            Some(report) => json_of(&report),
            None => problem(
                StatusCode::NOT_FOUND,
                "no call with this decision id is kept: only recent calls of this gateway are, and ids have 16 characters",
            ),
        },
    }
}

/// Looks back on a thread that may block.
async fn decision(id: String, asked: impl Asked) -> Option<Report> {
    tokio::task::spawn_blocking(move || asked.decision(&id)).await.ok().flatten()
}

async fn explain(request: Request<Incoming>, asked: &impl Asked) -> Answer {
    if !is_json(request.headers()) {
        // Also what keeps other sites' pages out: a browser asks before it sends JSON to a stranger.
        return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send the described request with `Content-Type: application/json`");
    }
    let body = match timeout(BODY, Limited::new(request.into_body(), BODY_BYTES).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return problem(StatusCode::PAYLOAD_TOO_LARGE, "a described request has at most 1 MiB");
        }
        Ok(Err(_)) => return problem(StatusCode::BAD_REQUEST, "the body was cut"),
        Err(_) => return problem(StatusCode::REQUEST_TIMEOUT, "the body did not arrive within 5 s"),
    };
    match serde_json::from_slice::<Described>(&body) {
        Ok(described) => match asked.explain(described).await {
            Some(report) => json_of(&report),
            None => problem(StatusCode::SERVICE_UNAVAILABLE, "the gateway has stopped"),
        },
        // The error's own text could repeat a credential.
        Err(error) => problem(
            StatusCode::BAD_REQUEST,
            &format!(
                "line {}, column {}: a described request is JSON with `method`, `target`, `from`, and if need be `headers`, `body`, `at`",
                error.line(),
                error.column()
            ),
        ),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Whether a Host cannot be another site's name that leads here (DNS rebinding).
fn is_local_name(host: Option<&HeaderValue>) -> bool {
    let Some(host) = host.and_then(|value| value.to_str().ok()) else { return false };
    let Ok(host) = wire::host::parse(host) else { return false };
    let address = host.name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&host.name);
    host.name == "localhost" || host.name.ends_with(".localhost") || address.parse::<IpAddr>().is_ok()
}
