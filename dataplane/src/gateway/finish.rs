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
use observe::evidence::{Evidence, Outcome, Record, Usage};
use upstream::body::BoxError;
use upstream::{Cut, ResponseBody, Upload};

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

/// What is needed to leave a record.
pub(super) struct Finish {
    pub(super) worker: Rc<Worker>,
    pub(super) in_flight: (InFlight, observe::metrics::Open),
    pub(super) evidence: Evidence,
    pub(super) refused: Option<(Check, Denial)>,
    /// Monotonic nanoseconds.
    pub(super) began: u64,
    pub(super) upload: Rc<Upload>,
    pub(super) call: Call,
}

/// The body of an answer, watched to its end.
pub(crate) struct AnswerBody {
    inner: ResponseBody,
    watch: Option<Box<Watch>>,
}

struct Watch {
    finish: Finish,
    status: u16,
    bytes: u64,
}

/// Has the answer's body leave a record at its end.
pub(super) fn attach(response: Response<ResponseBody>, finish: Finish) -> Response<AnswerBody> {
    let status = response.status().as_u16();
    response.map(|inner| AnswerBody { inner, watch: Some(Box::new(Watch { finish, status, bytes: 0 })) })
}

impl AnswerBody {
    fn end(&mut self, complete: bool) {
        if let Some(watch) = self.watch.take() {
            watch.record(complete);
        }
    }
}

impl Watch {
    fn record(self, complete: bool) {
        let Finish { worker, in_flight, evidence, mut refused, began, upload, call } = self.finish;
        if let Some(denial) = call.cut.and_then(|cut| cut.take()) {
            refused.get_or_insert((Check::Forward, denial));
        }
        let duration = Duration::from_nanos(worker.clock.monotonic().saturating_sub(began));
        let outcome = Outcome {
            status: self.status,
            refused,
            duration,
            upstream: call.upstream,
            bytes_in: upload.bytes(),
            bytes_out: self.bytes,
            usage: call.usage.and_then(|usage| usage.get()),
            complete,
        };
        drop(in_flight);
        worker.metrics.finished(&evidence, &outcome);
        worker.recorder.record(Record { evidence, outcome });
    }

    /// An upstream that cut its answer is why the client's answer ends here.
    fn cut(&mut self, error: &BoxError) {
        if let (Some(cut), Some(backend)) = (error.downcast_ref::<Cut>(), &self.finish.call.backend) {
            self.finish.refused.get_or_insert((Check::Forward, Denial::Upstream(cut.cause(backend))));
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let item = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &item {
            Some(Ok(frame)) => {
                if let (Some(data), Some(watch)) = (frame.data_ref(), &mut self.watch) {
                    watch.bytes += data.len() as u64;
                }
                if self.inner.is_end_stream() {
                    self.end(true);
                }
            }
            Some(Err(error)) => {
                if let Some(watch) = &mut self.watch {
                    watch.cut(error);
                }
                self.end(false);
            }
            None => self.end(true),
        }
        Poll::Ready(item)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
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
