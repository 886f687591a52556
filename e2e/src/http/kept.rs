//! A connection that is used again, and bodies that come in chunks.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Answer, LONGEST, Request, head};

/// Longest line of an answer's head and of a chunk's, in bytes.
const LINE: u64 = 32 << 10;

/// One connection at a time to one address, opened when it is needed.
pub struct Connection {
    to: SocketAddr,
    patience: Duration,
    open: Option<BufReader<TcpStream>>,
}

impl Connection {
    /// Opens nothing yet; `patience` is for every single step.
    #[must_use]
    pub const fn new(to: SocketAddr, patience: Duration) -> Self {
        Self { to, patience, open: None }
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// No connection, or no whole answer; the next request opens another connection.
    pub fn send(&mut self, request: &Request) -> std::result::Result<Answer, String> {
        let answer = self.exchange(request);
        if answer.as_ref().map_or(true, |answer| answer.field("connection") == "close") {
            self.open = None;
        }
        answer
    }

    /// Sends a request whose answer has no end that is waited for: its body is for the caller to read.
    ///
    /// # Errors
    /// No connection, or no head of an answer, or another status than 200.
    pub fn follow(mut self, request: &Request) -> std::result::Result<Chunks<BufReader<TcpStream>>, String> {
        let answer = self.begin(request)?;
        match (answer.status, answer.field("transfer-encoding"), self.open.take()) {
            (200, "chunked", Some(open)) => Ok(Chunks::new(open)),
            (status, coding, _) => Err(format!("{status}, transfer-encoding `{coding}`")),
        }
    }

    fn exchange(&mut self, request: &Request) -> std::result::Result<Answer, String> {
        let answer = self.begin(request)?;
        let open = self.open.as_mut().ok_or("the connection is closed")?;
        let mut body = Vec::new();
        if answer.field("transfer-encoding") == "chunked" {
            Chunks::new(open).take(LONGEST).read_to_end(&mut body).map_err(|error| error.to_string())?;
        } else if let Ok(length) = answer.field("content-length").parse::<u64>() {
            open.take(length.min(LONGEST)).read_to_end(&mut body).map_err(|error| error.to_string())?;
            if body.len() as u64 != length {
                return Err(format!("{} of {length} bytes came", body.len()));
            }
        }
        Ok(Answer { body: String::from_utf8_lossy(&body).into_owned(), ..answer })
    }

    /// Sends, and reads the head of the answer.
    fn begin(&mut self, request: &Request) -> std::result::Result<Answer, String> {
        let failed = |step: &str, error: &Error| format!("{step}: {error}");
        let open = match &mut self.open {
            Some(open) => open,
            none => {
                let stream = TcpStream::connect_timeout(&self.to, self.patience).map_err(|error| failed("connect", &error))?;
                let patience = Some(self.patience);
                stream
                    .set_nodelay(true)
                    .and_then(|()| stream.set_read_timeout(patience))
                    .and_then(|()| stream.set_write_timeout(patience))
                    .map_err(|error| failed("options", &error))?;
                none.insert(BufReader::new(stream))
            }
        };
        open.get_mut().write_all(request.text("keep-alive").as_bytes()).map_err(|error| failed("send", &error))?;
        let mut text = String::new();
        loop {
            let line = line(open).map_err(|error| failed("receive", &error))?;
            if line.is_empty() {
                return head(&text);
            }
            text.push_str(&line);
            text.push_str("\r\n");
        }
    }
}

/// What chunks hold (RFC 9112, section 7.1), as it comes.
pub struct Chunks<R> {
    inner: R,
    left: usize,
    is_over: bool,
}

impl<R: BufRead> Chunks<R> {
    /// The chunks that begin here.
    pub const fn new(inner: R) -> Self {
        Self { inner, left: 0, is_over: false }
    }

    /// What they are read from.
    pub const fn inner(&self) -> &R {
        &self.inner
    }

    fn begin(&mut self) -> Result<()> {
        let size = line(&mut self.inner)?;
        let digits = size.split(';').next().unwrap_or_default().trim();
        self.left = usize::from_str_radix(digits, 16).map_err(|_| Error::new(ErrorKind::InvalidData, "a chunk has no size"))?;
        if self.left == 0 {
            self.is_over = true;
            while !line(&mut self.inner)?.is_empty() {}
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.left == 0 && !self.is_over {
            self.begin()?;
        }
        if self.is_over || buffer.is_empty() {
            return Ok(0);
        }
        let room = buffer.len().min(self.left);
        let length = self.inner.read(&mut buffer[..room])?;
        if length == 0 {
            return Err(cut());
        }
        self.left -= length;
        if self.left == 0 && !line(&mut self.inner)?.is_empty() {
            return Err(Error::new(ErrorKind::InvalidData, "a chunk is longer than its size"));
        }
        Ok(length)
    }
}

/// A line without its end.
fn line(from: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    from.take(LINE).read_line(&mut line)?;
    line.strip_suffix("\r\n").map(str::to_owned).ok_or_else(cut)
}

fn cut() -> Error {
    Error::new(ErrorKind::UnexpectedEof, "the answer ends within its chunks")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn one_connection_takes_answers_of_every_framing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let answers = [
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab",
            "HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n1\r\nc\r\n2;x\r\nde\r\n0\r\nlast: one\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut",
        ];
        let server = thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            for answer in answers {
                while !line(&mut stream).unwrap().is_empty() {}
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        });
        let mut connection = Connection::new(to, Duration::from_secs(5));
        let mut ask = || connection.send(&Request::get("a", "/")).map(|answer| (answer.status, answer.body));
        assert_eq!(ask(), Ok((200, "ab".to_owned())));
        assert_eq!(ask(), Ok((404, "cde".to_owned())));
        assert_eq!(ask(), Ok((204, String::new())));
        assert_eq!(ask(), Err("3 of 9 bytes came".to_owned()));
        server.join().unwrap();
    }
}
