//! One call: an endpoint, a connection, the exchange, and what may be tried again.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Scheme;
use http::{Request, Response, Version};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::body::{Cut, Pace, RequestBody, ResponseBody, Upload, UpstreamBody};
use crate::choose;
use crate::connect::{Fresh, connect};
use crate::failure::{self, Delivery, SendError, cause_of, is_of_stream, is_untouched};
use crate::framing;
use crate::h1::{H1, Unanswered};
use crate::h2::Stream;
use crate::outgoing::Outgoing;
use crate::peer::{Active, Kept, Peer};
use crate::target::{Protocol, Target};
use crate::upstreams::Upstreams;

/// Times of one call, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For one connect: TCP and TLS.
    pub connect_ms: u64,
    /// From the last part of the request to the head of the answer.
    pub response_ms: u64,
    /// Between two parts of the answer.
    pub stream_ms: u64,
    /// From the begin of the call to the last part of the answer; `None` bounds only its steps.
    pub whole_ms: Option<u64>,
}

impl From<&ir::Timeouts> for Timeouts {
    fn from(timeouts: &ir::Timeouts) -> Self {
        let ir::Timeouts { connect_ms, response_ms, stream_ms, .. } = *timeouts;
        Self { connect_ms, response_ms, stream_ms, whole_ms: None }
    }
}

impl Upstreams {
    /// Sends `request`, in origin form and with `Host`, to an endpoint of `target`, and waits for
    /// the head of the answer, less the fields that concern the upstream's connection alone.
    /// Answers of status 1xx are passed over.
    ///
    /// Tries up to two other endpoints when a connect fails, another connection when nothing was
    /// sent on the first, and once a new one when a kept connection closed under an idempotent
    /// request whose body is here. Dropping the future ends the call.
    ///
    /// # Errors
    ///
    /// Whose failure it is, and whether the upstream may have acted on the request.
    pub fn send(
        &self,
        target: &Target,
        request: impl Into<Outgoing>,
        timeouts: Timeouts,
    ) -> impl Future<Output = Result<Response<ResponseBody>, SendError>> {
        // Taken over before the future is made: it would have room for both forms.
        self.send_whole(target, request.into(), timeouts)
    }

    async fn send_whole(
        &self,
        target: &Target,
        mut outgoing: Outgoing,
        timeouts: Timeouts,
    ) -> Result<Response<ResponseBody>, SendError> {
        let whole = timeouts.whole_ms.map(|limit_ms| (Instant::now() + Duration::from_millis(limit_ms), limit_ms));
        let call = Call { target, timeouts, until: whole.map(|(until, _)| until) };
        let Some((until, limit_ms)) = whole else { return self.attempts(&call, &mut outgoing).await };
        // A box, because few calls have such a limit, and all have room for this future.
        match timeout_at(until, Box::pin(self.attempts(&call, &mut outgoing))).await {
            Ok(answered) => answered,
            Err(_) => {
                let backend = Arc::clone(target.name());
                Err(SendError::sent(cause::Upstream::Timeout { backend, limit_ms }))
            }
        }
    }

    async fn attempts(&self, call: &Call<'_>, outgoing: &mut Outgoing) -> Result<Response<ResponseBody>, SendError> {
        let target = call.target;
        let peers = self.peers_of(target, call.timeouts.connect_ms).await.map_err(SendError::unsent)?;
        let mut history = History::default();
        loop {
            let next = choose::next(&peers, &history.tried, &self.dice).and_then(|index| Some((index, peers.get(index)?)));
            let Some((index, peer)) = next else {
                return Err(SendError::unsent(cause::Upstream::NoEndpoints { backend: Arc::clone(target.name()) }));
            };
            match call.attempt(peer, history.distrusts_kept(), outgoing).await {
                Attempt::Answered(response) => return Ok(response),
                Attempt::Failed(error) => return Err(error),
                Attempt::Again(why, error) => {
                    if !history.allows(why, index, peers.len()) {
                        return Err(history.judge(error));
                    }
                }
            }
        }
    }
}

/// How one attempt went.
enum Attempt {
    Answered(Response<ResponseBody>),
    Failed(SendError),
    /// The request is whole still, or again.
    Again(Why, SendError),
}

/// Why a request can be sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// There was no connection.
    Unconnected,
    /// The upstream has not looked at it.
    Untouched,
    /// It ended with its kept connection, may be sent twice, and no byte came back.
    Raced,
}

/// What has been tried for one call.
#[derive(Default)]
struct History {
    /// Endpoints that could not be connected to.
    tried: Vec<usize>,
    untouched: usize,
    raced: bool,
}

impl History {
    /// Notes why the last attempt failed at the endpoint `index`; whether there may be another.
    fn allows(&mut self, why: Why, index: usize, endpoints: usize) -> bool {
        match why {
            Why::Unconnected => {
                self.tried.push(index);
                self.tried.len() <= OTHER_ENDPOINTS && self.tried.len() < endpoints
            }
            Why::Untouched => {
                self.untouched += 1;
                self.untouched <= UNTOUCHED
            }
            Why::Raced => !std::mem::replace(&mut self.raced, true),
        }
    }

    /// Whether kept connections have shown to be stale.
    const fn distrusts_kept(&self) -> bool {
        self.raced || self.untouched >= UNTOUCHED
    }

    /// An error, given that an earlier attempt may have reached the upstream.
    fn judge(&self, error: SendError) -> SendError {
        match error {
            SendError::Upstream { cause, .. } if self.raced => SendError::Upstream { cause, delivery: Delivery::Possible },
            SendError::Upstream { .. } | SendError::Body(_) => error,
        }
    }
}

/// Endpoints tried beside the first when connecting fails.
const OTHER_ENDPOINTS: usize = 2;

/// Attempts after one that the upstream did not look at; the last on a new connection.
const UNTOUCHED: usize = 3;

/// Calls in flight of one worker at one address.
const IN_FLIGHT: usize = 16_384;

/// What stays the same in all attempts.
struct Call<'a> {
    target: &'a Target,
    timeouts: Timeouts,
    /// When all of the answer must be here.
    until: Option<Instant>,
}

impl Call<'_> {
    async fn attempt(&self, peer: &Rc<Peer>, distrusts_kept: bool, outgoing: &mut Outgoing) -> Attempt {
        if peer.in_flight() >= IN_FLIGHT {
            let cause = cause::Upstream::Overloaded { backend: self.backend(), limit: IN_FLIGHT };
            return Attempt::Again(Why::Unconnected, SendError::unsent(cause));
        }
        let active = peer.enter();
        let kept = if distrusts_kept { None } else { peer.kept() };
        let reused = kept.is_some();
        let connection = match kept {
            Some(kept) => Ok(kept),
            // Rare, and large: not to be part of every call.
            None => Box::pin(self.connect(peer)).await,
        };
        match connection {
            Ok(Kept::H1(h1)) => self.over_h1(h1, reused, active, outgoing).await,
            Ok(Kept::Stream(stream)) => Box::pin(self.over_h2(stream, reused, active, outgoing)).await,
            Err(cause) => Attempt::Again(Why::Unconnected, SendError::unsent(cause)),
        }
    }

    async fn connect(&self, peer: &Rc<Peer>) -> Result<Kept, cause::Upstream> {
        let mut _alone = None;
        if peer.may_multiplex() {
            _alone = peer.connect_alone().await;
            if _alone.is_none()
                && let Some(kept) = peer.kept()
            {
                return Ok(kept);
            }
        }
        match connect(self.target, peer, self.timeouts.connect_ms).await? {
            Fresh::H1(h1) => Ok(Kept::H1(h1)),
            Fresh::H2(h2) => {
                peer.share(Rc::clone(&h2));
                let none = || cause::Upstream::Protocol { backend: self.backend(), reason: "it admits no HTTP/2 stream".into() };
                h2.stream().map(Kept::Stream).ok_or_else(none)
            }
        }
    }

    async fn over_h1(&self, mut h1: Box<H1>, reused: bool, active: Active, outgoing: &mut Outgoing) -> Attempt {
        let Outgoing { request, lines } = outgoing;
        let length = framing::for_http1(request);
        let again = if reused && framing::is_idempotent(request.method()) { request.body().again() } else { None };
        let response = Duration::from_millis(self.timeouts.response_ms);
        let unanswered = match h1.exchange(request, lines, length, response).await {
            Ok(head) => {
                let pace = self.pace();
                let body = if h1.all_sent() {
                    UpstreamBody::of_h1(h1, active, pace)
                } else {
                    UpstreamBody::apart(h1.set_apart(std::mem::replace(request.body_mut(), RequestBody::Empty)), active, pace)
                };
                return self.answered(head, body);
            }
            Err(unanswered) => unanswered,
        };
        let unsent = matches!(unanswered, Unanswered::Unsent);
        let upload = request.body().upload();
        let (error, _) = self.explain(unanswered, upload.as_deref());
        if unsent {
            return Attempt::Again(Why::Untouched, error);
        }
        match again.filter(|_| !h1.received() && is_lost(&error)) {
            Some(body) => {
                *request.body_mut() = body;
                Attempt::Again(Why::Raced, error)
            }
            None => Attempt::Failed(error),
        }
    }

    async fn over_h2(&self, stream: Stream, reused: bool, active: Active, outgoing: &mut Outgoing) -> Attempt {
        let Outgoing { request, lines } = outgoing;
        lines.move_to(request.headers_mut());
        let copy = framing::copy(request);
        let scheme = match self.target.protocol() {
            Protocol::Http1 | Protocol::Http2 => Scheme::HTTP,
            Protocol::Tls(_) => Scheme::HTTPS,
        };
        if !framing::for_http2(request, scheme) {
            let reason = "the request's Host cannot be its authority".into();
            return Attempt::Failed(SendError::unsent(cause::Upstream::Protocol { backend: self.backend(), reason }));
        }
        let may_race = reused && framing::is_idempotent(request.method());
        let upload = request.body().upload();
        let response = Duration::from_millis(self.timeouts.response_ms);
        let whole = std::mem::replace(request, Request::new(RequestBody::Empty));
        let unanswered = match stream.exchange(whole, response).await {
            Ok(response) => {
                return self.answer_of_stream(response, stream, active);
            }
            Err(unanswered) => unanswered,
        };
        let untouched = matches!(&unanswered, Unanswered::Failed(error) if is_untouched(error.error()));
        let lost = matches!(&unanswered, Unanswered::Failed(error) if !is_of_stream(error.error()));
        let (error, unsent) = self.explain(unanswered, upload.as_deref());
        let (why, again) = match (unsent, copy) {
            (Some(again), _) => (Why::Untouched, again),
            (None, Some(again)) if untouched => (Why::Untouched, again),
            (None, Some(again)) if may_race && lost && is_lost(&error) => (Why::Raced, again),
            (None, Some(_) | None) => return Attempt::Failed(error),
        };
        *request = again;
        Attempt::Again(why, error)
    }

    /// What an exchange without an answer means, and the request where it was not sent.
    fn explain(&self, unanswered: Unanswered, upload: Option<&Upload>) -> (SendError, Option<Request<RequestBody>>) {
        if let Some(failure) = upload.and_then(Upload::failure) {
            return (SendError::Body(failure), None);
        }
        match unanswered {
            Unanswered::TimedOut => {
                let limit_ms = self.timeouts.response_ms;
                (SendError::sent(cause::Upstream::Timeout { backend: self.backend(), limit_ms }), None)
            }
            Unanswered::Unsent => (SendError::unsent(failure::lost(self.backend(), failure::LOST)), None),
            Unanswered::Closed => (SendError::sent(failure::lost(self.backend(), failure::CLOSED)), None),
            Unanswered::Lost => (SendError::sent(failure::lost(self.backend(), failure::LOST)), None),
            Unanswered::Protocol(reason) => (SendError::sent(self.unsound(reason)), None),
            Unanswered::Failed(mut error) => {
                let cause = cause_of(error.error(), self.target.name());
                match error.take_message() {
                    Some(request) => (SendError::unsent(cause), Some(request)),
                    None => (SendError::sent(cause), None),
                }
            }
        }
    }

    fn answer_of_stream(&self, response: Response<Incoming>, stream: Stream, active: Active) -> Attempt {
        let (mut head, incoming) = response.into_parts();
        if let Err(unsound) = framing::judge_http2(&head) {
            return Attempt::Failed(SendError::sent(self.unsound(unsound.reason())));
        }
        // The version is that of the connection to the upstream; the client has another.
        head.version = Version::HTTP_11;
        self.answered(Response::from_parts(head, ()), UpstreamBody::of_stream(incoming, stream, active, self.pace()))
    }

    /// An answer, unless its body is cut before anything of it can have been passed on.
    fn answered(&self, head: Response<()>, body: Result<ResponseBody, Cut>) -> Attempt {
        match body {
            Ok(body) => Attempt::Answered(head.map(|()| body)),
            Err(cut) => Attempt::Failed(SendError::sent(cut.cause(self.target.name()))),
        }
    }

    fn pace(&self) -> Pace {
        let whole = self.until.zip(self.timeouts.whole_ms);
        Pace { between: Duration::from_millis(self.timeouts.stream_ms), whole }
    }

    fn unsound(&self, reason: &str) -> cause::Upstream {
        cause::Upstream::Protocol { backend: self.backend(), reason: reason.into() }
    }

    fn backend(&self) -> Arc<str> {
        Arc::clone(self.target.name())
    }
}

/// Whether the connection ended, rather than something being wrong with what came on it.
const fn is_lost(error: &SendError) -> bool {
    matches!(error, SendError::Upstream { cause: cause::Upstream::Reset { .. }, .. })
}
