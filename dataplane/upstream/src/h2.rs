//! One HTTP/2 connection, shared by many calls.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::spawn_local;
use tokio::time::Instant;

use crate::body::RequestBody;
use crate::framing::HEAD_LIMIT;
use crate::h1::Unanswered;
use crate::stream::Transport;
use crate::watch::{Patience, Watch};

type Driven = Connection<TokioIo<Transport>, RequestBody, Local>;

/// A connection and how much it carries.
pub(crate) struct H2 {
    sender: SendRequest<RequestBody>,
    /// Driven by a task of its own; asked here how many streams the other side admits at once.
    /// `None` once it is over.
    connection: Rc<RefCell<Option<Driven>>>,
    streams: Cell<usize>,
    /// When the last stream ended.
    idle_since: Cell<Instant>,
}

impl H2 {
    /// Begins HTTP/2 over `transport`; a task of its own drives the connection from here.
    pub(crate) async fn start(transport: Transport) -> hyper::Result<Rc<Self>> {
        let (sender, connection) = Builder::new(Local)
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEAD_LIMIT_U32)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .handshake(TokioIo::new(transport))
            .await?;
        let connection = Rc::new(RefCell::new(Some(connection)));
        let driven = Rc::clone(&connection);
        spawn_local(poll_fn(move |cx| {
            let mut slot = driven.borrow_mut();
            if let Some(running) = &mut *slot {
                // Streams report what fails on them.
                let _ended = ready!(Pin::new(running).poll(cx));
            }
            *slot = None;
            Poll::Ready(())
        }));
        Ok(Rc::new(Self { sender, connection, streams: Cell::new(0), idle_since: Cell::new(Instant::now()) }))
    }

    /// Whether it takes no more streams: closed, or told to go away.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// A stream, if the other side admits one more.
    pub(crate) fn stream(self: &Rc<Self>) -> Option<Stream> {
        let streams = self.streams.get();
        let limit = self.connection.borrow().as_ref()?.current_max_send_streams();
        if self.is_closed() || streams >= limit {
            return None;
        }
        self.streams.set(streams + 1);
        Some(Stream(Rc::clone(self)))
    }

    /// Whether no stream has been open since `then`.
    pub(crate) fn is_idle_since(&self, then: Instant) -> bool {
        self.streams.get() == 0 && self.idle_since.get() <= then
    }
}

/// A place among the streams of a connection.
pub(crate) struct Stream(Rc<H2>);

impl Stream {
    /// Sends `request` and waits for the head of the answer, `response` long from the last part of
    /// the request.
    pub(crate) async fn exchange(
        &self,
        request: Request<RequestBody>,
        response: Duration,
    ) -> Result<Response<Incoming>, Unanswered> {
        let mut patience = Patience::from_now(response, request.body().upload());
        let mut watch = Watch::default();
        let mut sender = self.0.sender.clone();
        let mut reply = pin!(sender.try_send_request(request));
        poll_fn(|cx| {
            if let Poll::Ready(reply) = reply.as_mut().poll(cx) {
                return Poll::Ready(reply.map_err(|error| Unanswered::Failed(Box::new(error))));
            }
            ready!(patience.poll_over(&mut watch, cx));
            Poll::Ready(Err(Unanswered::TimedOut))
        })
        .await
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get().saturating_sub(1));
        self.0.idle_since.set(Instant::now());
    }
}

/// Runs what hyper spawns on this thread.
#[derive(Clone, Copy)]
pub(crate) struct Local;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}

/// Bytes of one answer that are read ahead.
const STREAM_WINDOW: u32 = 512 * 1024;

/// Bytes of all answers of a connection that are read ahead.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// [`HEAD_LIMIT`] as HTTP/2 announces it.
#[expect(clippy::cast_possible_truncation, reason = "64 KiB")]
const HEAD_LIMIT_U32: u32 = HEAD_LIMIT as u32;
