//! Requests as a plain client sends them, with nothing between the test and the bytes of the answer.

mod kept;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub use kept::{Chunks, Connection};

/// Longest answer that is read, in bytes.
const LONGEST: u64 = 16 << 20;

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    host: String,
    path: String,
    fields: Vec<(String, String)>,
    body: String,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in small letters, in the order of arrival.
    pub fields: Vec<(String, String)>,
    /// The body without its framing.
    pub body: String,
}

impl Request {
    /// A GET.
    #[must_use]
    pub fn get(host: &str, path: &str) -> Self {
        Self { method: "GET".to_owned(), host: host.to_owned(), path: path.to_owned(), fields: Vec::new(), body: String::new() }
    }

    /// With a field more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With another method and a body.
    #[must_use]
    pub fn sending(mut self, method: &str, body: &str) -> Self {
        method.clone_into(&mut self.method);
        body.clone_into(&mut self.body);
        self
    }

    /// Sends it over a connection of its own.
    ///
    /// # Errors
    /// No connection, no whole answer, or none within `patience` for any single step.
    pub fn send(&self, to: SocketAddr, patience: Duration) -> Result<Answer, String> {
        let failed = |step: &str, error: &std::io::Error| format!("{step}: {error}");
        let mut stream = TcpStream::connect_timeout(&to, patience).map_err(|error| failed("connect", &error))?;
        stream
            .set_read_timeout(Some(patience))
            .and_then(|()| stream.set_write_timeout(Some(patience)))
            .map_err(|error| failed("timeouts", &error))?;
        stream.write_all(self.text("close").as_bytes()).map_err(|error| failed("send", &error))?;
        let mut bytes = Vec::new();
        stream.take(LONGEST).read_to_end(&mut bytes).map_err(|error| failed("receive", &error))?;
        answer(&bytes)
    }

    fn text(&self, connection: &str) -> String {
        let Self { method, path, host, .. } = self;
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: {connection}\r\n");
        for (name, value) in &self.fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() {
            text.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        text + "\r\n" + &self.body
    }
}

impl Answer {
    /// The value of a field; empty without it.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }
}

fn answer(bytes: &[u8]) -> Result<Answer, String> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or("the answer ends before its head does")?;
    let found = head(&String::from_utf8_lossy(&bytes[..end]))?;
    let rest = &bytes[end + 4..];
    let body =
        if found.field("transfer-encoding") == "chunked" { joined(rest)? } else { whole(rest, found.field("content-length"))? };
    Ok(Answer { body: String::from_utf8_lossy(&body).into_owned(), ..found })
}

/// Status and fields of an answer, without the empty line after them.
fn head(head: &str) -> Result<Answer, String> {
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let status = status.ok_or("the answer has no status")?;
    let fields: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())))
        .collect();
    Ok(Answer { status, fields, body: String::new() })
}

fn whole(rest: &[u8], length: &str) -> Result<Vec<u8>, String> {
    match length.parse::<usize>() {
        Ok(length) if rest.len() < length => Err(format!("{} of {length} bytes came", rest.len())),
        Ok(length) => Ok(rest[..length].to_vec()),
        Err(_) => Ok(rest.to_vec()),
    }
}

/// The chunks' bytes (RFC 9112, section 7.1).
fn joined(rest: &[u8]) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    Chunks::new(rest).read_to_end(&mut body).map_err(|error| error.to_string())?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_answers_are_read_and_cut_ones_are_not() {
        let check = |text: &str, expected: Result<(u16, &str), &str>| {
            let found = answer(text.as_bytes()).map(|answer| (answer.status, answer.body));
            assert_eq!(found, expected.map(|(status, body)| (status, body.to_owned())).map_err(str::to_owned), "{text:?}");
        };
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", Ok((200, "ab")));
        check("HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1;x\r\nd\r\n0\r\n\r\n", Ok((404, "abcd")));
        check("HTTP/1.1 204 No Content\r\n\r\n", Ok((204, "")));
        check("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab", Err("2 of 3 bytes came"));
        check("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab", Err("the answer ends within its chunks"));
        check("HTTP/1.1 200", Err("the answer ends before its head does"));
    }
}
