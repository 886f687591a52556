//! The bytes of a connection, plain or TLS, and the tape that HTTP/1.1 keeps of them.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connection, plain or TLS.
pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_read(cx, buffer),
            Self::Tls(io) => Pin::new(io).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write(cx, bytes),
            Self::Tls(io) => Pin::new(io).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write_vectored(cx, bytes),
            Self::Tls(io) => Pin::new(io).poll_write_vectored(cx, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(io) => io.is_write_vectored(),
            Self::Tls(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_flush(cx),
            Self::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Self::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}

/// What passed on a connection since the request began.
///
/// A request on a kept connection may meet the close of that connection. hyper has consumed it by
/// then; rather than clone the header map of every request for that rare case, the bytes of the
/// head are copied as they are written, and the request is read back from them.
#[derive(Default)]
pub(crate) struct Tape {
    recording: Cell<bool>,
    head: RefCell<Vec<u8>>,
    /// How much of `head` the connection has taken.
    taken: Cell<usize>,
    received: Cell<bool>,
}

impl Tape {
    /// Forgets the last request; `record` says whether the next may have to be read back.
    pub(crate) fn begin(&self, record: bool) {
        self.recording.set(record);
        self.head.borrow_mut().clear();
        self.taken.set(0);
        self.received.set(false);
    }

    /// Whether a byte came back.
    pub(crate) fn received(&self) -> bool {
        self.received.get()
    }

    /// The head that was written, if it was recorded to its end.
    pub(crate) fn head(&self) -> Option<Parts> {
        let head = self.head.borrow();
        let end = head.windows(4).position(|window| window == b"\r\n\r\n")?;
        let mut lines = head.get(..end)?.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let mut start = lines.next()?.split(|byte| *byte == b' ');
        let (method, target) = (start.next()?, start.next()?);
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = Method::from_bytes(method).ok()?;
        parts.uri = Uri::try_from(target).ok()?;
        for line in lines {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at_checked(colon)?;
            let name = HeaderName::from_bytes(name).ok()?;
            let value = HeaderValue::from_bytes(value.get(1..)?.trim_ascii()).ok()?;
            parts.headers.append(name, value);
        }
        Some(parts)
    }

    /// Notes what is offered to the connection. What it did not take is offered again, so only
    /// what was taken stays.
    fn offer(&self, slices: &[IoSlice<'_>]) {
        let mut head = self.head.borrow_mut();
        head.truncate(self.taken.get());
        for slice in slices {
            let room = TAPE.saturating_sub(head.len());
            head.extend_from_slice(slice.get(..room.min(slice.len())).unwrap_or_default());
        }
    }

    fn take(&self, length: usize) {
        let taken = self.taken.get().saturating_add(length);
        self.taken.set(taken);
        if taken >= TAPE {
            self.recording.set(false);
        }
    }
}

/// Bytes of a request that are kept: more than any head that is let in.
const TAPE: usize = 64 * 1024;

/// A connection with its tape.
pub(crate) struct Taped {
    io: Transport,
    tape: Rc<Tape>,
}

impl Taped {
    pub(crate) const fn new(io: Transport, tape: Rc<Tape>) -> Self {
        Self { io, tape }
    }
}

impl AsyncRead for Taped {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.tape.received.set(true);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Taped {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if !self.tape.recording.get() {
            return Pin::new(&mut self.io).poll_write_vectored(cx, bytes);
        }
        self.tape.offer(bytes);
        let length = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, bytes))?;
        self.tape.take(length);
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
