//! HTTP/1.1 as bytes, at either end.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::PATIENCE;

/// Waits for something that must come soon.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

/// A message as it came.
#[derive(Debug)]
pub(crate) struct Message {
    /// The first line and the fields, as they came.
    pub(crate) head: String,
    /// The body, without its framing.
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its proper end.
    pub(crate) whole: bool,
}

impl Message {
    /// The status.
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// The first value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        fields.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The code of the cause, where it is a refusal.
    pub(crate) fn code(&self) -> &str {
        self.field("doorward-code").unwrap_or("")
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body of an answer of this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> String {
        assert_eq!(self.status(), status, "{}\n{}", self.head, self.text());
        self.text()
    }
}

/// One end of a connection.
pub(crate) struct Talk<S = TcpStream> {
    stream: S,
    buffer: Vec<u8>,
}

impl Talk {
    /// A connection to this address.
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self::on(soon(TcpStream::connect(address)).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    /// Speaks on this stream.
    pub(crate) const fn on(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Sends bytes. A peer that refuses early may be gone: what it said counts.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = soon(self.stream.write_all(bytes.as_ref())).await;
        let _ = soon(self.stream.flush()).await;
    }

    /// Sends nothing more.
    pub(crate) async fn finish(&mut self) {
        soon(self.stream.shutdown()).await.unwrap();
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask(&mut self, request: &str) -> Message {
        self.send(request).await;
        self.answer().await
    }

    /// Reads an answer.
    pub(crate) async fn answer(&mut self) -> Message {
        self.message().await.expect("the connection ended without an answer")
    }

    /// Reads a message; none where the connection ended before it.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        let head = self.head().await?;
        Some(self.body(head).await)
    }

    /// Reads the body behind a head.
    pub(crate) async fn body(&mut self, head: String) -> Message {
        let mut message = Message { head, body: Vec::new(), whole: true };
        if message.field("transfer-encoding").is_some() {
            message.whole = self.chunks(&mut message.body).await.is_some();
        } else if let Some(length) = message.field("content-length").and_then(|length| length.parse().ok()) {
            while self.buffer.len() < length && self.more().await > 0 {}
            message.whole = self.buffer.len() >= length;
            message.body = self.take(length);
        }
        message
    }

    /// As [`head`](Self::head), whenever it comes.
    pub(crate) async fn head_at_leisure(&mut self) -> Option<String> {
        if self.buffer.is_empty() && self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
            return None;
        }
        self.head().await
    }

    /// Reads up to and without the empty line.
    pub(crate) async fn head(&mut self) -> Option<String> {
        let end = self.find(b"\r\n\r\n").await?;
        let head = String::from_utf8_lossy(&self.take(end)).into_owned();
        self.take(4);
        Some(head)
    }

    /// Reads at least this many bytes of what follows, and takes them out.
    pub(crate) async fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if self.more().await == 0 {
                return None;
            }
        }
        Some(self.take(count))
    }

    /// Reads all that comes to the end of the connection.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await > 0 {}
        std::mem::take(&mut self.buffer)
    }

    async fn chunks(&mut self, body: &mut Vec<u8>) -> Option<()> {
        loop {
            let line = self.find(b"\r\n").await?;
            let size = usize::from_str_radix(&String::from_utf8_lossy(&self.take(line)), 16).ok()?;
            self.take(2);
            if size == 0 {
                while self.find(b"\r\n").await? > 0 {
                    let trailer = self.find(b"\r\n").await?;
                    self.take(trailer + 2);
                }
                self.take(2);
                return Some(());
            }
            body.extend(self.bytes(size).await?);
            self.bytes(2).await?;
        }
    }

    async fn find(&mut self, wanted: &[u8]) -> Option<usize> {
        loop {
            if let Some(at) = self.buffer.windows(wanted.len()).position(|window| window == wanted) {
                return Some(at);
            }
            if self.more().await == 0 {
                return None;
            }
        }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        self.buffer.drain(..count.min(self.buffer.len())).collect()
    }

    /// Zero at the end; a reset is an end too.
    async fn more(&mut self) -> usize {
        soon(self.stream.read_buf(&mut self.buffer)).await.unwrap_or(0)
    }
}
