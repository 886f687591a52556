//! The body of an answer: passed on as it comes, and what it holds given back at its end.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
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
    /// The whole exchange took too long.
    Late {
        /// Milliseconds allowed for all of it.
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
            Self::Silent { limit_ms } => cause::Upstream::Silent { backend, limit_ms },
            Self::Late { limit_ms } => cause::Upstream::Timeout { backend, limit_ms },
            Self::Reset => cause::Upstream::Reset { backend, reason: "it ended the connection within its answer".into() },
            Self::Malformed => cause::Upstream::Protocol { backend, reason: "the framing of its answer is not valid".into() },
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent { limit_ms } => write!(f, "the upstream sent nothing for {limit_ms} ms"),
            Self::Late { limit_ms } => write!(f, "the upstream's answer was not whole within {limit_ms} ms"),
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
            Self::Upstream(body) => body.is_done(),
            Self::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Upstream(body) => body.size_hint(),
            Self::Boxed(body) => body.size_hint(),
        }
    }
}

/// Where a body comes from, and what it holds until its end.
enum Source {
    /// Nowhere: it has ended.
    Done,
    /// An HTTP/1.1 connection, driven by whoever polls the body. Dropped early, it closes.
    H1(Box<H1>, Active),
    /// An HTTP/1.1 connection whose request is still on its way, in a task of its own; it serves no
    /// other.
    Apart(Rc<RefCell<Box<H1>>>, Active),
    /// A stream of an HTTP/2 connection. Dropped early, it is reset.
    Stream(Box<OfStream>),
}

struct OfStream {
    incoming: Incoming,
    /// Its place among the streams, and among the calls in flight.
    place: (Stream, Active),
    watch: Watch,
}

/// How long a body may take.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// Time allowed between parts.
    pub(crate) between: Duration,
    /// When all of it must be here, and how many milliseconds of the exchange that is.
    pub(crate) whole: Option<(Instant, u64)>,
}

/// Parts that are looked at before the head of an answer is passed on: what was cut by then is another answer.
const AHEAD: usize = 2;

/// The body of an upstream's answer.
pub struct UpstreamBody {
    source: Source,
    /// Parts that were read and not passed on, the last one first.
    ahead: Vec<Frame<Bytes>>,
    /// Whether its length was known from the beginning.
    is_sized: bool,
    pace: Pace,
    waiting_since: Option<Instant>,
    download: Option<Rc<Download>>,
}

impl UpstreamBody {
    /// The body of an answer that `h1` has begun to read. One that is here in full gives the
    /// connection back at once.
    ///
    /// # Errors
    /// What comes with the head shows already that the body is cut; so for all kinds of bodies.
    pub(crate) fn of_h1(mut h1: Box<H1>, active: Active, pace: Pace) -> Result<ResponseBody, Cut> {
        let whole = if h1.is_at_end() { Some(Bytes::new()) } else { h1.whole_body() };
        match whole {
            Some(bytes) => {
                finish(h1, &active);
                Ok(ResponseBody::of(bytes))
            }
            None => Self::of(Source::H1(h1, active), pace),
        }
    }

    /// The body of an answer that came before its request was whole.
    pub(crate) fn apart(h1: Rc<RefCell<Box<H1>>>, active: Active, pace: Pace) -> Result<ResponseBody, Cut> {
        let is_at_end = h1.borrow().is_at_end();
        if is_at_end { Ok(ResponseBody::Empty) } else { Self::of(Source::Apart(h1, active), pace) }
    }

    /// The body of an answer on an HTTP/2 stream.
    pub(crate) fn of_stream(incoming: Incoming, stream: Stream, active: Active, pace: Pace) -> Result<ResponseBody, Cut> {
        if incoming.is_end_stream() {
            return Ok(ResponseBody::Empty);
        }
        let of_stream = OfStream { incoming, place: (stream, active), watch: Watch::default() };
        Self::of(Source::Stream(Box::new(of_stream)), pace)
    }

    fn of(source: Source, pace: Pace) -> Result<ResponseBody, Cut> {
        let is_sized = source.size_hint().exact().is_some();
        let mut body = Self { source, ahead: Vec::new(), is_sized, pace, waiting_since: None, download: None };
        body.look_ahead()?;
        Ok(if body.is_done() { ResponseBody::Empty } else { ResponseBody::Upstream(body) })
    }

    /// Takes what has come already. Waits for nothing: whoever polls the body next is told of what comes.
    fn look_ahead(&mut self) -> Result<(), Cut> {
        let cx = &mut Context::from_waker(Waker::noop());
        while self.ahead.len() < AHEAD
            && let Poll::Ready(item) = self.source.poll_part(cx)
        {
            let is_last = item.is_none() || self.source.is_at_end();
            if let Some(frame) = item.transpose()? {
                self.ahead.push(frame);
            }
            if is_last {
                self.release();
                break;
            }
        }
        self.ahead.reverse();
        Ok(())
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.source.size_hint().exact().filter(|_| self.is_sized);
        let ahead = self.ahead.iter().filter_map(Frame::data_ref).map(|data| data.len() as u64);
        rest.map_or_else(SizeHint::default, |rest| SizeHint::with_exact(rest + ahead.sum::<u64>()))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(frame) = self.ahead.pop() {
            return Poll::Ready(Some(Ok(self.passed(frame))));
        }
        let Pace { between, whole } = self.pace;
        if let Some((until, limit_ms)) = whole
            && Instant::now() >= until
            && !self.is_done()
        {
            return Poll::Ready(Some(Err(self.cut(Cut::Late { limit_ms }))));
        }
        let Poll::Ready(item) = self.source.poll_part(cx) else {
            let silent = *self.waiting_since.get_or_insert_with(Instant::now) + between;
            let (until, cut) = match whole {
                Some((until, limit_ms)) if until < silent => (until, Cut::Late { limit_ms }),
                Some(_) | None => (silent, Cut::Silent { limit_ms: u64::try_from(between.as_millis()).unwrap_or(u64::MAX) }),
            };
            ready!(self.source.poll_passed(cx, until));
            return Poll::Ready(Some(Err(self.cut(cut))));
        };
        self.waiting_since = None;
        match item {
            None => {
                self.release();
                self.ended(End::Complete);
                Poll::Ready(None)
            }
            Some(Err(cut)) => Poll::Ready(Some(Err(self.cut(cut)))),
            Some(Ok(frame)) => {
                if self.source.is_at_end() {
                    self.release();
                }
                Poll::Ready(Some(Ok(self.passed(frame))))
            }
        }
    }

    /// Tells of a part that is passed on, and of the end where it is the last one.
    fn passed(&self, frame: Frame<Bytes>) -> Frame<Bytes> {
        if let (Some(download), Some(data)) = (&self.download, frame.data_ref()) {
            download.bytes.set(download.bytes.get().saturating_add(data.len() as u64));
        }
        if self.is_done() {
            self.ended(End::Complete);
        }
        frame
    }

    /// All of it has been read: gives back what was held for that.
    fn release(&mut self) {
        match std::mem::replace(&mut self.source, Source::Done) {
            Source::Done => {}
            Source::H1(h1, active) => finish(h1, &active),
            Source::Apart(h1, active) => drop((h1, active)),
            Source::Stream(of_stream) => drop(of_stream.place),
        }
    }

    fn cut(&mut self, cut: Cut) -> Cut {
        self.ended(End::Cut(cut));
        self.source = Source::Done;
        cut
    }

    fn ended(&self, end: End) {
        if let Some(download) = &self.download {
            download.end.set(Some(end));
        }
    }

    const fn is_done(&self) -> bool {
        matches!(self.source, Source::Done) && self.ahead.is_empty()
    }
}

impl Drop for UpstreamBody {
    fn drop(&mut self) {
        if !self.is_done() {
            self.ended(End::Dropped);
        }
    }
}

/// The message is complete: the connection may serve the next.
fn finish(h1: Box<H1>, active: &Active) {
    if h1.is_ready() {
        active.peer().keep(h1);
    }
}

impl Source {
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self {
            Self::Done => Poll::Ready(None),
            Self::H1(h1, _) => h1.poll_body(cx),
            Self::Apart(h1, _) => h1.borrow_mut().poll_body(cx),
            Self::Stream(of_stream) => Pin::new(&mut of_stream.incoming)
                .poll_frame(cx)
                .map(|item| item.map(|frame| frame.map_err(|error| failure::cut_of(&error)))),
        }
    }

    fn poll_passed(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        match self {
            Self::Done => Poll::Ready(()),
            Self::H1(h1, _) => h1.watch().poll_passed(cx, deadline),
            Self::Apart(h1, _) => h1.borrow_mut().watch().poll_passed(cx, deadline),
            Self::Stream(of_stream) => of_stream.watch.poll_passed(cx, deadline),
        }
    }

    fn is_at_end(&self) -> bool {
        match self {
            Self::Done => true,
            Self::H1(h1, _) => h1.is_at_end(),
            Self::Apart(h1, _) => h1.borrow().is_at_end(),
            Self::Stream(of_stream) => of_stream.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Done => SizeHint::with_exact(0),
            Self::H1(h1, _) => h1.size_hint(),
            Self::Apart(h1, _) => h1.borrow().size_hint(),
            Self::Stream(of_stream) => of_stream.incoming.size_hint(),
        }
    }
}
