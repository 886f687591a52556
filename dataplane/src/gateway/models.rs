//! A call to a model: the provider's credential is put on, its answer is passed on event by event,
//! and what it cost is read on the way.

use std::cell::Cell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use cause::{Audience, Check, Denial, Upstream as UpstreamCause};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER, SET_COOKIE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::{Body, Frame};
use llm::openai::response::UsageReader;
use llm::openai::stream::{Ended, Relay};
use llm::operation::Call as Operation;
use llm::usage::Seen;
use observe::decision::DecisionId;
use observe::evidence::{CredentialReports, Evidence, Usage};
use upstream::body::BoxError;
use upstream::{Cut, Lines, RequestBody, ResponseBody};

use super::admit::Context;
use super::finish::Call;
use super::forward;
use super::hop::{CDN_LOOP, Hop};
use super::locate::Located;
use super::validate::ModelCall;

/// Fields of the caller that a provider sees; all others stay here.
const PASSED: [HeaderName; 5] =
    [ACCEPT, CONTENT_TYPE, USER_AGENT, HeaderName::from_static("openai-beta"), HeaderName::from_static("idempotency-key")];

/// Fields of a provider that tell of the gateway's own account, to which the caller has no part.
const OF_THE_ACCOUNT: [HeaderName; 3] =
    [SET_COOKIE, HeaderName::from_static("openai-organization"), HeaderName::from_static("openai-project")];

/// Calls the model.
pub(super) async fn call(
    context: &Context<'_>,
    parts: &mut Parts,
    located: &Located<'_>,
    model: ModelCall<'_>,
    (evidence, call): (&Evidence, &mut Call),
) -> Result<Response<ResponseBody>, Denial> {
    let place = model.model.place.as_ref().map_err(|fault| Denial::Misconfigured(Arc::clone(fault)))?;
    let hop = Hop::of(&context.worker.state, &parts.headers, &place.target)?;
    let mut headers = HeaderMap::with_capacity(PASSED.len() + 4);
    for value in parts.headers.get_all(CDN_LOOP) {
        headers.append(CDN_LOOP, value.clone());
    }
    for name in PASSED {
        if let Some(value) = parts.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers.insert(HOST, place.host.clone());
    if let Some(authorization) = &model.model.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    if let Ok(trace) = HeaderValue::from_bytes(&evidence.received.trace.to_text()) {
        headers.insert(observe::trace::TRACEPARENT, trace);
    }
    located.serve.traffic.request.apply(&mut headers);
    parts.headers = headers;
    let path = format!("{}/{}", place.prefix, model.call.path());
    parts.uri = path.parse().map_err(|_| Denial::Route(cause::Route::Internal))?;
    let request_bytes = model.body.len() as u64;
    let mut lines = Lines::default();
    hop.sign(&mut parts.headers, &mut lines);
    let body = RequestBody::of(model.body.clone());
    let response = forward::send(context, (parts, lines, body), &place.target, located, call).await?;
    let backend = place.target.name();
    judge(&response, backend)?;
    Ok(meter(context, response, &model, (evidence, call), request_bytes))
}

/// A provider's refusal of ourselves is ours; its limits and failures are told as its own.
fn judge(response: &Response<ResponseBody>, backend: &Arc<str>) -> Result<(), Denial> {
    let backend = Arc::clone(backend);
    let retry_after_seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Err(Denial::Upstream(match response.status().as_u16() {
        status @ (401 | 403) => UpstreamCause::CredentialRefused { backend, status },
        429 => UpstreamCause::RateLimited { backend, retry_after_seconds },
        // A caller that followed would take its request to a place that no manifest names.
        status @ 300..=399 => UpstreamCause::Protocol {
            backend,
            reason: format!("it answers with a redirect ({status}), which no model does").into(),
        },
        status @ 500.. => UpstreamCause::Error { backend, status, retry_after_seconds },
        _ => return Ok(()),
    }))
}

/// Has the answer's cost read on its way.
fn meter(
    context: &Context<'_>,
    mut response: Response<ResponseBody>,
    model: &ModelCall<'_>,
    (evidence, call): (&Evidence, &mut Call),
    request_bytes: u64,
) -> Response<ResponseBody> {
    let headers = response.headers_mut();
    for name in OF_THE_ACCOUNT {
        headers.remove(name);
    }
    let stream = headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    let usage = Rc::new(Cell::new(None));
    call.usage = Some(Rc::clone(&usage));
    if !stream {
        let is_success = response.status().is_success();
        return response.map(|inner| {
            let text_bytes = if is_success && writes(model.call) { Some(0) } else { None };
            let mut metered = Metered { inner, reader: UsageReader::default(), usage, request_bytes, text_bytes };
            metered.read(&[]);
            ResponseBody::Boxed(Box::pin(metered))
        });
    }
    // Events are taken out or added, so the length is not known any more.
    headers.remove(CONTENT_LENGTH);
    let cut = Rc::new(Cell::new(None));
    call.cut = Some(Rc::clone(&cut));
    let farewell = Farewell {
        decision: evidence.received.decision,
        credentials: evidence.credentials.clone(),
        audience: Audience::Caller { disclosure: context.runtime.settings.disclosure, proven: evidence.proven() },
        docs: Arc::clone(&context.runtime.settings.docs),
        backend: call.backend.clone().unwrap_or_default(),
        cut,
    };
    let relay = Relay::new(model.call, model.usage_injected, request_bytes);
    response.map(|inner| {
        ResponseBody::Boxed(Box::pin(Relayed { inner, relay, usage, farewell, last: VecDeque::new(), ended: false }))
    })
}

/// Whether a model writes text in answer to a call.
const fn writes(call: Operation) -> bool {
    match call {
        Operation::ChatCompletions | Operation::Completions | Operation::Responses => true,
        Operation::Embeddings | Operation::Moderations => false,
    }
}

/// A whole answer, passed on as it comes.
struct Metered {
    inner: ResponseBody,
    reader: UsageReader,
    usage: Rc<Cell<Option<Usage>>>,
    request_bytes: u64,
    /// Bytes of the answer so far, where it is one that a model wrote.
    text_bytes: Option<u64>,
}

impl Metered {
    /// What the answer states, else what it looks like so far: a provider that states nothing was used all the same.
    fn read(&mut self, data: &[u8]) {
        self.reader.push(data);
        if let Some(bytes) = &mut self.text_bytes {
            *bytes += data.len() as u64;
        }
        let guess = |text_bytes| llm::Usage::estimate(self.request_bytes, Seen { deltas: 0, text_bytes });
        let guess = self.text_bytes.map(guess);
        self.usage.set(self.reader.usage().or(guess).map(counted));
    }
}

impl Body for Metered {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let item = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Ok(frame)) = &item
            && let Some(data) = frame.data_ref()
        {
            self.read(data);
        }
        Poll::Ready(item)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

fn counted(usage: llm::Usage) -> Usage {
    Usage { input: usage.input, output: usage.output, estimated: usage.estimated }
}

/// What a caller is told when its stream is cut.
struct Farewell {
    decision: DecisionId,
    credentials: CredentialReports,
    audience: Audience,
    docs: Arc<str>,
    backend: Arc<str>,
    cut: Rc<Cell<Option<Denial>>>,
}

/// A stream, passed on event by event.
struct Relayed {
    inner: ResponseBody,
    relay: Relay,
    usage: Rc<Cell<Option<Usage>>>,
    farewell: Farewell,
    last: VecDeque<Bytes>,
    ended: bool,
}

impl Relayed {
    /// The stream ends here, for `cause` if it was cut.
    fn end(&mut self, cause: Option<UpstreamCause>) {
        self.ended = true;
        let (rest, ended) = self.relay.finish();
        if !rest.is_empty() {
            self.last.push_back(rest);
        }
        let cause = match (cause, ended) {
            (Some(_) | None, Ended::Complete | Ended::Failed) => None,
            (Some(cause), Ended::Cut) => Some(cause),
            (None, Ended::Cut) => Some(Cut::Reset.cause(&self.farewell.backend)),
        };
        if let Some(cause) = cause {
            let denial = Denial::Upstream(cause);
            let view = cause::view(&denial, self.farewell.audience, &self.farewell.docs);
            let decision = self.farewell.decision.as_str();
            let event = self.relay.error_event(&view, decision, &self.farewell.credentials, Check::Forward);
            self.last.push_back(event);
            self.farewell.cut.set(Some(denial));
        }
        self.usage.set(Some(counted(self.relay.usage())));
    }
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            if this.ended {
                return Poll::Ready(this.last.pop_front().map(|bytes| Ok(Frame::data(bytes))));
            }
            match this.relay.take() {
                Ok(Some(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Ok(None) => {}
                Err(too_large) => {
                    let reason = format!("an event of its stream is larger than {} bytes", too_large.limit).into();
                    let backend = Arc::clone(&this.farewell.backend);
                    this.end(Some(UpstreamCause::Protocol { backend, reason }));
                    continue;
                }
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                // Trailers say nothing to readers of events.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        this.relay.push(data);
                    }
                }
                Some(Err(error)) => {
                    let cut = error.downcast_ref::<Cut>().copied().unwrap_or(Cut::Reset);
                    let cause = cut.cause(&this.farewell.backend);
                    this.end(Some(cause));
                }
                None => this.end(None),
            }
        }
    }
}

impl Drop for Relayed {
    /// A caller that leaves has used what came so far.
    fn drop(&mut self) {
        if !self.ended {
            self.usage.set(Some(counted(self.relay.usage())));
        }
    }
}
