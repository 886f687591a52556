//! The body of an answer: passed on as it comes, and what it holds given back at its end.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::BoxError;
use crate::failure;
use crate::h1::H1;
use crate::h2::Stream;
use crate::peer::Active;
use crate::watch::Watch;

/// Why an upstream's body stopped before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nothing came for too long.
    Silent {
        /// Milliseconds allowed between two parts.
        limit_ms: u64,
    },
    /// The connection or stream ended.
    Reset,
    /// The framing is not valid.
    Malformed,
}

impl Cut {
    /// The cause of a call that ends so; `backend` is [`crate::Target::name`].
    #[must_use]
    pub fn cause(self, backend: &Arc<str>) -> cause::Upstream {
        let backend = Arc::clone(backend);
        match self {
            Self::Silent { limit_ms } => cause::Upstream::Timeout { backend, limit_ms },
            Self::Reset => cause::Upstream::Reset { backend, reason: "it ended the connection within its answer".into() },
            Self::Malformed => cause::Upstream::Protocol { backend, reason: "the framing of its answer is not valid".into() },
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent { limit_ms } => write!(f, "the upstream sent nothing for {limit_ms} ms"),
            Self::Reset => f.write_str("the upstream ended the connection within its answer"),
            Self::Malformed => f.write_str("the framing of the upstream's answer is not valid"),
        }
    }
}

impl Error for Cut {}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All of it was passed on.
    Complete,
    /// The upstream cut it.
    Cut(Cut),
    /// Whoever took it did not want the rest: the client is gone.
    Dropped,
}

/// What became of an upstream's body: filled while it passes.
#[derive(Debug, Default)]
pub struct Download {
    bytes: Cell<u64>,
    end: Cell<Option<End>>,
}

impl Download {
    /// Bytes that have passed.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// How it ended; `None` while it goes on.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.end.get()
    }
}

/// The body of an answer to a client.
pub enum ResponseBody {
    /// None.
    Empty,
    /// These bytes; `None` once they are taken.
    Full(Option<Bytes>),
    /// The upstream's, as it comes.
    Upstream(UpstreamBody),
    /// Any other, such as a translated stream.
    Boxed(Pin<Box<dyn Body<Data = Bytes, Error = BoxError>>>),
}

impl ResponseBody {
    /// Bytes made here, or none.
    #[must_use]
    pub fn of(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Full(Some(bytes)) }
    }

    /// Has what becomes of an upstream's body told to `download`; a body that is here already is
    /// complete at once. Of a boxed body nothing is told: whoever made it knows.
    pub fn report_to(&mut self, download: Rc<Download>) {
        match self {
            Self::Empty => download.end.set(Some(End::Complete)),
            Self::Full(bytes) => {
                download.bytes.set(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64));
                download.end.set(Some(End::Complete));
            }
            Self::Upstream(body) => body.download = Some(download),
            Self::Boxed(_) => {}
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Upstream(body) => body.poll(cx).map(|item| item.map(|frame| frame.map_err(BoxError::from))),
            Self::Boxed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_none(),
            Self::Upstream(body) => body.lease.is_none(),
            Self::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Upstream(body) => body.incoming.size_hint(),
            Self::Boxed(body) => body.size_hint(),
        }
    }
}

/// What a body holds until its end.
pub(crate) enum Lease {
    /// An HTTP/1.1 connection, driven by whoever polls the body. Dropped early, it closes.
    Driven {
        /// The connection.
        h1: Box<H1>,
        /// Whether it may serve another request.
        reusable: bool,
        /// Its place among the calls in flight, and where it goes back to.
        active: Active,
        /// Times the silence between parts.
        between: Duration,
    },
    /// An HTTP/1.1 connection in a task of its own, since the request was still on its way when
    /// the answer began; it serves no other.
    Apart {
        /// Its place among the calls in flight.
        active: Active,
        /// Times the silence between parts.
        watch: Watch,
        /// Time allowed between parts.
        between: Duration,
    },
    /// A stream of an HTTP/2 connection. Dropped early, it is reset.
    Stream {
        /// Its place among the streams.
        stream: Stream,
        /// Its place among the calls in flight.
        active: Active,
        /// Times the silence between parts.
        watch: Watch,
        /// Time allowed between parts.
        between: Duration,
    },
}

/// The body of an upstream's answer.
pub struct UpstreamBody {
    incoming: Incoming,
    lease: Option<Lease>,
    waiting_since: Option<Instant>,
    download: Option<Rc<Download>>,
}

impl UpstreamBody {
    /// The body; one that is known to be empty gives its lease back at once.
    pub(crate) fn start(incoming: Incoming, lease: Lease) -> ResponseBody {
        if incoming.is_end_stream() {
            lease.finish();
            return ResponseBody::Empty;
        }
        ResponseBody::Upstream(Self { incoming, lease: Some(lease), waiting_since: None, download: None })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let Some(lease) = &mut self.lease else { return Poll::Ready(None) };
        let Poll::Ready(item) = lease.poll_incoming(&mut self.incoming, cx) else {
            let since = *self.waiting_since.get_or_insert_with(Instant::now);
            let (watch, between) = lease.timer();
            ready!(watch.poll_passed(cx, since + between));
            let limit_ms = u64::try_from(between.as_millis()).unwrap_or(u64::MAX);
            return Poll::Ready(Some(Err(self.cut(Cut::Silent { limit_ms }))));
        };
        self.waiting_since = None;
        match item {
            None => {
                self.complete();
                Poll::Ready(None)
            }
            Some(Err(error)) => Poll::Ready(Some(Err(self.cut(failure::cut_of(&error))))),
            Some(Ok(frame)) => {
                if let (Some(download), Some(data)) = (&self.download, frame.data_ref()) {
                    download.bytes.set(download.bytes.get().saturating_add(data.len() as u64));
                }
                if self.incoming.is_end_stream() {
                    self.complete();
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn complete(&mut self) {
        self.ended(End::Complete);
        if let Some(lease) = self.lease.take() {
            lease.finish();
        }
    }

    fn cut(&mut self, cut: Cut) -> Cut {
        self.ended(End::Cut(cut));
        self.lease = None;
        cut
    }

    fn ended(&self, end: End) {
        if let Some(download) = &self.download {
            download.end.set(Some(end));
        }
    }
}

impl Drop for UpstreamBody {
    fn drop(&mut self) {
        if self.lease.is_some() {
            self.ended(End::Dropped);
        }
    }
}

impl Lease {
    fn poll_incoming(
        &mut self,
        incoming: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self {
            Self::Driven { h1, .. } => h1.poll_body(incoming, cx),
            Self::Apart { .. } | Self::Stream { .. } => Pin::new(incoming).poll_frame(cx),
        }
    }

    fn timer(&mut self) -> (&mut Watch, Duration) {
        match self {
            Self::Driven { h1, between, .. } => (h1.watch(), *between),
            Self::Apart { watch, between, .. } | Self::Stream { watch, between, .. } => (watch, *between),
        }
    }

    /// The message is complete: the connection may serve the next.
    fn finish(self) {
        match self {
            Self::Driven { h1, reusable, active, .. } => {
                if reusable && h1.is_ready() {
                    active.peer().keep(h1);
                }
            }
            Self::Apart { active, .. } => drop(active),
            Self::Stream { stream, active, .. } => drop((stream, active)),
        }
    }
}
