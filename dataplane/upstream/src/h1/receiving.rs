//! What comes from an upstream: bytes, and the bodies in them (RFC 9112 sections 6 and 7).

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Frame, SizeHint};
use tokio::io::AsyncReadExt as _;

use crate::framing::FIELD_LIMIT;
use crate::stream::Transport;

/// Bytes that have come and are not used yet.
#[derive(Default)]
pub(super) struct Input {
    pub(super) bytes: BytesMut,
    /// Bytes of an unfinished head that hold no end of it.
    pub(super) searched: usize,
    /// How much is read at once: more while reads are full.
    step: Step,
    received: bool,
}

struct Step(usize);

impl Default for Step {
    fn default() -> Self {
        Self(LEAST)
    }
}

/// Bytes that are read at once, at least and at most.
const LEAST: usize = 8 * 1024;
const MOST: usize = 256 * 1024;

/// Bytes of memory that an unused connection may hold for the next answer.
const KEPT: usize = 2 * LEAST;

impl Input {
    /// Forgets that anything came.
    pub(super) const fn begin(&mut self) {
        self.received = false;
    }

    /// Whether anything came since.
    pub(super) const fn received(&self) -> bool {
        self.received
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Reads what is there; 0 at the end.
    pub(super) fn poll_read(&mut self, io: &mut Transport, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.bytes.reserve(self.step.0);
        let room = self.bytes.capacity() - self.bytes.len();
        let read = pin!(Pin::new(io).get_mut().read_buf(&mut self.bytes)).poll(cx);
        if let Poll::Ready(Ok(count)) = read {
            self.received |= count > 0;
            if count == room {
                self.step.0 = (self.step.0 * 2).min(MOST);
            } else if count < self.step.0 / 4 {
                self.step.0 = (self.step.0 / 2).max(LEAST);
            }
        }
        read
    }

    /// Gives back memory that an unused connection need not hold.
    pub(super) fn rest(&mut self) {
        if self.bytes.capacity() > KEPT {
            self.bytes = BytesMut::new();
        }
    }
}

/// What is left of an answer's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing.
    Ended,
    /// That many bytes, at least one.
    Length(u64),
    /// Chunks; how many bytes of chunk extensions there were.
    Chunked(At, usize),
    /// All that comes before the connection ends.
    ToTheEnd,
}

/// A place in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Before a size.
    Size,
    /// Before that many bytes of a chunk, at least one.
    Data(u64),
    /// Behind a chunk.
    DataEnd,
    /// Behind the last chunk.
    Trailers,
}

/// What was found.
pub(super) enum Decoded {
    /// A part of the body.
    Part(Frame<Bytes>),
    /// The end.
    End,
    /// Nothing yet.
    More,
}

/// The framing is not valid.
#[derive(Debug)]
pub(super) struct Malformed;

/// Bytes of chunk extensions in one body, and of its trailers.
const EXTRA_LIMIT: usize = 16 * 1024;

impl Body {
    /// The body of chunks, before its first.
    pub(super) const CHUNKS: Self = Self::Chunked(At::Size, 0);

    /// The whole body, where its length is known and all of it is here; it has then ended.
    pub(super) fn whole(&mut self, input: &mut Input) -> Option<Bytes> {
        let Self::Length(bytes) = *self else { return None };
        let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes <= input.bytes.len())?;
        *self = Self::Ended;
        Some(input.bytes.split_to(bytes).freeze())
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Ended => SizeHint::with_exact(0),
            Self::Length(bytes) => SizeHint::with_exact(*bytes),
            Self::Chunked(..) | Self::ToTheEnd => SizeHint::default(),
        }
    }

    /// Takes the next part from what is here.
    pub(super) fn decode(&mut self, input: &mut Input) -> Result<Decoded, Malformed> {
        let bytes = &mut input.bytes;
        match self {
            Self::Ended => Ok(Decoded::End),
            Self::ToTheEnd if bytes.is_empty() => Ok(Decoded::More),
            Self::ToTheEnd => Ok(Decoded::Part(Frame::data(bytes.split().freeze()))),
            Self::Length(rest) => {
                let Some(data) = part(bytes, *rest) else { return Ok(Decoded::More) };
                *self = match *rest - data.len() as u64 {
                    0 => Self::Ended,
                    rest => Self::Length(rest),
                };
                Ok(Decoded::Part(Frame::data(data)))
            }
            Self::Chunked(at, extensions) => {
                let decoded = decode_chunks(at, extensions, bytes)?;
                if matches!(&decoded, Decoded::End) || matches!(&decoded, Decoded::Part(frame) if frame.is_trailers()) {
                    *self = Self::Ended;
                }
                Ok(decoded)
            }
        }
    }
}

/// The next of `rest` bytes, if any is here.
fn part(bytes: &mut BytesMut, rest: u64) -> Option<Bytes> {
    let length = usize::try_from(rest).map_or(bytes.len(), |rest| rest.min(bytes.len()));
    (length > 0).then(|| bytes.split_to(length).freeze())
}

fn decode_chunks(at: &mut At, extensions: &mut usize, bytes: &mut BytesMut) -> Result<Decoded, Malformed> {
    loop {
        match *at {
            At::Size => {
                let Some(end) = memchr::memchr(b'\n', bytes.get(..EXTRA_LIMIT.min(bytes.len())).unwrap_or_default()) else {
                    return if bytes.len() < EXTRA_LIMIT { Ok(Decoded::More) } else { Err(Malformed) };
                };
                let (size, extra) = chunk_size(bytes.get(..end).unwrap_or_default())?;
                *extensions += extra;
                if *extensions > EXTRA_LIMIT {
                    return Err(Malformed);
                }
                bytes.advance(end + 1);
                *at = if size == 0 { At::Trailers } else { At::Data(size) };
            }
            At::Data(rest) => {
                let Some(data) = part(bytes, rest) else { return Ok(Decoded::More) };
                *at = match rest - data.len() as u64 {
                    0 => At::DataEnd,
                    rest => At::Data(rest),
                };
                return Ok(Decoded::Part(Frame::data(data)));
            }
            At::DataEnd => match &**bytes {
                [b'\r', b'\n', ..] => {
                    bytes.advance(2);
                    *at = At::Size;
                }
                [] | [b'\r'] => return Ok(Decoded::More),
                [..] => return Err(Malformed),
            },
            At::Trailers => return trailers(bytes),
        }
    }
}

/// The size of a chunk and the bytes of its extensions, from its line without the line feed.
fn chunk_size(line: &[u8]) -> Result<(u64, usize), Malformed> {
    let line = line.strip_suffix(b"\r").ok_or(Malformed)?;
    let digits = line.iter().take_while(|octet| octet.is_ascii_hexdigit()).count();
    let (number, extra) = line.split_at_checked(digits).ok_or(Malformed)?;
    let extension = extra.trim_ascii_start();
    let is_extension = extension.first().is_none_or(|first| *first == b';');
    if digits == 0 || digits > 16 || !is_extension || extra.iter().any(|octet| octet.is_ascii_control() && *octet != b'\t') {
        return Err(Malformed);
    }
    let size = number.iter().try_fold(0_u64, |size, octet| {
        let digit = char::from(*octet).to_digit(16)?;
        size.checked_mul(16)?.checked_add(u64::from(digit))
    });
    Ok((size.ok_or(Malformed)?, extra.len()))
}

/// What stands behind the last chunk: mostly an empty line.
fn trailers(bytes: &mut BytesMut) -> Result<Decoded, Malformed> {
    if let [b'\r', b'\n', ..] = &**bytes {
        bytes.advance(2);
        return Ok(Decoded::End);
    }
    let mut fields = [httparse::EMPTY_HEADER; FIELD_LIMIT];
    let (length, map) = match httparse::parse_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete((length, fields))) => {
            let field = |field: &httparse::Header<'_>| {
                let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Malformed)?;
                Ok((name, HeaderValue::from_bytes(field.value).map_err(|_| Malformed)?))
            };
            let mut map = HeaderMap::new();
            for named in fields.iter().map(field) {
                let (name, value) = named?;
                map.append(name, value);
            }
            (length, map)
        }
        Ok(httparse::Status::Partial) if bytes.len() < EXTRA_LIMIT => return Ok(Decoded::More),
        Ok(httparse::Status::Partial) | Err(_) => return Err(Malformed),
    };
    bytes.advance(length);
    Ok(if map.is_empty() { Decoded::End } else { Decoded::Part(Frame::trailers(map)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data and the number of trailers of a chunked body that arrives in parts of `step` bytes; `None` while
    /// its end is missing.
    fn read(text: &str, step: usize) -> Result<Option<(String, usize)>, Malformed> {
        let (mut input, mut body) = (Input::default(), Body::CHUNKS);
        let (mut data, mut trailers) = (String::new(), 0);
        for part in text.as_bytes().chunks(step) {
            input.bytes.extend_from_slice(part);
            loop {
                match body.decode(&mut input)? {
                    Decoded::More => break,
                    Decoded::End => return Ok(Some((data, trailers))),
                    Decoded::Part(frame) => match frame.into_data() {
                        Ok(part) => data.push_str(std::str::from_utf8(&part).unwrap()),
                        Err(frame) => trailers = frame.into_trailers().unwrap().len(),
                    },
                }
            }
        }
        Ok(None)
    }

    #[test]
    fn chunks_are_read_however_they_arrive() {
        let check = |text: &str, expected: Option<(&str, usize)>| {
            for step in [1, 2, 3, 7, text.len()] {
                let found = read(text, step).ok().flatten();
                let found = found.as_ref().map(|(data, trailers)| (data.as_str(), *trailers));
                assert_eq!(found, expected, "{text:?} by {step}");
            }
        };
        check("2\r\nok\r\n0\r\n\r\n", Some(("ok", 0)));
        check("2;a=b\r\nok\r\nA \t;x=\"y\"\r\n0123456789\r\n000\r\n\r\n", Some(("ok0123456789", 0)));
        check("0\r\nX-T: 1\r\nX-U: 2\r\n\r\n", Some(("", 2)));
        for text in [
            "2\r\nok\r\n",
            "zz\r\nok\r\n0\r\n\r\n",
            "\r\n",
            "2\nok\r\n0\r\n\r\n",
            "2\r\nokay\r\n0\r\n\r\n",
            "2 3\r\nok\r\n0\r\n\r\n",
            "+2\r\nok\r\n0\r\n\r\n",
            "0x2\r\nok\r\n0\r\n\r\n",
            "10000000000000000\r\nok",
            "2;\u{0}\r\nok\r\n0\r\n\r\n",
            "0\r\nno colon\r\n\r\n",
            "2;a\rb\r\nok\r\n0\r\n\r\n",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let long = |count: usize| format!("1;{}\r\nx\r\n", "e".repeat(1000)).repeat(count) + "0\r\n\r\n";
        assert!(read(&long(16), 4096).is_ok_and(|found| found.is_some()));
        assert!(read(&long(17), 4096).is_err());
        assert!(read(&format!("1;{}", "e".repeat(20_000)), 4096).is_err());
        assert!(read(&format!("0\r\nX: {}", "t".repeat(20_000)), 4096).is_err());
        assert!(read(&("0\r\n".to_owned() + &"X: 1\r\n".repeat(101) + "\r\n"), 4096).is_err());
    }
}
