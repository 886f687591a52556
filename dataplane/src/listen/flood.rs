//! An HTTP/2 connection that counts the frames which cost more to answer than to send, and does not
//! wait for ever for what its client has begun.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use wire::h2::{Flood, Floods, Owed};

/// How long a client may take for what it has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// The first SETTINGS, from the preface on.
    pub(crate) settings: Duration,
    /// A header block.
    pub(crate) head: Duration,
}

/// A connection behind the count. A flood ends it with GOAWAY ENHANCE_YOUR_CALM.
pub(crate) struct FloodIo<S> {
    inner: S,
    floods: Floods,
    began: Instant,
    patience: Patience,
    /// What the client owes, and until when.
    owed: Option<(Owed, Pin<Box<Sleep>>)>,
    /// The preface and what came with it.
    first: Bytes,
    /// The rest of the farewell that is being written.
    farewell: Option<Bytes>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> FloodIo<S> {
    /// Counts the frames of `inner`; `first` begins with the preface and was read already.
    pub(crate) fn new(inner: S, first: BytesMut, patience: Patience) -> Self {
        let (floods, began, first_bytes) = (Floods::new(), Instant::now(), Bytes::new());
        let mut io = Self { inner, floods, began, patience, owed: None, first: first_bytes, farewell: None };
        let frames = first.get(wire::preface::HTTP2.len()..).unwrap_or_default();
        if let Err(flood) = io.floods.scan(frames, Duration::ZERO) {
            io.say_farewell(&flood);
        }
        io.first = first.freeze();
        io
    }

    fn say_farewell(&mut self, flood: &Flood) {
        tracing::debug!(frame = flood.frame.as_str(), "closing an HTTP/2 connection that floods");
        self.farewell = Some(Bytes::copy_from_slice(&flood.goaway()));
    }

    /// Ready when the client has taken too long for what it owes.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(owed) = self.floods.owed() else {
            self.owed = None;
            return Poll::Pending;
        };
        let patience = match owed {
            Owed::Settings => self.patience.settings,
            Owed::Head { .. } => self.patience.head,
        };
        // A timer belongs to what it was set for: the next header block has all its time.
        let kept = self.owed.take().filter(|(earlier, _)| *earlier == owed);
        let (_, timer) = self.owed.insert(kept.unwrap_or_else(|| (owed, Box::pin(tokio::time::sleep(patience)))));
        timer.as_mut().poll(cx)
    }

    /// Writes the farewell as far as the peer takes it, then fails the connection.
    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        while let Some(rest) = self.farewell.as_mut().filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.inner).poll_write(cx, rest)) {
                Ok(count) if count > 0 => rest.advance(count),
                Ok(_) | Err(_) => break,
            }
        }
        Poll::Ready(io::ErrorKind::ConnectionAborted.into())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for FloodIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.farewell.is_some() {
            return this.poll_farewell(cx).map(Err);
        }
        if !this.first.is_empty() {
            let count = this.first.len().min(buf.remaining());
            buf.put_slice(this.first.get(..count).unwrap_or_default());
            this.first.advance(count);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        if Pin::new(&mut this.inner).poll_read(cx, buf)?.is_pending() {
            ready!(this.poll_overdue(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let fresh = buf.filled().get(before..).unwrap_or_default();
        if let Err(flood) = this.floods.scan(fresh, this.began.elapsed()) {
            buf.set_filled(before);
            this.say_farewell(&flood);
            return this.poll_farewell(cx).map(Err);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for FloodIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
