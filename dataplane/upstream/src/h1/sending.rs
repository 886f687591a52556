//! The request on its way: its head, then its body as it comes.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::header::TRAILER;
use http::{HeaderMap, HeaderName, Request};
use http_body::{Body as _, Frame};
use tokio::io::AsyncWrite;

use crate::body::RequestBody;
use crate::outgoing::{Lines, write_field};
use crate::stream::Transport;

/// What is to be written, and what follows it.
#[derive(Default)]
pub(super) struct Output {
    /// The head, sizes of chunks, trailers: what is written by us.
    text: Vec<u8>,
    /// How much of `text` has been taken.
    text_taken: usize,
    /// The present part of the body.
    data: Bytes,
    /// What stands behind it.
    tail: &'static [u8],
    rest: Rest,
    /// Bytes of the present request that the connection has taken.
    taken: usize,
    /// Trailers that the head announced.
    trailers: Vec<HeaderName>,
}

/// What of the body has not been asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rest {
    /// Nothing.
    #[default]
    Nothing,
    /// That many bytes, at least one.
    Bytes(u64),
    /// Chunks, to the end of the body.
    Chunks,
}

/// Why a request stops on its way.
pub(super) enum Trouble {
    /// Its body failed, and has said so.
    Body,
    /// The connection takes no more.
    Connection,
}

impl Output {
    /// Writes the head of `request` with more field `lines`; its body has `length` bytes or is chunked.
    pub(super) fn begin(&mut self, request: &Request<RequestBody>, lines: &Lines, length: Option<u64>) {
        self.text.clear();
        (self.text_taken, self.taken) = (0, 0);
        (self.data, self.tail) = (Bytes::new(), b"");
        self.trailers.clear();
        self.rest = match length {
            None => Rest::Chunks,
            Some(0) => Rest::Nothing,
            Some(bytes) => Rest::Bytes(bytes),
        };
        let target = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        for part in [request.method().as_str(), " ", target, " HTTP/1.1\r\n"] {
            self.text.extend_from_slice(part.as_bytes());
        }
        self.text.extend_from_slice(lines.as_bytes());
        write_fields(&mut self.text, request.headers());
        if self.rest == Rest::Chunks {
            let announced = request.headers().get_all(TRAILER).iter().filter_map(|value| value.to_str().ok());
            self.trailers.extend(announced.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()));
        }
    }

    /// Bytes of the present request that the connection has taken.
    pub(super) const fn taken(&self) -> usize {
        self.taken
    }

    /// Whether nothing more will be written.
    pub(super) const fn is_over(&self) -> bool {
        self.is_written() && matches!(self.rest, Rest::Nothing)
    }

    /// Writes what is here and asks `body` for more, until all is written.
    pub(super) fn poll(&mut self, io: &mut Transport, body: &mut RequestBody, cx: &mut Context<'_>) -> Poll<Result<(), Trouble>> {
        if self.is_over() {
            return Poll::Ready(Ok(()));
        }
        let mut waiting = false;
        loop {
            // The first part goes with the head.
            if !waiting && self.rest != Rest::Nothing && self.data.is_empty() && self.tail.is_empty() {
                match Pin::new(&mut *body).poll_frame(cx) {
                    Poll::Pending => waiting = true,
                    Poll::Ready(part) => {
                        let taken = match part {
                            Some(Ok(frame)) => self.take(frame),
                            Some(Err(_)) => Err(Trouble::Body),
                            None => self.end(None),
                        };
                        if let Err(trouble) = taken {
                            return self.give_up(trouble);
                        }
                    }
                }
            }
            if !self.is_written() {
                match ready!(self.poll_write(io, cx)) {
                    Ok(count) if count > 0 => self.advance(count),
                    Ok(_) | Err(_) => return self.give_up(Trouble::Connection),
                }
            } else if waiting || self.rest == Rest::Nothing {
                return match ready!(Pin::new(&mut *io).poll_flush(cx)) {
                    Err(_) => self.give_up(Trouble::Connection),
                    Ok(()) if waiting => Poll::Pending,
                    Ok(()) => Poll::Ready(Ok(())),
                };
            }
        }
    }

    const fn is_written(&self) -> bool {
        self.text_taken == self.text.len() && self.data.is_empty() && self.tail.is_empty()
    }

    /// Takes a part of the body.
    fn take(&mut self, frame: Frame<Bytes>) -> Result<(), Trouble> {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => return self.end(frame.into_trailers().ok()),
        };
        let length = data.len() as u64;
        match self.rest {
            Rest::Bytes(bytes) if length < bytes => self.rest = Rest::Bytes(bytes - length),
            Rest::Bytes(bytes) if length == bytes => self.rest = Rest::Nothing,
            // More than the head says would be the next request to the upstream.
            Rest::Bytes(_) | Rest::Nothing => return Err(Trouble::Connection),
            // An empty chunk would be the last.
            Rest::Chunks if length == 0 => {}
            Rest::Chunks => {
                // Writing into a Vec cannot fail.
                let _ = write!(self.text, "{length:X}\r\n");
                self.tail = b"\r\n";
            }
        }
        self.data = data;
        Ok(())
    }

    /// The body has ended.
    fn end(&mut self, trailers: Option<HeaderMap>) -> Result<(), Trouble> {
        if self.rest != Rest::Chunks {
            return Err(Trouble::Connection);
        }
        self.rest = Rest::Nothing;
        self.text.extend_from_slice(b"0\r\n");
        let mut trailers = trailers.unwrap_or_default();
        if !trailers.is_empty() {
            let unannounced: Vec<HeaderName> = trailers.keys().filter(|name| !self.trailers.contains(name)).cloned().collect();
            for name in unannounced {
                trailers.remove(name);
            }
        }
        write_fields(&mut self.text, &trailers);
        Ok(())
    }

    fn poll_write(&self, io: &mut Transport, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let text = self.text.get(self.text_taken..).unwrap_or_default();
        let io = Pin::new(io);
        if self.data.is_empty() && self.tail.is_empty() {
            return io.poll_write(cx, text);
        }
        io.poll_write_vectored(cx, &[IoSlice::new(text), IoSlice::new(&self.data), IoSlice::new(self.tail)])
    }

    fn advance(&mut self, count: usize) {
        self.taken = self.taken.saturating_add(count);
        let of_text = count.min(self.text.len() - self.text_taken);
        self.text_taken += of_text;
        if self.text_taken == self.text.len() {
            self.text.clear();
            self.text_taken = 0;
        }
        let of_data = (count - of_text).min(self.data.len());
        self.data.advance(of_data);
        self.tail = self.tail.get(count - of_text - of_data..).unwrap_or_default();
    }

    /// Nothing more is written: what is left is forgotten.
    fn give_up(&mut self, trouble: Trouble) -> Poll<Result<(), Trouble>> {
        self.text.clear();
        (self.text_taken, self.rest) = (0, Rest::Nothing);
        (self.data, self.tail) = (Bytes::new(), b"");
        Poll::Ready(Err(trouble))
    }
}

/// Field lines and the empty line behind them.
fn write_fields(text: &mut Vec<u8>, fields: &HeaderMap) {
    for (name, value) in fields {
        write_field(text, name, value.as_bytes());
    }
    text.extend_from_slice(b"\r\n");
}
