//! The client's side of a connection, as the HTTP library may see it.
//!
//! [`GuardedIo`] stands between the socket and hyper: it releases only bytes that the guard of
//! `wire` accepts, and it is where time runs out (RFC 9112; times of DESIGN section 5). A
//! violation in a head becomes a stand-in request, so that its answer is sequenced behind earlier
//! answers; one in a body becomes a read error, and the request that is being served answers.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use cause::Framing;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use wire::h1::{Guard, Violation};

use super::connection::Connection;

/// How much is read at once while bytes are held back.
const READ_BYTES: usize = 8 * 1024;

/// Times that a connection keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// From the first byte of a head to its end.
    pub(crate) header: Duration,
    /// Between requests.
    pub(crate) idle: Duration,
    /// Without progress while bytes are due in either direction.
    pub(crate) stalled: Duration,
}

/// A connection behind the guard.
pub(crate) struct GuardedIo<S> {
    inner: S,
    guard: Guard,
    connection: Rc<Connection>,
    /// Received, not released.
    held: BytesMut,
    /// Released, not yet read by the HTTP library.
    released: Bytes,
    /// What to do when `released` is read.
    then: Then,
    patience: Patience,
    /// When the present phase began; `None` until somebody waits in it.
    since: Option<Instant>,
    phase: Phase,
    timer: Option<Pin<Box<Sleep>>>,
    write_stalled_since: Option<Instant>,
    /// When the client that has closed its side was last sent something, or closed it.
    left_at: Option<Instant>,
    /// When the closing of the connection began.
    closing_since: Option<Instant>,
}

/// How long a client that has closed its side is taken to wait for what it asked for. One that has left cannot be told
/// apart from one that only sends no more, and this is what the first costs.
const HALF_CLOSED: Duration = Duration::from_millis(100);
/// How long what still comes is read and dropped behind the last answer: a connection that is closed with bytes unread
/// is reset, and the reset destroys the answer (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(30);
/// The same, without anything coming.
const LINGER_SILENT: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    ReadOn,
    Fail,
    End,
}

/// What the connection waits for; each has its own patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Head,
    Body,
}

impl<S: AsyncRead + AsyncWrite + Unpin> GuardedIo<S> {
    /// Guards `inner`, of which `first` was read already.
    pub(crate) fn new(
        inner: S,
        first: BytesMut,
        limits: Arc<wire::Limits>,
        connection: Rc<Connection>,
        patience: Patience,
    ) -> Self {
        let mut io = Self {
            inner,
            guard: Guard::new(limits),
            connection,
            held: first,
            released: Bytes::new(),
            then: Then::ReadOn,
            patience,
            since: None,
            phase: Phase::Idle,
            timer: None,
            write_stalled_since: None,
            left_at: None,
            closing_since: None,
        };
        if !io.held.is_empty() {
            io.feed_held();
        }
        io
    }

    /// Feeds what is held to the guard and moves what it releases.
    fn feed_held(&mut self) {
        let mut progress = self.guard.feed(&self.held);
        if self.guard.upgrade_pending() {
            // No upgrade is answered with 101, so what follows is read as requests.
            self.guard.resume();
            let more = self.guard.feed(self.held.get(progress.released..).unwrap_or_default());
            progress.released += more.released;
            progress.violation = progress.violation.or(more.violation);
        }
        self.released = self.held.split_to(progress.released).freeze();
        if let Some(violation) = progress.violation {
            self.refuse(violation);
        }
        self.note_phase();
    }

    /// Records the violation and prepares how the HTTP library learns of it.
    fn refuse(&mut self, violation: Violation) {
        let (in_body, stand_in) = (violation.in_body, violation.stand_in());
        self.connection.refuse(violation);
        self.held.clear();
        if in_body {
            self.then = Then::Fail;
        } else {
            self.then = Then::End;
            self.released = if self.released.is_empty() {
                Bytes::from_static(stand_in)
            } else {
                let mut both = BytesMut::with_capacity(self.released.len() + stand_in.len());
                both.extend_from_slice(&self.released);
                both.extend_from_slice(stand_in);
                both.freeze()
            };
        }
    }

    fn note_phase(&mut self) {
        let phase = if self.guard.head_pending() {
            Phase::Head
        } else if self.guard.body_pending() {
            Phase::Body
        } else {
            Phase::Idle
        };
        // A head's time runs from its first byte; everything else from its last progress.
        if phase != Phase::Head || self.phase != Phase::Head {
            self.since = None;
        }
        self.phase = phase;
    }

    const fn limit(&self) -> Duration {
        match self.phase {
            Phase::Idle => self.patience.idle,
            Phase::Head => self.patience.header,
            Phase::Body => self.patience.stalled,
        }
    }

    /// Ready when time is up; otherwise arranges to be woken when it might be.
    fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.phase == Phase::Idle && self.connection.busy() {
                // An answer is on its way, and idleness begins behind it. Nobody asks again when it has been sent, so
                // the timer runs, and looks.
                self.since = None;
                if self.write_stalled_since.is_none() {
                    let idle = self.patience.idle;
                    let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
                    ready!(timer.as_mut().poll(cx));
                    timer.as_mut().reset(Instant::now() + idle);
                    continue;
                }
            }
            let now = Instant::now();
            let mut deadline = *self.since.get_or_insert(now) + self.limit();
            if let Some(stalled) = self.write_stalled_since {
                deadline = deadline.min(stalled + self.patience.stalled);
            }
            if deadline <= now {
                return Poll::Ready(());
            }
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            // An armed timer that fires early is re-armed then: no timer is touched per request.
            ready!(timer.as_mut().poll(cx));
            timer.as_mut().reset(deadline);
        }
    }

    /// Time is up while reading.
    fn expire(&mut self) -> io::Result<()> {
        match self.phase {
            Phase::Head => {
                let limit_ms = u64::try_from(self.patience.header.as_millis()).unwrap_or(u64::MAX);
                let violation = self.guard.give_up(&self.held, Framing::HeaderTimeout { limit_ms });
                self.refuse(violation);
                Ok(())
            }
            Phase::Idle => {
                self.then = Then::End;
                Ok(())
            }
            Phase::Body => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Nothing more comes. Whether the HTTP library is told at once: it is not while it answers a whole request.
    fn has_ended(&mut self) -> bool {
        let is_answering = self.phase == Phase::Idle && self.connection.busy();
        if is_answering {
            self.left_at = Some(Instant::now());
        }
        !is_answering
    }

    /// Tells the HTTP library that the client has left, once nothing was sent to it for a while.
    fn poll_left(&mut self, cx: &mut Context<'_>, since: Instant) -> Poll<io::Result<()>> {
        if !self.connection.busy() {
            return Poll::Ready(Ok(()));
        }
        let now = Instant::now();
        // One that takes too little is there, and [`Self::watch_write`] has its patience.
        let deadline = if self.write_stalled_since.is_some() { now + HALF_CLOSED } else { since + HALF_CLOSED };
        if deadline <= now {
            return Poll::Ready(Ok(()));
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        timer.as_mut().reset(deadline);
        timer.as_mut().poll(cx).map(Ok)
    }

    /// Reads and drops what still comes behind the last answer.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; READ_BYTES];
        let began = *self.closing_since.get_or_insert_with(Instant::now);
        loop {
            let mut read = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.inner).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() => self.since = None,
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    let now = Instant::now();
                    let deadline = (*self.since.get_or_insert(now) + LINGER_SILENT).min(began + LINGER);
                    if deadline <= now {
                        return Poll::Ready(());
                    }
                    let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
                    timer.as_mut().reset(deadline);
                    ready!(timer.as_mut().poll(cx));
                }
            }
            if Instant::now() >= began + LINGER {
                return Poll::Ready(());
            }
        }
    }

    /// Whether the client may still be sending what nobody reads.
    fn is_unread(&self) -> bool {
        self.guard.body_pending() || self.connection.refused() || !self.held.is_empty() || !self.released.is_empty()
    }

    /// Reads straight into the HTTP library's buffer, while nothing is held.
    fn poll_read_through(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let fresh = buf.filled().get(before..).unwrap_or_default();
        if fresh.is_empty() {
            return Poll::Ready(Ok(self.has_ended()));
        }
        let progress = self.guard.feed(fresh);
        if progress.released == fresh.len() && progress.violation.is_none() && !self.guard.upgrade_pending() {
            self.note_phase();
            return Poll::Ready(Ok(true));
        }
        if progress.violation.is_none() {
            self.held.extend_from_slice(fresh.get(progress.released..).unwrap_or_default());
        }
        buf.set_filled(before + progress.released);
        if let Some(violation) = progress.violation {
            self.refuse(violation);
        } else if self.guard.upgrade_pending() {
            self.guard.resume();
            self.feed_held();
        }
        self.note_phase();
        Poll::Ready(Ok(progress.released > 0))
    }

    /// Reads into what is held; true at the end of the stream.
    fn poll_read_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.held.reserve(READ_BYTES);
        let read = ready!(tokio_util::io::poll_read_buf(Pin::new(&mut self.inner), cx, &mut self.held))?;
        if read == 0 {
            return Poll::Ready(Ok(self.has_ended()));
        }
        self.feed_held();
        Poll::Ready(Ok(false))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for GuardedIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.released.is_empty() {
                let count = this.released.len().min(buf.remaining());
                buf.put_slice(this.released.get(..count).unwrap_or_default());
                this.released.advance(count);
                return Poll::Ready(Ok(()));
            }
            match this.then {
                Then::ReadOn => {}
                Then::Fail => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                // The end that this is must not read as the client's leaving: the refusal is still to be sent.
                Then::End if this.connection.busy() => return Poll::Pending,
                Then::End => return Poll::Ready(Ok(())),
            }
            if let Some(since) = this.left_at {
                return this.poll_left(cx, since);
            }
            let polled = if this.held.is_empty() {
                this.poll_read_through(cx, buf)
            } else {
                this.poll_read_held(cx).map_ok(|ended| ended)
            };
            match polled {
                Poll::Ready(Ok(true)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(false)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(this.poll_time(cx));
                    this.expire()?;
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> GuardedIo<S> {
    /// Watches for a reader that takes nothing.
    fn watch_write<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_stalled_since = None;
            if let Some(left_at) = &mut self.left_at {
                *left_at = Instant::now();
            }
            return written;
        }
        let now = Instant::now();
        let since = *self.write_stalled_since.get_or_insert(now);
        if now >= since + self.patience.stalled {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if let Poll::Ready(()) = self.poll_time(cx)
            && self.write_stalled_since.is_some_and(|since| Instant::now() >= since + self.patience.stalled)
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GuardedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.watch_write(cx, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.watch_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.watch_write(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing_since.is_none() {
            ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
            self.since = None;
            if !self.is_unread() {
                return Poll::Ready(Ok(()));
            }
        }
        self.poll_linger(cx).map(Ok)
    }
}
