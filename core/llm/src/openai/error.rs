//! A refusal in the words that OpenAI's clients know.
//!
//! `error.type` and `error.code` are OpenAI's own where it has them, else our code; everything else
//! that we have to say stands in `error.doorward`. The clients put `message` in the text of the
//! exception and keep the whole object in its `body`.

use bytes::Bytes;
use cause::{Check, CredentialReport, Remedy, View};
use jiff::Timestamp;
use serde::Serialize;

/// The longest `Retry-After` that OpenAI's clients wait for, in seconds; beyond it they retry at once.
const LONGEST_WAIT: f64 = 120.0;

#[derive(Serialize)]
struct Body<'a> {
    error: Error<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    message: String,
    r#type: &'static str,
    param: Option<&'static str>,
    code: &'static str,
    doorward: Ours<'a>,
}

#[derive(Serialize)]
struct Ours<'a> {
    code: &'static str,
    check: Check,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    credentials: &'a [CredentialReport],
    remedy: &'a Remedy,
    retryable: bool,
    decision: &'a str,
}

/// An event of the Responses API, whose clients tell events apart by `type`; `error` is for those
/// that look for it in every stream.
#[derive(Serialize)]
struct ResponsesEvent<'a> {
    r#type: &'static str,
    sequence_number: u64,
    code: &'static str,
    message: &'a str,
    param: Option<&'static str>,
    error: &'a Error<'a>,
}

/// The body of a refusal. `decision` is the decision's id, `credentials` what became of each source.
#[must_use]
pub fn render(view: &View, decision: &str, credentials: &[CredentialReport], check: Check) -> Vec<u8> {
    written(&Body { error: error(view, decision, credentials, check) })
}

/// Whether the answer must carry `x-should-retry: false`, because OpenAI's clients would send the
/// request again and that cannot help: never, or not within their patience.
#[must_use]
pub fn retry_cannot_help(view: &View, now: Timestamp) -> bool {
    let too_late = |at: Timestamp| at.duration_since(now).as_secs_f64() > LONGEST_WAIT;
    !view.retryable || view.remedy.retry_at.is_some_and(too_late)
}

/// The last event of a chat stream that was cut.
pub(crate) fn chat_event(view: &View, decision: &str, credentials: &[CredentialReport], check: Check) -> Bytes {
    framed(b"data: ", &render(view, decision, credentials, check))
}

/// The last event of a Responses stream that was cut after `sequence` events.
pub(crate) fn responses_event(
    view: &View,
    decision: &str,
    credentials: &[CredentialReport],
    check: Check,
    sequence: u64,
) -> Bytes {
    let error = error(view, decision, credentials, check);
    let event = ResponsesEvent {
        r#type: "error",
        sequence_number: sequence,
        code: error.code,
        message: &error.message,
        param: error.param,
        error: &error,
    };
    framed(b"event: error\ndata: ", &written(&event))
}

/// JSON as we write it has no line ends in it, so it is one line of an event.
fn framed(head: &[u8], json: &[u8]) -> Bytes {
    [head, json, b"\n\n"].concat().into()
}

fn error<'a>(view: &'a View, decision: &'a str, credentials: &'a [CredentialReport], check: Check) -> Error<'a> {
    let (kind, code, param) = words(view);
    let what = if view.detail.is_empty() { view.title } else { &view.detail };
    Error {
        message: format!("{what} {}", view.remedy.text).trim_end().to_owned(),
        r#type: kind,
        param,
        code,
        doorward: Ours {
            code: view.code,
            check,
            rule: view.rule.as_deref(),
            credentials,
            remedy: &view.remedy,
            retryable: view.retryable,
            decision,
        },
    }
}

/// `type`, `code` and `param`.
fn words(view: &View) -> (&'static str, &'static str, Option<&'static str>) {
    match (view.status.as_u16(), view.code) {
        (401, _) => ("invalid_request_error", "invalid_api_key", None),
        (403, code) => ("request_forbidden", code, None),
        (429, _) => ("requests", "rate_limit_exceeded", None),
        (_, "model.not_found") => ("invalid_request_error", "model_not_found", None),
        (_, "model.missing") => ("invalid_request_error", "missing_required_parameter", Some("model")),
        (400..=499, code) => ("invalid_request_error", code, None),
        (_, code) => ("server_error", code, None),
    }
}

#[expect(clippy::expect_used, reason = "texts and numbers are always JSON")]
fn written(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("texts and numbers are always JSON")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cause::{
        Access, Audience, Credential, CredentialKind, CredentialState, Denial, Disclosure, Limit, Model, ObjectName, ObjectRef,
        Payload, Route, Upstream, view,
    };
    use serde_json::{Value, json};

    use super::*;

    const NOW: &str = "2026-11-24T12:00:00Z";

    fn seen(denial: &Denial) -> View {
        view(denial, Audience::Caller { disclosure: Disclosure::Standard, proven: true }, "https://docs.example/causes")
    }

    fn gpt() -> Arc<str> {
        "gpt".into()
    }

    fn limited(seconds: u32) -> Denial {
        let now: Timestamp = NOW.parse().unwrap();
        Denial::Limit(Limit::Requests {
            holder: ObjectRef::new("ApiRoute", ObjectName::new("shop", "orders")),
            limit: "per-key".into(),
            requests: 10,
            burst: 10,
            window_seconds: 60,
            retry_at: now + std::time::Duration::from_secs(seconds.into()),
            retry_after_seconds: seconds,
        })
    }

    fn check(denial: &Denial, status: u16, words: [&str; 3], retry_cannot_help: bool) {
        let view = seen(denial);
        let body: Value = serde_json::from_slice(&render(&view, "d1", &[], Check::Identify)).unwrap();
        let error = &body["error"];
        assert_eq!(view.status.as_u16(), status);
        assert_eq!([&error["type"], &error["code"], &error["doorward"]["code"]], words, "{body}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(&view.detail) && message.ends_with(&view.remedy.text), "{message}");
        assert!(error.get("param").is_some(), "{body}");
        assert_eq!(super::retry_cannot_help(&view, NOW.parse().unwrap()), retry_cannot_help, "{words:?}");
    }

    #[test]
    fn openais_words_where_it_has_them_else_ours() {
        let ours = |code| ["invalid_request_error", code, code];
        let server = |code| ["server_error", code, code];
        let key = |code| ["invalid_request_error", "invalid_api_key", code];
        let missing = Credential::Missing { route: ObjectName::new("shop", "ai"), accepted: vec!["bearer".into()] };
        check(&Denial::Credential(missing), 401, key("credential.missing"), true);
        check(&Denial::Credential(Credential::Unknown { source: "bearer".into() }), 401, key("credential.unknown"), true);
        let ambiguous = Credential::Ambiguous { sources: vec!["bearer".into()] };
        check(&Denial::Credential(ambiguous), 400, ours("credential.ambiguous"), true);
        check(&Denial::Access(Access::Refused), 403, ["request_forbidden", "access.refused", "access.refused"], true);
        check(
            &Denial::Model(Model::NotFound { requested: "x".into(), available: vec![gpt()] }),
            404,
            ["invalid_request_error", "model_not_found", "model.not_found"],
            true,
        );
        check(
            &Denial::Model(Model::Missing { available: vec![gpt()] }),
            400,
            ["invalid_request_error", "missing_required_parameter", "model.missing"],
            true,
        );
        let unknown = Model::OperationUnknown { route: ObjectName::new("shop", "ai"), served: crate::operation::SERVED };
        check(&Denial::Model(unknown), 404, ours("model.operation_unknown"), true);
        check(&Denial::Payload(Payload::NotJson { offset: 3 }), 400, ours("payload.not_json"), true);
        check(&Denial::Payload(Payload::TooLarge { limit: 3 }), 413, ours("payload.too_large"), true);
        let limit = ["requests", "rate_limit_exceeded", "limit.requests"];
        check(&limited(5), 429, limit, false);
        check(&limited(120), 429, limit, false);
        check(&limited(121), 429, limit, true);
        check(
            &Denial::Upstream(Upstream::RateLimited { backend: gpt(), retry_after_seconds: None }),
            429,
            ["requests", "rate_limit_exceeded", "upstream.rate_limited"],
            false,
        );
        check(
            &Denial::Upstream(Upstream::CredentialRefused { backend: gpt(), status: 401 }),
            502,
            server("upstream.credential_refused"),
            true,
        );
        check(&Denial::Upstream(Upstream::Timeout { backend: gpt(), limit_ms: 5 }), 504, server("upstream.timeout"), false);
        check(&Denial::Route(Route::Internal), 500, server("route.internal"), true);
        check(&Denial::Limit(Limit::StoreFull { capacity: 1 }), 503, server("limit.store_full"), false);
    }

    #[test]
    fn our_members_stand_beside_openais() {
        let view = seen(&limited(5));
        let report = CredentialReport {
            source: "bearer".into(),
            kind: CredentialKind::ApiKey,
            state: CredentialState::Accepted,
            id: Some("k1".into()),
        };
        let body: Value = serde_json::from_slice(&render(&view, "d-7", &[report], Check::Meter)).unwrap();
        let message = "The limit per-key admits 10 requests in 60 s, used up until 2026-11-24T12:00:05Z. \
                       Send the request again in 5 s; spread calls over the window.";
        let want = json!({"error": {
            "message": message,
            "type": "requests",
            "param": null,
            "code": "rate_limit_exceeded",
            "doorward": {
                "code": "limit.requests",
                "check": "meter",
                "rule": "shop/orders/per-key",
                "credentials": [{"source": "bearer", "kind": "ApiKey", "state": "Accepted", "id": "k1"}],
                "remedy": {
                    "text": "Send the request again in 5 s; spread calls over the window.",
                    "action": "Wait",
                    "by": "Caller",
                    "docs": "https://docs.example/causes/limit.requests",
                    "retryAt": "2026-11-24T12:00:05Z",
                },
                "retryable": true,
                "decision": "d-7",
            },
        }});
        assert_eq!(body, want);
    }

    #[test]
    fn without_a_detail_the_title_is_the_message() {
        let view = View { detail: String::new(), ..seen(&Denial::Route(Route::Internal)) };
        let body: Value = serde_json::from_slice(&render(&view, "d", &[], Check::Guard)).unwrap();
        assert!(body["error"]["message"].as_str().unwrap().starts_with(view.title));
    }
}
