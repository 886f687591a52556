//! The request's way, from a parsed head to the last byte of the answer.
//!
//! receive -> admit (locate, screen, identify, authorize, validate, meter) -> forward -> answer;
//! whatever happens, one [`observe::evidence::Record`] is left behind.

mod admit;
mod answer;
mod authorize;
mod finish;
mod forward;
mod hop;
mod identify;
mod locate;
mod meter;
mod models;
mod respond;
mod screen;
mod shape;
mod tokens;
mod validate;
mod view;

use std::cell::Cell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use cause::{Check, Denial, Framing};
use http::header::{CONNECTION, EXPECT, HOST, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use ir::Enforcement;
use observe::evidence::{Evidence, HeadText, Received, Record};
use observe::trace::TraceContext;
use upstream::{RequestBody, ResponseBody};
use wire::h1::Glimpse;

pub(crate) use admit::{Context, Rejection, admit};
pub(crate) use finish::AnswerBody;
use finish::Finish;
pub(crate) use respond::{Dialect, KnownRefusals};
pub(crate) use screen::client;
pub(crate) use shape::Origin;

use crate::listen::{Connection, InFlight};
use crate::runtime::{Backend, Route, Runtime};
use crate::worker::Worker;

/// How far a request came, for whoever renders its answer.
#[derive(Default)]
pub(crate) struct Trail<'a> {
    /// The route.
    pub(crate) route: Option<&'a Arc<Route>>,
    /// The version, by its place.
    pub(crate) version: Option<usize>,
    /// The values of `RateLimit` and `RateLimit-Policy`.
    pub(crate) limit: Option<(HeaderValue, &'a HeaderValue)>,
}

impl Trail<'_> {
    /// The form in which this caller expects refusals.
    pub(crate) fn dialect(&self, parts: &Parts) -> Dialect {
        let serve = self.route.and_then(|route| route.serve.as_ref().ok());
        let models = serve.is_some_and(|serve| {
            let is_models =
                |index: usize| serve.versions.get(index).is_some_and(|version| matches!(version.backend, Ok(Backend::Models(_))));
            // Before the version is known, a route that has nothing but models speaks for it.
            self.version.map_or_else(|| (0..serve.versions.len()).all(is_models), is_models)
        });
        if models { Dialect::OpenAi } else { Dialect::of(&parts.headers) }
    }
}

/// Answers one request. Never fails: what goes wrong is an answer, also a defect of ours.
pub(crate) async fn handle(in_flight: InFlight, worker: Rc<Worker>, request: Request<Incoming>) -> Response<AnswerBody> {
    let connection = in_flight.connection();
    let runtime = worker.runtime();
    let (mut parts, incoming) = request.into_parts();
    let began = worker.clock.monotonic();
    let mut finish = Finish::begin(in_flight, &worker, began, receive(&connection, &worker, &runtime, &parts));
    let body = RequestBody::streamed(incoming, None, || finish.upload());
    let mut trail = Trail::default();
    let context = Context {
        runtime: &runtime,
        worker: &worker,
        connection: &connection,
        now: Cell::new(began),
        explaining: false,
        live: true,
        present: true,
    };
    let served = {
        let serving = pin!(serve(&context, (&mut parts, body), &mut finish, &mut trail));
        isolated(serving, || context.now.set(worker.clock.monotonic())).await
    };
    let response = match served {
        Ok(mut response) => {
            respond::decorate(&mut response, finish.evidence(), &mut trail);
            response
        }
        Err(rejection) => {
            if matches!(rejection.denial, Denial::Route(cause::Route::Internal)) {
                tracing::error!(decision = %finish.evidence().received.decision, "a defect ended a request");
            }
            let rejection = blame(rejection, &connection);
            let dialect = trail.dialect(&parts);
            let response = respond::refuse(&rejection, finish.evidence(), &mut trail, &context, dialect);
            finish.refuse(rejection);
            response
        }
    };
    let leaving = worker.leaving.has_begun();
    finish::attach(closing(response, &parts, &finish, leaving), finish)
}

/// What is answered before the whole request came says that the connection ends there (RFC 9112 section 9.6), and so does
/// what is answered by a worker that is leaving.
fn closing(mut response: Response<ResponseBody>, parts: &Parts, finish: &Finish, leaving: bool) -> Response<ResponseBody> {
    let is_own = || matches!(response.body(), ResponseBody::Empty | ResponseBody::Full(_));
    let ends = leaving && response.status() != StatusCode::SWITCHING_PROTOCOLS || finish.is_unread() && is_own();
    if ends && parts.version < http::Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What a request comes to. A panic in it is a defect of ours: it ends that request, and no other. `woken` is called
/// after each wait.
fn isolated<'s, T>(
    mut serving: Pin<&'s mut (impl Future<Output = Result<T, Rejection>> + 's)>,
    woken: impl Fn() + 's,
) -> impl Future<Output = Result<T, Rejection>> + 's {
    let mut has_waited = false;
    poll_fn(move |cx| {
        if has_waited {
            woken();
        }
        has_waited = true;
        match catch_unwind(AssertUnwindSafe(|| serving.as_mut().poll(cx))) {
            Ok(polled) => polled,
            Err(_) => Poll::Ready(Err(Rejection { check: Check::Forward, denial: Denial::Route(cause::Route::Internal) })),
        }
    })
}

/// What was received, before any judgement.
fn receive(connection: &Connection, worker: &Worker, runtime: &Runtime, parts: &Parts) -> Box<Record> {
    let at = worker.clock.now();
    let milliseconds = u64::try_from(at.as_millisecond()).unwrap_or(0);
    let random = [worker.random(), worker.random(), worker.random()];
    let refused = if stands_in(connection, parts) { connection.glimpse() } else { None };
    let (method, head) = match refused {
        Some(glimpse) => of_refused(&glimpse),
        None => (Some(parts.method.clone()), HeadText::of(&parts.uri, parts.headers.get(HOST), parts.headers.get(USER_AGENT))),
    };
    let received = Received {
        decision: worker.decisions.next(milliseconds),
        at,
        peer: connection.peer,
        protocol: parts.version,
        tls: connection.tls.is_some(),
        method,
        head,
        trace: TraceContext::of(&parts.headers, random, runtime.settings.sample_ppm),
    };
    let mut record = Box::new(Record::new(received, runtime.generation));
    record.evidence.client = Some(screen::client(&runtime.settings.client_address, connection.peer.ip(), &parts.headers));
    record
}

/// What is told of a head that was refused before it was a request.
pub(crate) fn of_refused(glimpse: &Glimpse) -> (Option<Method>, HeadText) {
    let Glimpse { method, path, query, host } = glimpse;
    let method = method.as_ref().and_then(|method| Method::from_bytes(method.as_bytes()).ok());
    (method, HeadText::of_refused(path.as_deref(), query.as_deref(), host.as_deref()))
}

/// Admits a request and forwards it.
async fn serve<'a>(
    context: &Context<'a>,
    (parts, body): (&mut Parts, RequestBody),
    finish: &mut Finish,
    trail: &mut Trail<'a>,
) -> Result<Response<ResponseBody>, Rejection> {
    guard(context, parts).map_err(|cause| Rejection { check: Check::Guard, denial: Denial::Framing(cause) })?;
    wire::fields::strip_at_entry(&mut parts.headers);
    let (evidence, call) = finish.told();
    let (permit, body) = admitted(context, parts, body, evidence, trail).await?;
    let forwarded = forward::forward(context, (parts, body), permit, evidence, call).await;
    forwarded.map_err(|denial| Rejection { check: Check::Forward, denial })
}

/// Admits a request, or refuses it once a small body is out of the way. A state of its own, which ends before a request is
/// forwarded: else every call would keep room for both.
async fn admitted<'a>(
    context: &Context<'a>,
    parts: &Parts,
    mut body: RequestBody,
    evidence: &mut Evidence,
    trail: &mut Trail<'a>,
) -> Result<(admit::Permit<'a>, RequestBody), Rejection> {
    match admit(context, parts, &mut body, evidence, trail).await {
        Ok(permit) => Ok((permit, body)),
        Err(rejection) if is_in_the_way(parts, &body) => {
            Box::pin(body.discard()).await;
            Err(rejection)
        }
        Err(rejection) => Err(rejection),
    }
}

/// Whether the connection can go on only behind the body. Streams of HTTP/2 stand apart, and whoever asks first whether to
/// send its body (RFC 9110 section 10.1.1) is told by the refusal.
fn is_in_the_way(parts: &Parts, body: &RequestBody) -> bool {
    matches!(body, RequestBody::Client(_)) && parts.version < http::Version::HTTP_2 && !parts.headers.contains_key(EXPECT)
}

/// What the guard of the connection found, or what HTTP/2 lets through that HTTP/1.1 cannot say.
fn guard(context: &Context<'_>, parts: &Parts) -> Result<(), Framing> {
    if parts.version == http::Version::HTTP_2 {
        let limits =
            if context.connection.tls.is_some() { &context.runtime.settings.tls } else { &context.runtime.settings.plain };
        return wire::h2_message(parts, limits);
    }
    match context.connection.violation() {
        Some(cause) if stands_in(context.connection, parts) => Err(cause),
        Some(_) | None => Ok(()),
    }
}

/// Whether a request stands in for one that the guard refused: it, and no other, has this host.
fn stands_in(connection: &Connection, parts: &Parts) -> bool {
    connection.refused() && parts.headers.get(HOST).is_some_and(|host| host == "refused.invalid")
}

/// A body that failed because the guard refused its framing is refused with the guard's cause.
fn blame(rejection: Rejection, connection: &Connection) -> Rejection {
    match (&rejection.denial, connection.violation()) {
        (Denial::Framing(Framing::BodyIncomplete | Framing::Chunk), Some(cause)) => {
            Rejection { check: Check::Guard, denial: Denial::Framing(cause) }
        }
        (_, _) => rejection,
    }
}

/// What a verdict comes to under its enforcement: in Shadow mode a refusal is only recorded.
pub(crate) fn enforce(
    verdict: Result<(), Denial>,
    enforcement: Enforcement,
    check: Check,
    evidence: &mut Evidence,
) -> Result<(), Denial> {
    match (verdict, enforcement) {
        (Err(denial), Enforcement::Shadow) => {
            evidence.shadow.push((check, denial));
            Ok(())
        }
        (verdict, Enforcement::Enforce | Enforcement::Shadow) => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One thread serves all calls of a worker, so a panic must end neither it nor another call.
    #[tokio::test]
    async fn a_panic_ends_one_call() {
        for (waits, panics) in [(0, true), (1, true), (2, false)] {
            let call = async {
                for _ in 0..waits {
                    tokio::task::yield_now().await;
                }
                assert!(!panics, "a defect");
                Ok(waits)
            };
            let other = async {
                tokio::task::yield_now().await;
                Ok("served")
            };
            let (call, other) = (pin!(call), pin!(other));
            let woken = Cell::new(0);
            let (call, other) = tokio::join!(isolated(call, || woken.set(woken.get() + 1)), isolated(other, || {}));
            assert!(matches!(other, Ok("served")));
            assert_eq!(woken.get(), waits);
            match call {
                Ok(served) => assert_eq!((served, panics), (waits, false)),
                Err(Rejection { check, denial }) => {
                    let entry = denial.entry();
                    assert_eq!((check, entry.code, entry.status.as_u16(), panics), (Check::Forward, "route.internal", 500, true));
                    let told = cause::view(&denial, cause::Audience::Owner, "");
                    assert!(!format!("{told:?}").contains("a defect"), "{told:?}");
                }
            }
        }
    }

    fn state_of<A, B, C, F>(_: impl FnOnce(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// hyper moves it once a call, and each connection keeps room for one.
    #[test]
    fn the_state_of_a_call_is_small() {
        let bytes = state_of(handle);
        assert!(bytes <= 3 * 1024, "{bytes} bytes");
    }
}
