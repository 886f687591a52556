//! One HTTP/1.1 connection, driven by the call that uses it.
//!
//! hyper gives a sender and a future that does the reading and writing. The usual way is to spawn
//! that future; then each request wakes the connection's task, and each part of the answer wakes
//! the request's. Here the call polls it itself, so one task does the whole exchange, and a kept
//! connection is only memory.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;

use crate::body::RequestBody;
use crate::framing::HEAD_LIMIT;
use crate::relay::Relay;
use crate::stream::{Tape, Taped, Transport};
use crate::watch::{Patience, Watch};

/// A connection that serves one call at a time.
pub(crate) struct H1 {
    sender: SendRequest<RequestBody>,
    /// `None` once it is over.
    connection: Option<Connection<TokioIo<Taped>, RequestBody>>,
    tape: Rc<Tape>,
    relay: Relay,
    watch: Watch,
}

/// Why an exchange has no answer.
pub(crate) enum Unanswered {
    /// The connection failed, or what came on it is not an answer.
    Failed(Box<TrySendError<Request<RequestBody>>>),
    /// No answer in time.
    TimedOut,
    /// The connection ended and said nothing about the request.
    Gone,
}

impl H1 {
    /// A connection over `transport`; sends nothing yet.
    pub(crate) async fn start(transport: Transport) -> hyper::Result<Self> {
        let tape = Rc::new(Tape::default());
        let io = TokioIo::new(Taped::new(transport, Rc::clone(&tape)));
        // The number of fields stays at hyper's default of 100, which needs no allocation.
        let (sender, connection) = Builder::new().max_header_size(HEAD_LIMIT).handshake(io).await?;
        Ok(Self { sender, connection: Some(connection), tape, relay: Relay::new(), watch: Watch::default() })
    }

    /// Sends `request` and waits for the head of the answer, `response` long from the last part of
    /// the request.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<RequestBody>,
        record: bool,
        response: Duration,
    ) -> Result<Response<Incoming>, Unanswered> {
        self.tape.begin(record);
        let mut patience = Patience::from_now(response, request.body().upload());
        let Self { sender, connection, relay, watch, .. } = self;
        let mut reply = pin!(sender.try_send_request(request));
        let outcome = poll_fn(|cx| {
            let answered = relay.poll(cx, |cx| {
                drive(connection, cx);
                match reply.as_mut().poll(cx) {
                    Poll::Ready(reply) => Poll::Ready(reply.map_err(|error| Unanswered::Failed(Box::new(error)))),
                    Poll::Pending if connection.is_none() => Poll::Ready(Err(Unanswered::Gone)),
                    Poll::Pending => Poll::Pending,
                }
            });
            if answered.is_ready() {
                return answered;
            }
            ready!(patience.poll_over(watch, cx));
            Poll::Ready(Err(Unanswered::TimedOut))
        })
        .await;
        if outcome.is_ok() && !patience.all_sent() {
            self.set_apart();
        }
        outcome
    }

    /// The next part of the answer's body.
    pub(crate) fn poll_body(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { connection, relay, .. } = self;
        relay.poll(cx, |cx| {
            if let Poll::Ready(item) = Pin::new(&mut *body).poll_frame(cx) {
                return Poll::Ready(item);
            }
            drive(connection, cx);
            Pin::new(&mut *body).poll_frame(cx)
        })
    }

    /// Leaves the task that used it.
    pub(crate) fn rest(&self) {
        self.relay.forget();
    }

    /// Whether the connection is between two messages.
    pub(crate) fn is_ready(&self) -> bool {
        self.connection.is_some() && self.sender.is_ready()
    }

    /// Whether the connection is driven by its user still.
    pub(crate) const fn is_driven(&self) -> bool {
        self.connection.is_some()
    }

    /// Looks whether a kept connection has ended meanwhile.
    pub(crate) fn is_alive(&mut self) -> bool {
        drive(&mut self.connection, &mut Context::from_waker(Waker::noop()));
        self.is_ready()
    }

    pub(crate) fn tape(&self) -> &Tape {
        &self.tape
    }

    pub(crate) const fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }

    /// The request is still on its way while the answer is being read: a client that waits with
    /// one for the other must not hold up both, so the connection gets a task of its own.
    fn set_apart(&mut self) {
        if let Some(connection) = self.connection.take() {
            spawn_local(async move {
                // The body of the answer reports what fails.
                let _ended = connection.await;
            });
        }
    }
}

/// Drives the connection; drops it when it is over, which settles what was queued on it.
fn drive(connection: &mut Option<Connection<TokioIo<Taped>, RequestBody>>, cx: &mut Context<'_>) {
    if let Some(running) = connection
        && Pin::new(running).poll(cx).is_ready()
    {
        *connection = None;
    }
}
