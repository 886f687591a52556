//! Answers of the demo service.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};

pub(super) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// How long a stream waits before each event, as a model does that is writing.
const PACE: Duration = Duration::from_millis(15);

/// A status alone.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Empty::new().boxed_unsync());
    *answer.status_mut() = status;
    answer
}

/// A JSON document, one line.
pub(super) fn json(status: StatusCode, document: &Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(format!("{document}\n"))).boxed_unsync());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// What the service itself finds wrong with a request.
pub(super) fn error(status: StatusCode, text: &str) -> Answer {
    json(status, &json!({"service": "doorward demo", "error": text}))
}

/// Events one after the other (the `text/event-stream` of the HTML standard).
pub(super) fn events(data: Vec<String>) -> Answer {
    let events = stream::unfold(data.into_iter(), |mut data| async move {
        let event = data.next()?;
        tokio::time::sleep(PACE).await;
        Some((Ok(Frame::data(Bytes::from(format!("data: {event}\n\n")))), data))
    });
    let mut answer = Response::new(StreamBody::new(events).boxed_unsync());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}
