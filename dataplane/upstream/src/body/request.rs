//! The body of a request: streamed from the client as it comes, or made here.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::watch::Watch;

/// Why the client's body cannot be passed on: the client's doing, never the upstream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFailure {
    /// It goes on past the limit.
    TooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// It arrives slower than the minimum rate.
    TooSlow {
        /// Bytes a second required on average.
        minimum_rate: u64,
    },
    /// It ended before its announced length or its last chunk.
    Incomplete,
    /// Its framing is not valid.
    Malformed,
}

impl fmt::Display for BodyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => write!(f, "the client's body is larger than {limit} bytes"),
            Self::TooSlow { minimum_rate } => write!(f, "the client's body is slower than {minimum_rate} bytes a second"),
            Self::Incomplete => f.write_str("the client's body ended early"),
            Self::Malformed => f.write_str("the framing of the client's body is not valid"),
        }
    }
}

impl Error for BodyFailure {}

/// What became of a streamed request body: filled while it passes, read by whoever answers.
#[derive(Debug, Default)]
pub struct Upload {
    bytes: Cell<u64>,
    moved_at: Cell<Option<Instant>>,
    ended: Cell<bool>,
    failure: Cell<Option<BodyFailure>>,
}

impl Upload {
    /// Bytes that have passed.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Whether the whole body has passed.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended.get()
    }

    /// Why it failed, where it did.
    #[must_use]
    pub fn failure(&self) -> Option<BodyFailure> {
        self.failure.get()
    }

    /// When the last part passed.
    pub(crate) fn moved_at(&self) -> Option<Instant> {
        self.moved_at.get()
    }
}

/// The body of a request to an upstream.
pub enum RequestBody {
    /// None.
    Empty,
    /// These bytes; `None` once they are taken.
    Full(Option<Bytes>),
    /// The client's, as it comes.
    Client(Box<ClientBody>),
}

impl RequestBody {
    /// Bytes made here, or none.
    #[must_use]
    pub fn of(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Full(Some(bytes)) }
    }

    /// The client's body as it comes; what `upload` makes tells what becomes of it. A body that is
    /// known to be empty is none, and nothing is made.
    #[must_use]
    pub fn streamed(inner: Incoming, limit: Option<u64>, upload: impl FnOnce() -> Rc<Upload>) -> Self {
        if inner.is_end_stream() {
            return Self::Empty;
        }
        Self::Client(Box::new(ClientBody { inner, limit, upload: upload(), pace: Pace::default() }))
    }

    /// The same body once more, where it can be had again.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Full(bytes) => Some(Self::Full(bytes.clone())),
            Self::Client(_) => None,
        }
    }

    /// Reads and drops a body that is known to be small and that nobody wants, so that the connection can go on behind
    /// the answer. What is large or late is left where it is: whoever answers closes the connection.
    pub async fn discard(&mut self) {
        let Self::Client(body) = self else { return };
        if body.inner.size_hint().exact().is_none_or(|length| length > DISCARDED_BYTES) {
            return;
        }
        let reading = std::future::poll_fn(|cx| {
            loop {
                match ready!(body.poll(cx)) {
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Poll::Ready(()),
                }
            }
        });
        // Late is as good as never.
        let _ = tokio::time::timeout(DISCARD_WAIT, reading).await;
    }

    /// What tells of a streamed body.
    pub(crate) fn upload(&self) -> Option<Rc<Upload>> {
        match self {
            Self::Empty | Self::Full(_) => None,
            Self::Client(body) => Some(Rc::clone(&body.upload)),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyFailure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Client(body) => body.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_none(),
            Self::Client(body) => body.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Client(body) => body.inner.size_hint(),
        }
    }
}

/// The client's body, bounded in size and in slowness.
pub struct ClientBody {
    inner: Incoming,
    limit: Option<u64>,
    upload: Rc<Upload>,
    pace: Pace,
}

impl ClientBody {
    /// Holds it to at most `bytes`, or to a smaller limit that it has.
    pub fn limit_to(&mut self, bytes: u64) {
        self.limit = Some(self.limit.map_or(bytes, |limit| limit.min(bytes)));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        if let Some(failure) = self.upload.failure.get() {
            return Poll::Ready(Some(Err(failure)));
        }
        let Poll::Ready(item) = Pin::new(&mut self.inner).poll_frame(cx) else {
            ready!(self.pace.poll_too_slow(cx));
            return Poll::Ready(Some(Err(self.fail(BodyFailure::TooSlow { minimum_rate: MINIMUM_RATE }))));
        };
        match item {
            None => {
                self.upload.ended.set(true);
                Poll::Ready(None)
            }
            Some(Err(error)) => Poll::Ready(Some(Err(self.fail(failure_of(&error))))),
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                let total = self.upload.bytes.get().saturating_add(length);
                if let Some(limit) = self.limit.filter(|limit| total > *limit) {
                    return Poll::Ready(Some(Err(self.fail(BodyFailure::TooLarge { limit }))));
                }
                let now = Instant::now();
                self.pace.moved(now, length);
                self.upload.bytes.set(total);
                self.upload.moved_at.set(Some(now));
                // Nothing comes behind trailers (RFC 9112 section 7.1.2).
                self.upload.ended.set(frame.is_trailers() || self.inner.is_end_stream());
                Poll::Ready(Some(Ok(cleaned(frame))))
            }
        }
    }

    fn fail(&self, failure: BodyFailure) -> BodyFailure {
        self.upload.failure.set(Some(failure));
        failure
    }
}

/// Trailers say no more than heads may.
fn cleaned(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            wire::fields::strip_trailers(&mut trailers);
            Frame::trailers(trailers)
        }
        Err(data) => data,
    }
}

/// Whether the connection ended or what came on it was wrong; hyper says so only in the source.
fn failure_of(error: &hyper::Error) -> BodyFailure {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            let malformed = matches!(inner.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData);
            return if malformed { BodyFailure::Malformed } else { BodyFailure::Incomplete };
        }
        source = inner.source();
    }
    if error.is_parse() { BodyFailure::Malformed } else { BodyFailure::Incomplete }
}

/// The longest body that is read only to keep its connection.
const DISCARDED_BYTES: u64 = 64 * 1024;
/// How long it is waited for.
const DISCARD_WAIT: Duration = Duration::from_millis(500);

/// Bytes a second that a client's body must reach on average.
pub(crate) const MINIMUM_RATE: u64 = 1024;

/// How long the average runs.
const WINDOW: Duration = Duration::from_secs(10);

/// Counts only the time spent waiting for the client: a slow upstream is not the client's fault.
#[derive(Default)]
struct Pace {
    waiting_since: Option<Instant>,
    waited: Duration,
    bytes: u64,
    watch: Watch,
}

impl Pace {
    fn moved(&mut self, now: Instant, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        if let Some(since) = self.waiting_since.take() {
            self.waited = self.waited.saturating_add(now.saturating_duration_since(since));
        }
        if self.bytes >= MINIMUM_RATE.saturating_mul(WINDOW.as_secs()) {
            self.bytes = 0;
            self.waited = Duration::ZERO;
        }
    }

    /// Ready when a window of waiting went by without its bytes.
    fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        self.watch.poll_passed(cx, since + WINDOW.saturating_sub(self.waited))
    }
}
