//! One HTTP/1.1 connection, driven by the call that uses it.
//!
//! It has no task, no channel and no waker of its own: the call's task writes the request, reads
//! the answer and passes its body on, and a connection that is kept is only memory. The head of a
//! request is written from its fields, which stay where they are; so a request that meets the end
//! of its connection can be sent again without a copy.
//!
//! - `sending`: the request on its way
//! - `answer`: heads of answers, judged
//! - `receiving`: bodies of answers

mod answer;
mod receiving;
mod sending;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::{Frame, SizeHint};
use hyper::client::conn::TrySendError;
use tokio::io::AsyncWrite as _;
use tokio::task::spawn_local;

use crate::body::{Cut, RequestBody};
use crate::outgoing::Lines;
use crate::stream::Transport;
use crate::watch::{Patience, Watch};
use answer::Answer;
use receiving::{Body, Decoded, Input};
use sending::{Output, Trouble};

/// A connection that serves one call at a time.
pub(crate) struct H1 {
    io: Transport,
    output: Output,
    input: Input,
    /// What is left of the present answer.
    body: Body,
    /// Whether the present exchange leaves the connection fit for another.
    reusable: bool,
    watch: Watch,
}

/// Why an exchange has no answer.
pub(crate) enum Unanswered {
    /// The HTTP/2 connection or the stream failed.
    Failed(Box<TrySendError<Request<RequestBody>>>),
    /// The connection was over before a byte of the request was taken by it.
    Unsent,
    /// What came is no acceptable answer.
    Protocol(&'static str),
    /// The upstream closed the connection.
    Closed,
    /// The connection broke.
    Lost,
    /// No answer in time.
    TimedOut,
}

impl H1 {
    /// A connection over `transport`; sends nothing yet.
    pub(crate) fn start(transport: Transport) -> Self {
        Self {
            io: transport,
            output: Output::default(),
            input: Input::default(),
            body: Body::Ended,
            reusable: true,
            watch: Watch::default(),
        }
    }

    /// Sends `request` with more field `lines`; its body has `length` bytes or is chunked. Waits for the head of the
    /// answer, `response` long from the last part of the request. Takes the request's fields when
    /// there is an answer, and of its body what was sent.
    pub(crate) async fn exchange(
        &mut self,
        request: &mut Request<RequestBody>,
        lines: &Lines,
        length: Option<u64>,
        response: Duration,
    ) -> Result<Response<()>, Unanswered> {
        let mut patience = Patience::from_now(response, request.body().upload());
        self.input.begin();
        let mut begun = false;
        poll_fn(|cx| {
            if !begun {
                // What a kept connection has received is its end, or nothing that was asked for.
                if self.input.poll_read(&mut self.io, cx).is_ready() {
                    return Poll::Ready(Err(Unanswered::Unsent));
                }
                self.output.begin(request, lines, length);
                begun = true;
            }
            if let Poll::Ready(answered) = self.poll_answer(request, length == Some(0), cx) {
                return Poll::Ready(answered);
            }
            ready!(patience.poll_over(&mut self.watch, cx));
            Poll::Ready(Err(Unanswered::TimedOut))
        })
        .await
    }

    fn poll_answer(
        &mut self,
        request: &mut Request<RequestBody>,
        bodiless: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<()>, Unanswered>> {
        if let Poll::Ready(Err(trouble)) = self.output.poll(&mut self.io, request.body_mut(), cx) {
            match trouble {
                Trouble::Body => return Poll::Ready(Err(Unanswered::Lost)),
                Trouble::Connection if self.output.taken() == 0 && bodiless => return Poll::Ready(Err(Unanswered::Unsent)),
                // It may have answered before it stopped reading.
                Trouble::Connection => self.reusable = false,
            }
        }
        let is_head = *request.method() == Method::HEAD;
        loop {
            match answer::take(&mut self.input, request.headers_mut(), is_head) {
                Ok(Some(Answer { head, body, reusable })) => {
                    self.body = body;
                    self.reusable &= reusable;
                    return Poll::Ready(Ok(head));
                }
                Ok(None) => {}
                Err(reason) => return Poll::Ready(Err(Unanswered::Protocol(reason))),
            }
            match ready!(self.input.poll_read(&mut self.io, cx)) {
                Ok(0) => return Poll::Ready(Err(Unanswered::Closed)),
                Ok(_) => {}
                Err(_) => return Poll::Ready(Err(Unanswered::Lost)),
            }
        }
    }

    /// Whether a byte of an answer came.
    pub(crate) const fn received(&self) -> bool {
        self.input.received()
    }

    /// Whether the request has been passed on in full, as far as it ever will be.
    pub(crate) const fn all_sent(&self) -> bool {
        self.output.is_over()
    }

    /// The body of the answer, where all of it is here; it has then been taken.
    pub(crate) fn whole_body(&mut self) -> Option<Bytes> {
        self.body.whole(&mut self.input)
    }

    /// The next part of the answer's body.
    pub(crate) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            match self.body.decode(&mut self.input) {
                Ok(Decoded::Part(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(Decoded::End) => return Poll::Ready(None),
                Ok(Decoded::More) => {}
                Err(receiving::Malformed) => return Poll::Ready(Some(Err(Cut::Malformed))),
            }
            match ready!(self.input.poll_read(&mut self.io, cx)) {
                Ok(0) if self.body == Body::ToTheEnd => {
                    self.body = Body::Ended;
                    return Poll::Ready(None);
                }
                Ok(0) => return Poll::Ready(Some(Err(Cut::Reset))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(cut_of(&error)))),
            }
        }
    }

    /// Whether the answer has been read to its end.
    pub(crate) fn is_at_end(&self) -> bool {
        self.body == Body::Ended
    }

    /// What is known of the rest of the answer's body.
    pub(crate) fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    /// Whether the connection is between two messages, and fit for another.
    pub(crate) fn is_ready(&self) -> bool {
        self.reusable && self.is_at_end() && self.all_sent() && self.input.is_empty()
    }

    /// Gives back what an unused connection need not hold.
    pub(crate) fn rest(&mut self) {
        self.input.rest();
    }

    /// Looks whether a kept connection has ended meanwhile.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.input.poll_read(&mut self.io, &mut Context::from_waker(Waker::noop())).is_pending()
    }

    pub(crate) const fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }

    /// The request is still on its way while the answer is being read: a client that waits with
    /// one for the other must not hold up both, so `body` is sent on in a task of its own. The
    /// connection serves no other call.
    pub(crate) fn set_apart(self: Box<Self>, mut body: RequestBody) -> Rc<RefCell<Box<Self>>> {
        let shared = Rc::new(RefCell::new(self));
        let sending = Rc::clone(&shared);
        spawn_local(poll_fn(move |cx| {
            let h1 = &mut **sending.borrow_mut();
            if ready!(h1.output.poll(&mut h1.io, &mut body, cx)).is_err() {
                // The upstream learns that no more will come, and the reader by what it makes of that.
                let _ended = Pin::new(&mut h1.io).poll_shutdown(cx);
            }
            Poll::Ready(())
        }));
        shared
    }
}

/// Why a body stopped with `error`: TLS says so when bytes are not what was sent.
fn cut_of(error: &io::Error) -> Cut {
    if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) { Cut::Malformed } else { Cut::Reset }
}
