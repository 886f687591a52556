//! Server-sent events (HTML standard, section "Server-sent events"), cut off a stream one by one.
//!
//! The bytes of an event stay as they came: lines may end in CR, LF or CRLF, a byte order mark may
//! come first, and chunks may end anywhere. An event that lies whole in one chunk is not copied.

use std::borrow::Cow;
use std::fmt;

use bytes::{Bytes, BytesMut};

/// Bytes that one event may have.
pub const EVENT_LIMIT: usize = 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An event is larger than [`EVENT_LIMIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// Bytes that one event may have.
    pub limit: usize,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event of the stream has more than {} bytes", self.limit)
    }
}

impl std::error::Error for TooLarge {}

/// One event with the blank line that ends it, or a blank line alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The bytes as they came.
    pub raw: Bytes,
    first: bool,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields<'a> {
    /// The last `event` field.
    pub name: Option<&'a [u8]>,
    /// The `data` fields, joined by LF; `None` without any.
    pub data: Option<Cow<'a, [u8]>>,
}

impl Event {
    /// Reads the fields; borrows unless there is more than one `data`.
    #[must_use]
    pub fn fields(&self) -> Fields<'_> {
        let mut rest: &[u8] = &self.raw;
        if self.first {
            rest = rest.strip_prefix(BYTE_ORDER_MARK).unwrap_or(rest);
        }
        let mut fields = Fields { name: None, data: None };
        while !rest.is_empty() {
            let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let (line, behind) = rest.split_at(end);
            rest = behind.get(1..).unwrap_or_default();
            let (field, value) =
                memchr::memchr(b':', line).map_or((line, &line[line.len()..]), |colon| (&line[..colon], &line[colon + 1..]));
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match field {
                b"event" => fields.name = Some(value),
                b"data" => match &mut fields.data {
                    None => fields.data = Some(Cow::Borrowed(value)),
                    Some(data) => {
                        let data = data.to_mut();
                        data.push(b'\n');
                        data.extend_from_slice(value);
                    }
                },
                _ => {}
            }
        }
        fields
    }
}

/// Cuts a stream into events.
#[derive(Debug)]
pub struct Splitter {
    limit: usize,
    boundary: Boundary,
    /// The beginning of an event whose end has not come.
    begun: BytesMut,
    first: bool,
}

impl Splitter {
    /// A splitter that is at the beginning of a stream. `limit` is the bytes that one event may have.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, boundary: Boundary { line_empty: true, after_cr: false }, begun: BytesMut::new(), first: true }
    }

    /// Takes the next event off the front of `chunk`. `None` takes the whole chunk: its event goes
    /// on in the next one.
    ///
    /// # Errors
    /// The event is larger than the limit; nothing more can be read from this stream.
    pub fn take(&mut self, chunk: &mut Bytes) -> Result<Option<Event>, TooLarge> {
        let end = self.boundary.after_event(chunk);
        if self.begun.len() + end.unwrap_or(chunk.len()) > self.limit {
            return Err(TooLarge { limit: self.limit });
        }
        let Some(end) = end else {
            self.begun.extend_from_slice(chunk);
            chunk.clear();
            return Ok(None);
        };
        let tail = chunk.split_to(end);
        let raw = if self.begun.is_empty() {
            tail
        } else {
            self.begun.extend_from_slice(&tail);
            self.begun.split().freeze()
        };
        Ok(Some(Event { raw, first: std::mem::replace(&mut self.first, false) }))
    }

    /// Whether an event has begun whose end has not come.
    #[must_use]
    pub fn is_within(&self) -> bool {
        !self.begun.is_empty()
    }

    /// What the stream's end left without a blank line.
    #[must_use]
    pub fn remainder(&mut self) -> Event {
        Event { raw: self.begun.split().freeze(), first: std::mem::replace(&mut self.first, false) }
    }
}

/// Finds the ends of events, whatever the line ends are and wherever the text is cut.
#[derive(Debug)]
struct Boundary {
    /// Nothing of the current line has come.
    line_empty: bool,
    /// The last byte was a CR, so that a LF belongs to it.
    after_cr: bool,
}

impl Boundary {
    /// The place behind the blank line that ends the current event.
    ///
    /// A CR at the end of `bytes` ends its line at once, for the event must not wait for what comes
    /// next; a LF that comes then is the first byte of the next event.
    fn after_event(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            if std::mem::take(&mut self.after_cr) {
                match bytes.get(at) {
                    Some(b'\n') => at += 1,
                    Some(_) => {}
                    None => {
                        self.after_cr = true;
                        return None;
                    }
                }
            }
            let rest = &bytes[at..];
            let Some(end) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.line_empty &= rest.is_empty();
                return None;
            };
            let blank = self.line_empty && end == 0;
            self.line_empty = true;
            self.after_cr = rest[end] == b'\r';
            at += end + 1;
            if blank {
                if self.after_cr && bytes.get(at) == Some(&b'\n') {
                    self.after_cr = false;
                    at += 1;
                }
                return Some(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]], limit: usize) -> Result<(Vec<Event>, Event), TooLarge> {
        let mut splitter = Splitter::new(limit);
        let mut events = Vec::new();
        for chunk in chunks {
            let mut chunk = Bytes::copy_from_slice(chunk);
            while let Some(event) = splitter.take(&mut chunk)? {
                events.push(event);
            }
            assert!(chunk.is_empty());
        }
        Ok((events, splitter.remainder()))
    }

    /// What is said, in order: (name, data) of each event that says something.
    fn said(events: &[Event]) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        events
            .iter()
            .map(Event::fields)
            .filter(|fields| fields.data.is_some() || fields.name.is_some())
            .map(|fields| (text(fields.name.unwrap_or_default()), text(&fields.data.unwrap_or_default())))
            .collect()
    }

    /// Cuts `stream` at every two offsets; the meaning and the bytes stay.
    fn check(stream: &str, want: &[(&str, &str)], rest: &str) {
        let want: Vec<_> = want.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect();
        let bytes = stream.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let (events, remainder) = split(&[&bytes[..first], &bytes[first..second], &bytes[second..]], 1024).unwrap();
                assert_eq!(said(&events), want, "{stream:?} at {first}, {second}");
                let joined: Vec<u8> = events.iter().flat_map(|event| event.raw.to_vec()).chain(remainder.raw.to_vec()).collect();
                assert_eq!(joined, bytes, "{stream:?} at {first}, {second}");
                assert_eq!(
                    String::from_utf8_lossy(&remainder.raw).trim_start_matches('\n'),
                    rest,
                    "{stream:?} at {first}, {second}"
                );
            }
        }
    }

    #[test]
    fn events_are_found_wherever_chunks_end() {
        check("", &[], "");
        check("data: a\n\ndata: b\n\n", &[("", "a"), ("", "b")], "");
        check("data: a\r\n\r\ndata: b\r\n\r\n", &[("", "a"), ("", "b")], "");
        check("data: a\r\rdata: b\r\r", &[("", "a"), ("", "b")], "");
        check("data: a\n\r\ndata: b\r\n\n", &[("", "a"), ("", "b")], "");
        check("data:a\ndata: b\ndata\ndata:  c\n\n", &[("", "a\nb\n\n c")], "");
        check("\u{feff}data: a\n\n\u{feff}data: b\n\n", &[("", "a")], "");
        check(": busy\n\nevent: x\n: no\nid: 1\ndata: {\"a\": 1}\n\n", &[("x", "{\"a\": 1}")], "");
        check("event\ndata\n\n", &[("", "")], "");
        check("\n\n\ndata: a\n\n\n\ndata: b\n\n", &[("", "a"), ("", "b")], "");
        check("data: a\n\ndata: b", &[("", "a")], "data: b");
        check("data: a\n\ndata: b\n", &[("", "a")], "data: b\n");
        check("data: é\u{2028}\n\n", &[("", "é\u{2028}")], "");
    }

    #[test]
    fn an_event_is_out_with_its_blank_line() {
        for (chunk, events) in
            [(&b"data: a\n\n"[..], 1), (b"data: a\r\r", 1), (b"data: a\r\n\r", 1), (b"data: a\r\n\r\n", 1), (b"data: a\r\n", 0)]
        {
            assert_eq!(split(&[chunk], 100).unwrap().0.len(), events, "{chunk:?}");
        }
    }

    #[test]
    fn an_event_in_one_chunk_is_not_copied() {
        let whole = Bytes::from_static(b"data: a\n\ndata: b\n\nda");
        let (mut chunk, mut splitter) = (whole.clone(), Splitter::new(100));
        for begin in [0, 9] {
            let event = splitter.take(&mut chunk).unwrap().unwrap();
            assert_eq!(event.raw.as_ptr(), whole[begin..].as_ptr());
            assert!(matches!(event.fields().data, Some(Cow::Borrowed(_))));
        }
        assert_eq!(splitter.take(&mut chunk), Ok(None));
        assert!(splitter.is_within());
    }

    #[test]
    fn an_event_has_a_bound_however_it_is_cut() {
        let stream = b"data: ok\n\ndata: 0123456789\n\n";
        for cut in 0..stream.len() {
            let chunks = [&stream[..cut], &stream[cut..]];
            assert!(split(&chunks, 18).is_ok(), "{cut}");
            assert_eq!(split(&chunks, 17), Err(TooLarge { limit: 17 }), "{cut}");
        }
        let endless: Vec<&[u8]> = std::iter::repeat_n(&b"data: x\n"[..], 1000).collect();
        assert_eq!(split(&endless, 4096), Err(TooLarge { limit: 4096 }));
    }
}
