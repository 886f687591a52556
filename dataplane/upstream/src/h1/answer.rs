//! The head of an answer, and what it means for its body and its connection (RFC 9112 section 6.3).
//!
//! An answer's fields are written anew to the client, so what matters is that the upstream, the
//! client and we agree where the answer ends. Fields that concern this connection alone are not
//! passed on (RFC 9110 section 7.6.1).

use std::mem::MaybeUninit;
use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use memchr::memmem::Finder;

use super::receiving::{Body, Input};
use crate::framing::{FIELD_LIMIT, HEAD_LIMIT, Unsound, plain_length};

/// A head that was accepted.
pub(super) struct Answer {
    pub(super) head: Response<()>,
    pub(super) body: Body,
    /// Whether the connection may serve another request.
    pub(super) reusable: bool,
}

const TOO_LARGE: &str = "the head of its answer is over 64 KiB or 100 fields";
const NO_STATUS: &str = "its answer does not begin with a valid status line";
const NO_HEAD: &str = "the head of its answer is not well-formed HTTP/1.1";

/// Takes the head of an answer from what is here, if it is whole; answers of status 1xx are passed
/// over. `is_head` says that HEAD was asked. The fields come to lie in the memory of `fields`.
///
/// # Errors
/// Why it is no acceptable answer.
pub(super) fn take(input: &mut Input, fields: &mut HeaderMap, is_head: bool) -> Result<Option<Answer>, &'static str> {
    loop {
        let Some(end) = end_of_head(input) else {
            look_at_start(&input.bytes)?;
            return if input.bytes.len() < HEAD_LIMIT { Ok(None) } else { Err(TOO_LARGE) };
        };
        if end > HEAD_LIMIT {
            return Err(TOO_LARGE);
        }
        input.searched = 0;
        let answer = parse(&input.bytes.split_to(end).freeze(), fields, is_head)?;
        if answer.head.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Unsound::Switches.reason());
        }
        if !answer.head.status().is_informational() {
            return Ok(Some(answer));
        }
    }
}

/// An empty line as it should be, and as RFC 9112 section 2.2 lets us read it.
static EMPTY_LINE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\n\r\n"));
static BARE_EMPTY_LINE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\n\n"));

/// Where the first head ends; each byte is looked at once for each form of an end.
fn end_of_head(input: &mut Input) -> Option<usize> {
    let bytes = input.bytes.get(input.searched..)?;
    let end = EMPTY_LINE.find(bytes).map(|place| place + 3);
    let head = bytes.get(..end.unwrap_or(bytes.len()))?;
    let end = BARE_EMPTY_LINE.find(head).map(|place| place + 2).or(end);
    if end.is_none() {
        // An end may begin in the last two bytes.
        input.searched = input.bytes.len().saturating_sub(2);
    }
    end.map(|end| end + input.searched)
}

/// What does not begin as an answer will not become one.
fn look_at_start(bytes: &[u8]) -> Result<(), &'static str> {
    const START: &[u8] = b"HTTP/1.";
    let length = bytes.len().min(START.len());
    if bytes.get(..length) == START.get(..length) { Ok(()) } else { Err(NO_STATUS) }
}

/// What a field is to its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Passed,
    Length,
    Coding,
    Connection,
    /// Of no concern to anyone else.
    Hop,
}

fn role(name: &str) -> Role {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    match name.len() {
        2 if is("te") => Role::Hop,
        7 if is("upgrade") => Role::Hop,
        10 if is("connection") => Role::Connection,
        10 if is("keep-alive") => Role::Hop,
        14 if is("content-length") => Role::Length,
        16 if is("proxy-connection") => Role::Hop,
        17 if is("transfer-encoding") => Role::Coding,
        _ => Role::Passed,
    }
}

/// What the fields of one head say about its framing.
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    chunked: bool,
    closes: bool,
    nominates: bool,
}

impl Framing {
    fn length(&mut self, value: &HeaderValue) -> Result<(), Unsound> {
        if self.chunked {
            return Err(Unsound::LengthAndCoding);
        }
        let length = plain_length(value).ok_or(Unsound::LengthNotPlain)?;
        if self.length.replace(length).is_some() { Err(Unsound::SeveralLengths) } else { Ok(()) }
    }

    fn coding(&mut self, value: &[u8]) -> Result<(), Unsound> {
        if self.length.is_some() {
            return Err(Unsound::LengthAndCoding);
        }
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Unsound::CodingNotChunked);
        }
        self.chunked = true;
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|octet| *octet == b',').map(<[u8]>::trim_ascii) {
            if option.eq_ignore_ascii_case(b"close") {
                self.closes = true;
            } else if !option.is_empty() && !option.eq_ignore_ascii_case(b"keep-alive") {
                self.nominates = true;
            }
        }
    }
}

fn parse(head: &Bytes, fields: &mut HeaderMap, is_head: bool) -> Result<Answer, &'static str> {
    let mut lines = [const { MaybeUninit::uninit() }; FIELD_LIMIT];
    let mut parsed = httparse::Response::new(&mut []);
    match httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, head, &mut lines) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(TOO_LARGE),
        Err(httparse::Error::Status | httparse::Error::Version) => return Err(NO_STATUS),
        Ok(httparse::Status::Partial) | Err(_) => return Err(NO_HEAD),
    }
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(NO_STATUS)?;
    let is_old = parsed.version == Some(0);
    fields.clear();
    let mut framing = Framing::default();
    for line in &*parsed.headers {
        let role = role(line.name);
        let judged = match role {
            Role::Hop => continue,
            Role::Coding if is_old => return Err(NO_HEAD),
            Role::Coding => framing.coding(line.value),
            Role::Connection => {
                framing.connection(line.value);
                Ok(())
            }
            Role::Passed | Role::Length => {
                let value = HeaderValue::from_maybe_shared(head.slice_ref(line.value)).map_err(|_| NO_HEAD)?;
                let judged = if role == Role::Length { framing.length(&value) } else { Ok(()) };
                let name = if role == Role::Length { Ok(CONTENT_LENGTH) } else { HeaderName::from_bytes(line.name.as_bytes()) };
                fields.append(name.map_err(|_| NO_HEAD)?, value);
                judged
            }
        };
        judged.map_err(Unsound::reason)?;
    }
    if framing.nominates {
        remove_nominated(parsed.headers, fields);
    }
    let mut answer = Response::new(());
    *answer.status_mut() = status;
    *answer.headers_mut() = std::mem::take(fields);
    Ok(judge(answer, &framing, is_head, is_old))
}

/// Removes what `Connection` names; the length is not its to name.
fn remove_nominated(lines: &[httparse::Header<'_>], fields: &mut HeaderMap) {
    for line in lines.iter().filter(|line| role(line.name) == Role::Connection) {
        for option in line.value.split(|octet| *octet == b',').map(<[u8]>::trim_ascii) {
            if let Ok(name) = HeaderName::from_bytes(option)
                && name != CONTENT_LENGTH
            {
                fields.remove(name);
            }
        }
    }
}

/// Where the body ends, and whether the connection can go on.
fn judge(head: Response<()>, framing: &Framing, is_head: bool, is_old: bool) -> Answer {
    let status = head.status();
    // Bytes after an answer that has no body would be read as the next one.
    let lies = status == StatusCode::NO_CONTENT && (framing.chunked || framing.length.is_some_and(|length| length > 0));
    let bodiless = is_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let body = match framing.length {
        _ if bodiless => Body::Ended,
        _ if framing.chunked => Body::CHUNKS,
        Some(0) => Body::Ended,
        Some(length) => Body::Length(length),
        None => Body::ToTheEnd,
    };
    Answer { head, body, reusable: !lies && !framing.closes && !is_old && body != Body::ToTheEnd }
}
