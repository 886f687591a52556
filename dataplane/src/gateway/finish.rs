//! The end of a call: its answer's body is watched to the last byte, then one record is left.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use cause::{Check, Denial};
use http::{Method, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::ext::ReasonPhrase;
use observe::evidence::{Evidence, Record, Usage};
use upstream::body::BoxError;
use upstream::{Cut, ResponseBody, Upload};

use super::Rejection;
use crate::listen::InFlight;
use crate::worker::Worker;

/// What became of the upstream's part of a call.
#[derive(Default)]
pub(crate) struct Call {
    /// How long it took to begin its answer.
    pub(super) upstream: Option<Duration>,
    /// How causes name it.
    pub(super) backend: Option<std::sync::Arc<str>>,
    /// What a model's answer cost, once that is known.
    pub(super) usage: Option<Rc<Cell<Option<Usage>>>>,
    /// Why a stream was cut, where its caller was told inside it.
    pub(super) cut: Option<Rc<Cell<Option<Denial>>>>,
}

/// A call until its end: what is told of it, and what is needed to tell it. Filled in its place, for
/// it is large.
pub(super) struct Finish {
    worker: Rc<Worker>,
    /// Until the end, as the record.
    in_flight: Option<InFlight>,
    record: Option<Box<Record>>,
    /// Monotonic nanoseconds.
    began: u64,
    /// `None` where the request has no body.
    upload: Option<Rc<Upload>>,
    call: Call,
}

/// The body of an answer, watched to its end.
pub(crate) struct AnswerBody {
    inner: ResponseBody,
    finish: Option<Box<Finish>>,
    /// Why it was cut, while what came before that is being sent.
    cut: Option<BoxError>,
    /// Whether it answers HEAD: nothing of it is sent, and that is all of it.
    is_head: bool,
}

impl Finish {
    /// A call begins, at this many monotonic nanoseconds.
    pub(super) fn begin(in_flight: InFlight, worker: &Rc<Worker>, began: u64, record: Box<Record>) -> Box<Self> {
        worker.metrics.request_begun();
        Box::new(Self {
            worker: Rc::clone(worker),
            in_flight: Some(in_flight),
            record: Some(record),
            began,
            upload: None,
            call: Call::default(),
        })
    }

    #[expect(clippy::expect_used, reason = "the record is taken by `settle` alone, which ends the call")]
    fn record(&mut self) -> &mut Record {
        self.record.as_mut().expect("a call that has ended is not told of")
    }

    /// What was proved so far.
    #[expect(clippy::expect_used, reason = "the record is taken by `settle` alone, which ends the call")]
    pub(super) fn evidence(&self) -> &Evidence {
        &self.record.as_ref().expect("a call that has ended is not told of").evidence
    }

    /// What the steps fill.
    #[expect(clippy::expect_used, reason = "the record is taken by `settle` alone, which ends the call")]
    pub(super) fn told(&mut self) -> (&mut Evidence, &mut Call) {
        let Self { record, call, .. } = self;
        (&mut record.as_mut().expect("a call that has ended is not told of").evidence, call)
    }

    /// What tells of the request's body.
    pub(super) fn upload(&mut self) -> Rc<Upload> {
        Rc::clone(self.upload.get_or_insert_default())
    }

    /// Whether a part of the request's body has not been read.
    pub(super) fn is_unread(&self) -> bool {
        self.upload.as_ref().is_some_and(|upload| !upload.ended())
    }

    /// The call is refused.
    pub(super) fn refuse(&mut self, rejection: Rejection) {
        self.record().outcome.refused = Some(Box::new((rejection.check, rejection.denial)));
    }

    /// Leaves the record.
    fn settle(&mut self, complete: bool) {
        let Some(mut record) = self.record.take() else { return };
        let outcome = &mut record.outcome;
        if let Some(denial) = self.call.cut.as_ref().and_then(|cut| cut.take()) {
            outcome.refused.get_or_insert_with(|| Box::new((Check::Forward, denial)));
        }
        outcome.duration = Duration::from_nanos(self.worker.clock.monotonic().saturating_sub(self.began));
        outcome.upstream = self.call.upstream;
        outcome.bytes_in = self.upload.as_ref().map_or(0, |upload| upload.bytes());
        outcome.usage = self.call.usage.as_ref().and_then(|usage| usage.get());
        outcome.complete = complete;
        drop(self.in_flight.take());
        self.worker.metrics.request_ended();
        self.worker.metrics.finished(&record.evidence, &record.outcome);
        self.worker.recorder.record(record);
    }

    /// An upstream that cut its answer is why the client's answer ends here.
    fn cut(&mut self, error: &BoxError) {
        if let (Some(cut), Some(backend)) = (error.downcast_ref::<Cut>(), &self.call.backend) {
            let cause = Box::new((Check::Forward, Denial::Upstream(cut.cause(backend))));
            self.record().outcome.refused.get_or_insert(cause);
        }
    }
}

impl Drop for Finish {
    /// Whoever called has left before there was an answer.
    fn drop(&mut self) {
        if let Some(record) = &mut self.record {
            record.outcome.status = CLIENT_CLOSED_REQUEST;
        }
        self.settle(false);
    }
}

/// What logs hold of a call that its client ended before an answer began: a status that is sent to nobody (nginx's
/// convention).
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Has the answer's body leave a record at its end.
pub(super) fn attach(mut response: Response<ResponseBody>, mut finish: Box<Finish>) -> Response<AnswerBody> {
    finish.record().outcome.status = response.status().as_u16();
    if response.status().canonical_reason().is_none() {
        // A reason phrase may be empty (RFC 9112 section 4); the library would make one up.
        response.extensions_mut().insert(ReasonPhrase::from_static(b""));
    }
    let is_head = finish.evidence().received.method == Some(Method::HEAD);
    response.map(|inner| AnswerBody { inner, finish: Some(finish), cut: None, is_head })
}

impl AnswerBody {
    fn end(&mut self, complete: bool) {
        if let Some(mut finish) = self.finish.take() {
            finish.settle(complete);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(error) = self.cut.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Ok(frame)) => {
                let is_head = self.is_head;
                if let (Some(data), Some(finish)) = (frame.data_ref(), self.finish.as_mut().filter(|_| !is_head)) {
                    finish.record().outcome.bytes_out += data.len() as u64;
                }
                if self.inner.is_end_stream() {
                    self.end(true);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                if let Some(finish) = &mut self.finish {
                    finish.cut(&error);
                }
                self.end(false);
                // The HTTP library sends what it has when it waits, and drops it when a body fails.
                self.cut = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            None => {
                self.end(true);
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.cut.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        let complete = self.is_head || self.inner.is_end_stream();
        // What the body knows at its own end is read after that end.
        drop(std::mem::replace(&mut self.inner, ResponseBody::Empty));
        self.end(complete);
    }
}
