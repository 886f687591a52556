//! The guard of an HTTP/1.x connection's inbound bytes (RFC 9112).
//!
//! Heads and the lines of chunked framing are held back until they are whole and valid; bodies
//! are counted and pass as they come. It keeps positions, not bytes, and allocates only to refuse.

mod chunk;
mod glimpse;
mod head;
mod line;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use cause::Framing;

pub use glimpse::Glimpse;

use crate::Limits;
use crate::h1::head::{Body, Head};

/// Says how many of the bytes that a client sent may go on to the HTTP library.
///
/// The caller keeps what it has received and not passed on, hands all of it to [`feed`](Self::feed)
/// whenever bytes arrive, and passes on as many of the leading bytes as `feed` says.
#[derive(Debug)]
pub struct Guard {
    limits: Arc<Limits>,
    at: At,
    head: Head,
    /// Held bytes that belong to the present head and are checked already.
    checked: usize,
    /// Bytes of chunk extensions in the present body.
    extensions: usize,
}

/// Where in the stream of requests the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before a request line; nothing of it has come.
    Between,
    /// In a request line.
    RequestLine,
    /// After a request line, before the end of the head.
    Fields,
    /// In a body of known length: bytes to come.
    Length(u64),
    /// Before or in a chunk's size line.
    ChunkSize,
    /// In a chunk: bytes to come.
    ChunkData(u64),
    /// Before the CR LF behind a chunk.
    ChunkEnd,
    /// Behind the last chunk.
    Trailers,
    /// Behind the head of a WebSocket upgrade that is not answered yet.
    Upgrading,
    /// In a tunnel.
    Tunnel,
    /// Behind a violation.
    Refused,
}

/// What became of the bytes that were fed.
#[derive(Debug, PartialEq, Eq)]
pub struct Progress {
    /// Leading bytes that may be passed on; the caller drops them from what it holds.
    pub released: usize,
    /// Why nothing behind those bytes will ever be released. Reported once.
    pub violation: Option<Violation>,
}

/// Bytes that are not one unambiguous HTTP/1 request. The connection is answered once and closed.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation {
    /// What about them.
    pub cause: Framing,
    /// In the body of a request whose head was released, instead of in a head.
    pub in_body: bool,
    /// The request line said HEAD, so the answer must have no body.
    pub is_head: bool,
    /// What could be read of the head; nothing where it was released.
    pub glimpse: Box<Glimpse>,
}

impl Violation {
    /// The head of a clean request that an HTTP library can be given in place of the refused one,
    /// so that the refusal is answered after the answers that are still due before it.
    #[must_use]
    pub const fn stand_in(&self) -> &'static [u8] {
        if self.is_head {
            b"HEAD / HTTP/1.1\r\nhost: refused.invalid\r\nconnection: close\r\n\r\n"
        } else {
            b"GET / HTTP/1.1\r\nhost: refused.invalid\r\nconnection: close\r\n\r\n"
        }
    }
}

impl Guard {
    /// At the beginning of a connection.
    #[must_use]
    pub fn new(limits: Arc<Limits>) -> Self {
        Self { limits, at: At::Between, head: Head::default(), checked: 0, extensions: 0 }
    }

    /// Judges the bytes that were received and not released so far, oldest first.
    ///
    /// `held` must begin with all that earlier calls did not release.
    pub fn feed(&mut self, held: &[u8]) -> Progress {
        let mut released = 0;
        while let Some(rest) = held.get(released..).filter(|rest| !rest.is_empty()) {
            match self.step(rest) {
                Ok(0) => break,
                Ok(bytes) => released += bytes,
                Err(cause) => {
                    let in_body = self.body_pending();
                    let glimpse = Box::new(if in_body { Glimpse::default() } else { Glimpse::of(rest) });
                    let violation = Violation { cause, in_body, is_head: self.head.is_head, glimpse };
                    self.at = At::Refused;
                    return Progress { released, violation: Some(violation) };
                }
            }
        }
        Progress { released, violation: None }
    }

    /// Nothing more is awaited of a head that does not come to its end, of which `held` came: the stream
    /// ends here.
    pub fn give_up(&mut self, held: &[u8], cause: Framing) -> Violation {
        self.at = At::Refused;
        Violation { cause, in_body: false, is_head: self.head.is_head, glimpse: Box::new(Glimpse::of(held)) }
    }

    /// Nothing of a next request has come: what idle timeouts measure. An empty line is nothing.
    #[must_use]
    pub fn between_requests(&self) -> bool {
        self.at == At::Between
    }

    /// A head has begun and is not whole: what the header timeout measures.
    #[must_use]
    pub fn head_pending(&self) -> bool {
        matches!(self.at, At::RequestLine | At::Fields)
    }

    /// A head was released and more of its body is to come.
    #[must_use]
    pub fn body_pending(&self) -> bool {
        matches!(self.at, At::Length(_) | At::ChunkSize | At::ChunkData(_) | At::ChunkEnd | At::Trailers)
    }

    /// A WebSocket upgrade was released. What comes behind is held until [`tunnel`](Self::tunnel) or
    /// [`resume`](Self::resume) says how it was answered. A request with a body never upgrades.
    #[must_use]
    pub fn upgrade_pending(&self) -> bool {
        self.at == At::Upgrading
    }

    /// The upgrade was answered with 101: all bytes pass from here on. Without effect unless an
    /// upgrade is pending.
    pub fn tunnel(&mut self) {
        if self.upgrade_pending() {
            self.at = At::Tunnel;
        }
    }

    /// The upgrade was answered otherwise: what is held is read as requests; feed it again. Without
    /// effect unless an upgrade is pending.
    pub fn resume(&mut self) {
        if self.upgrade_pending() {
            self.at = At::Between;
        }
    }

    /// How many of the bytes can go on now; none means that more are needed.
    fn step(&mut self, rest: &[u8]) -> Result<usize, Framing> {
        match self.at {
            At::Between | At::RequestLine | At::Fields => self.head(rest),
            At::Length(left) => Ok(self.pass(rest, left, At::Length, At::Between)),
            At::ChunkData(left) => Ok(self.pass(rest, left, At::ChunkData, At::ChunkEnd)),
            At::ChunkSize => self.chunk_size(rest),
            At::ChunkEnd => self.chunk_end(rest),
            At::Trailers => self.trailer(rest),
            At::Upgrading | At::Refused => Ok(0),
            At::Tunnel => Ok(rest.len()),
        }
    }

    /// Reads on in a head line by line, so that a malformed one is refused at its first bad line.
    fn head(&mut self, held: &[u8]) -> Result<usize, Framing> {
        if self.at == At::Between {
            // Before the first octet is judged: a refusal must not remember the request before.
            self.head = Head::default();
            let rest = held.get(self.checked..).unwrap_or_default();
            match line::empty_lines(rest, self.checked > 0)? {
                line::Start::Empty => self.checked += 2,
                line::Start::Unknown => return Ok(0),
                line::Start::Request => {}
            }
            let Some(first) = held.get(self.checked) else { return Ok(0) };
            if matches!(first, b'\r' | b'\n') {
                return self.head(held);
            }
            self.at = At::RequestLine;
        }
        if self.at == At::RequestLine {
            let rest = held.get(self.checked..).unwrap_or_default();
            let Some(line) = self.head.request_line(rest, self.checked, &self.limits)? else { return Ok(0) };
            self.checked += line;
            self.at = At::Fields;
        }
        loop {
            let rest = held.get(self.checked..).unwrap_or_default();
            let Some(line) = self.head.next_line(rest, &self.limits)? else { return Ok(0) };
            let start = self.checked;
            self.checked += line.len() + 2;
            if line.is_empty() {
                break;
            }
            self.head.field(line, start)?;
        }
        self.at = match self.head.body(held)? {
            Body::None if self.head.is_upgrade() => At::Upgrading,
            Body::None => At::Between,
            Body::Length(bytes) => At::Length(bytes),
            Body::Chunked => At::ChunkSize,
        };
        self.extensions = 0;
        Ok(std::mem::take(&mut self.checked))
    }

    /// Lets up to `left` bytes pass and says where the next one stands.
    fn pass(&mut self, rest: &[u8], left: u64, within: fn(u64) -> At, behind: At) -> usize {
        let available = rest.len() as u64;
        if available < left {
            self.at = within(left - available);
            return rest.len();
        }
        self.at = behind;
        // Fits: it is no more than the length of `rest`.
        usize::try_from(left).unwrap_or(rest.len())
    }

    fn chunk_size(&mut self, rest: &[u8]) -> Result<usize, Framing> {
        let Some(line) = chunk::size_line(rest)? else { return Ok(0) };
        self.extensions += line.extension;
        if self.extensions > chunk::EXTENSIONS_BYTES {
            return Err(Framing::Chunk);
        }
        self.at = if line.size == 0 { At::Trailers } else { At::ChunkData(line.size) };
        Ok(line.used)
    }

    fn chunk_end(&mut self, rest: &[u8]) -> Result<usize, Framing> {
        match rest {
            [b'\r', b'\n', ..] => {
                self.at = At::ChunkSize;
                Ok(2)
            }
            [] | [b'\r'] => Ok(0),
            [b'\n', ..] => Err(Framing::BareLineFeed),
            [..] => Err(Framing::Chunk),
        }
    }

    fn trailer(&mut self, rest: &[u8]) -> Result<usize, Framing> {
        let Some(line) = self.head.next_line(rest, &self.limits)? else { return Ok(0) };
        if line.is_empty() {
            self.at = At::Between;
        } else {
            head::split_field(line).map_err(|_| Framing::Trailer)?;
        }
        Ok(line.len() + 2)
    }
}
