//! HTTP as bytes: what is sent is sent exactly, what comes back is told exactly.
//!
//! It blocks, and gives up after a while: nothing here may hang a test.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use socket2::{Domain, Protocol, Socket, Type};

/// How long an answer may take. The slowest cause needs ten seconds to be one.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of a message that are read.
const MESSAGE_BYTES: usize = 1 << 20;

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The first line.
    pub start: String,
    /// The header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
}

impl Message {
    /// The first value of a field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The status; 0 where the first line has none.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}

/// How a request is sent, beside its bytes.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// The client's address; it is of this machine.
    pub from: Option<IpAddr>,
    /// Whether the client stops sending behind the bytes.
    pub closes: bool,
    /// The server name and the authorities that are trusted, where the connection is TLS.
    pub tls: Option<(String, Arc<RootCertStore>)>,
}

/// Sends `bytes` on a connection of their own and reads one answer.
///
/// # Errors
/// No connection, no answer in time, or one that is not HTTP/1.1.
pub fn call(to: SocketAddr, bytes: &[u8], manner: &Manner) -> Result<Message, String> {
    let stream = connect(to, manner.from).map_err(|error| format!("no connection to {to}: {error}"))?;
    let Some((name, roots)) = &manner.tls else { return exchange(stream, bytes, manner.closes) };
    let config = ClientConfig::builder().with_root_certificates(Arc::clone(roots)).with_no_client_auth();
    let name = ServerName::try_from(name.clone()).map_err(|error| format!("{name}: {error}"))?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    exchange(StreamOwned::new(connection, stream), bytes, false)
}

fn connect(to: SocketAddr, from: Option<IpAddr>) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(from) = from {
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    socket.connect_timeout(&to.into(), PATIENCE)?;
    let stream: TcpStream = socket.into();
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A stream on which one can say that nothing more follows.
trait Stream: Read + Write {
    fn close_writing(&mut self) -> std::io::Result<()>;
}

impl Stream for TcpStream {
    fn close_writing(&mut self) -> std::io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Stream for StreamOwned<ClientConnection, TcpStream> {
    fn close_writing(&mut self) -> std::io::Result<()> {
        self.conn.send_close_notify();
        self.flush()
    }
}

fn exchange(mut stream: impl Stream, bytes: &[u8], closes: bool) -> Result<Message, String> {
    // A gateway that refuses early may close while bytes are on their way; its answer counts.
    let sent = stream.write_all(bytes).and_then(|()| stream.flush());
    if closes {
        stream.close_writing().map_err(|error| format!("the connection cannot be closed: {error}"))?;
    }
    match read(&mut stream, Side::Client) {
        Ok(message) => Ok(message),
        Err(reason) => Err(sent.err().map_or(reason, |error| format!("the request cannot be sent: {error}"))),
    }
}

/// Who reads a message: only clients read to the end of the connection where no length is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// Reads one message.
pub(crate) fn read(stream: &mut impl Read, side: Side) -> Result<Message, String> {
    let mut buffer = Vec::new();
    let head = loop {
        if let Some(at) = find(&buffer, b"\r\n\r\n") {
            break at;
        }
        if more(stream, &mut buffer)? == 0 {
            return Err(format!("the connection ended after {:?}", String::from_utf8_lossy(&buffer)));
        }
    };
    let text = String::from_utf8_lossy(buffer.get(..head).unwrap_or_default()).into_owned();
    let mut lines = text.split("\r\n");
    let start = lines.next().unwrap_or_default().to_owned();
    let field = |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    let headers: Vec<(String, String)> = lines.filter_map(field).collect();
    let mut message = Message { start, headers, body: buffer.split_off(head + 4) };
    let is_chunked = message.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    let length = message.header("content-length").and_then(|value| value.parse::<usize>().ok());
    if is_chunked {
        message.body = chunked(stream, message.body)?;
    } else if let Some(length) = length {
        while message.body.len() < length && more(stream, &mut message.body)? > 0 {}
        message.body.truncate(length);
    } else if side == Side::Client && !matches!(message.status(), 204 | 304) {
        while more(stream, &mut message.body)? > 0 {}
    }
    Ok(message)
}

fn chunked(stream: &mut impl Read, mut buffer: Vec<u8>) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let Some(line) = find(&buffer, b"\r\n") else {
            if more(stream, &mut buffer)? == 0 {
                return Err("the connection ended in a chunked body".to_owned());
            }
            continue;
        };
        let size = String::from_utf8_lossy(buffer.get(..line).unwrap_or_default()).into_owned();
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| format!("{size:?} is not a chunk's size"))?;
        if size == 0 {
            // Trailers, if any, end with an empty line too.
            while find(buffer.get(line..).unwrap_or_default(), b"\r\n\r\n").is_none() && more(stream, &mut buffer)? > 0 {}
            return Ok(body);
        }
        let (begins, ends) = (line + 2, line + 2 + size);
        while buffer.len() < ends + 2 {
            if more(stream, &mut buffer)? == 0 {
                return Err("the connection ended in a chunk".to_owned());
            }
        }
        body.extend_from_slice(buffer.get(begins..ends).unwrap_or_default());
        buffer.drain(..ends + 2);
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn more(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Result<usize, String> {
    let mut piece = [0; 4096];
    if buffer.len() > MESSAGE_BYTES {
        return Err("the message is too large".to_owned());
    }
    match stream.read(&mut piece) {
        Ok(count) => {
            buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
            Ok(count)
        }
        // A peer that is gone without a word has said all it will say.
        Err(error) if matches!(error.kind(), std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset) => Ok(0),
        Err(error) => Err(format!("no answer: {error}")),
    }
}

/// Sends a request without a body over HTTP/2 without TLS, and reads its answer. `text` is written as in HTTP/1.1,
/// with `:authority` among the fields.
///
/// # Errors
/// No connection, no answer in time, or a request that cannot be put into frames.
pub async fn call_h2(to: SocketAddr, text: &str) -> Result<Message, String> {
    let exchange = async {
        let stream = tokio::net::TcpStream::connect(to).await.map_err(|error| error.to_string())?;
        let (sender, connection) = h2::client::handshake(stream).await.map_err(|error| error.to_string())?;
        let driving = tokio::spawn(connection);
        let (answer, _) = sender
            .ready()
            .await
            .and_then(|mut sender| sender.send_request(h2_request(text), true))
            .map_err(|error| error.to_string())?;
        let (head, mut body) = answer.await.map_err(|error| error.to_string())?.into_parts();
        let mut bytes = Vec::new();
        while let Some(data) = body.data().await {
            bytes.extend_from_slice(&data.map_err(|error| error.to_string())?);
        }
        driving.abort();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        Ok(Message { start: format!("HTTP/2 {}", head.status.as_u16()), headers, body: bytes })
    };
    tokio::time::timeout(PATIENCE, exchange).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

fn h2_request(text: &str) -> http::Request<()> {
    let mut lines = text.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut fields: BTreeMap<String, String> = lines
        .filter_map(|line| line.rsplit_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let authority = fields.remove(":authority").unwrap_or_default();
    let mut request =
        http::Request::builder().method(method).uri(format!("http://{authority}{path}")).version(http::Version::HTTP_2);
    for (name, value) in fields {
        request = request.header(name, value);
    }
    request.body(()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_whatever_their_framing() {
        let check = |bytes: &str, body: Option<&str>| {
            let found = read(&mut bytes.as_bytes(), Side::Client).ok();
            assert_eq!(found.map(|message| String::from_utf8(message.body).unwrap()).as_deref(), body, "{bytes:?}");
        };
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", Some("ab"));
        check("HTTP/1.1 200 OK\r\n\r\nabc", Some("abc"));
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", Some("abc"));
        check("HTTP/1.1 204 No Content\r\n\r\n", Some(""));
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na", None);
        check("HTTP/1.1 200 OK\r\n", None);
        let message = read(&mut &b"POST / HTTP/1.1\r\nA: b\r\n\r\n"[..], Side::Server).unwrap();
        assert_eq!((message.header("a"), message.status()), (Some("b"), 0));
    }
}
