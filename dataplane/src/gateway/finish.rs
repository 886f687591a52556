//! The end of a call: its answer's body is watched to the last byte, then one record is left.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use cause::{Check, Denial};
use http::Response;
use http_body::{Body, Frame, SizeHint};
use observe::evidence::{Evidence, Record, Usage};
use upstream::body::BoxError;
use upstream::{Cut, ResponseBody, Upload};

use super::Rejection;
use crate::listen::{Connection, InFlight};
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
    in_flight: InFlight,
    record: Box<Record>,
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
}

impl Finish {
    /// A call begins, at this many monotonic nanoseconds.
    pub(super) fn begin(connection: &Rc<Connection>, worker: &Rc<Worker>, began: u64, record: Box<Record>) -> Box<Self> {
        worker.metrics.request_begun();
        Box::new(Self {
            worker: Rc::clone(worker),
            in_flight: connection.begin(),
            record,
            began,
            upload: None,
            call: Call::default(),
        })
    }

    /// What was proved so far.
    pub(super) fn evidence(&self) -> &Evidence {
        &self.record.evidence
    }

    /// What the steps fill.
    pub(super) fn told(&mut self) -> (&mut Evidence, &mut Call) {
        (&mut self.record.evidence, &mut self.call)
    }

    /// What tells of the request's body.
    pub(super) fn upload(&mut self) -> Rc<Upload> {
        Rc::clone(self.upload.get_or_insert_default())
    }

    /// The call is refused.
    pub(super) fn refuse(&mut self, rejection: Rejection) {
        self.record.outcome.refused = Some(Box::new((rejection.check, rejection.denial)));
    }

    #[expect(clippy::boxed_local, reason = "it is not moved out of its place before its parts are given away")]
    fn end(mut self: Box<Self>, complete: bool) {
        let outcome = &mut self.record.outcome;
        if let Some(denial) = self.call.cut.as_ref().and_then(|cut| cut.take()) {
            outcome.refused.get_or_insert_with(|| Box::new((Check::Forward, denial)));
        }
        outcome.duration = Duration::from_nanos(self.worker.clock.monotonic().saturating_sub(self.began));
        outcome.upstream = self.call.upstream;
        outcome.bytes_in = self.upload.as_ref().map_or(0, |upload| upload.bytes());
        outcome.usage = self.call.usage.as_ref().and_then(|usage| usage.get());
        outcome.complete = complete;
        let Self { worker, in_flight, record, .. } = *self;
        drop(in_flight);
        worker.metrics.request_ended();
        worker.metrics.finished(&record.evidence, &record.outcome);
        worker.recorder.record(record);
    }

    /// An upstream that cut its answer is why the client's answer ends here.
    fn cut(&mut self, error: &BoxError) {
        if let (Some(cut), Some(backend)) = (error.downcast_ref::<Cut>(), &self.call.backend) {
            let cause = || Box::new((Check::Forward, Denial::Upstream(cut.cause(backend))));
            self.record.outcome.refused.get_or_insert_with(cause);
        }
    }
}

/// Has the answer's body leave a record at its end.
pub(super) fn attach(response: Response<ResponseBody>, mut finish: Box<Finish>) -> Response<AnswerBody> {
    finish.record.outcome.status = response.status().as_u16();
    response.map(|inner| AnswerBody { inner, finish: Some(finish), cut: None })
}

impl AnswerBody {
    fn end(&mut self, complete: bool) {
        if let Some(finish) = self.finish.take() {
            finish.end(complete);
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
                if let (Some(data), Some(finish)) = (frame.data_ref(), &mut self.finish) {
                    finish.record.outcome.bytes_out += data.len() as u64;
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
        let complete = self.inner.is_end_stream();
        // What the body knows at its own end is read after that end.
        drop(std::mem::replace(&mut self.inner, ResponseBody::Empty));
        self.end(complete);
    }
}
