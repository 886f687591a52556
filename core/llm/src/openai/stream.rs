//! A streamed answer on its way to the caller.
//!
//! Events pass as they came, each as soon as its last byte is here. On the way the relay reads what
//! the call cost, takes off the usage that only the gateway asked for, and knows whether the answer
//! has come to its end: providers' clients take a cut stream for a complete one, so somebody must.

use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use cause::{Check, CredentialReport, View};
use memchr::memmem::Finder;

use super::error::{chat_event, responses_event};
use super::response::read_usage;
use crate::json::{Member, Members, decode};
use crate::sse::{EVENT_LIMIT, Event, Splitter, TooLarge};
use crate::usage::Seen;
use crate::{Call, Usage};

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"error\""));
static DELTA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"delta\""));
static TEXT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"text\""));

/// Strings of a delta that are no text of the model's.
const LABELS: [&[u8]; 3] = [b"role", b"id", b"type"];

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With its end marker.
    Complete,
    /// The provider's last event is an error, which the caller has.
    Failed,
    /// Without an end: the caller must be told, by [`Relay::error_event`].
    Cut,
}

/// Passes one streamed answer on.
///
/// [`Relay::push`] a chunk, [`Relay::take`] until there is nothing to take, then push the next;
/// [`Relay::finish`] when the provider has ended the stream.
#[derive(Debug)]
pub struct Relay {
    call: Call,
    drops_usage: bool,
    request_bytes: u64,
    splitter: Splitter,
    chunk: Bytes,
    failed: Option<TooLarge>,
    usage: Option<Usage>,
    seen: Seen,
    events: u64,
    ended: Option<Ended>,
}

impl Relay {
    /// A relay for the answer of `call`. `usage_injected` tells whether the gateway alone asked for
    /// usage, `request_bytes` is the length of the request's body.
    #[must_use]
    pub fn new(call: Call, usage_injected: bool, request_bytes: u64) -> Self {
        Self {
            call,
            drops_usage: usage_injected,
            request_bytes,
            splitter: Splitter::new(EVENT_LIMIT),
            chunk: Bytes::new(),
            failed: None,
            usage: None,
            seen: Seen::default(),
            events: 0,
            ended: None,
        }
    }

    /// The next chunk of the provider's stream.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            let mut joined = BytesMut::from(&*self.chunk);
            joined.extend_from_slice(&chunk);
            self.chunk = joined.freeze();
        }
    }

    /// The next bytes for the caller: one whole event or several that lie side by side. `None` when
    /// the next chunk must come first.
    ///
    /// # Errors
    /// An event is larger than [`EVENT_LIMIT`]: the stream cannot go on.
    pub fn take(&mut self) -> Result<Option<Bytes>, TooLarge> {
        let mut run = self.chunk.clone();
        let mut length = 0;
        while self.failed.is_none() && !self.chunk.is_empty() {
            let joined = self.splitter.is_within();
            match self.splitter.take(&mut self.chunk) {
                Ok(Some(event)) => {
                    let mine = self.watch(&event);
                    match (mine, joined) {
                        // It began in an earlier chunk, so it lies beside nothing.
                        (true, true) => return Ok(Some(event.raw)),
                        (true, false) => length += event.raw.len(),
                        (false, _) if length > 0 => break,
                        (false, _) => run = self.chunk.clone(),
                    }
                }
                Ok(None) => break,
                Err(too_large) => self.failed = Some(too_large),
            }
        }
        run.truncate(length);
        match self.failed {
            _ if length > 0 => Ok(Some(run)),
            Some(too_large) => Err(too_large),
            None => Ok(None),
        }
    }

    /// The provider has ended the stream: the last bytes for the caller, and how it ended.
    ///
    /// Half an event is dropped, so that an event of ours can follow.
    pub fn finish(&mut self) -> (Bytes, Ended) {
        let rest = self.splitter.remainder();
        if self.ended.is_none() {
            let fields = rest.fields();
            let data = fields.data.as_deref().unwrap_or_default();
            if is_end_marker(data) {
                self.ended = Some(Ended::Complete);
            } else {
                self.usage = Found::read(data).usage.or(self.usage);
            }
        }
        match self.ended {
            Some(Ended::Complete) => (rest.raw, Ended::Complete),
            Some(ended) => (Bytes::new(), ended),
            None => (Bytes::new(), Ended::Cut),
        }
    }

    /// What the call has cost so far: the provider's numbers, or an estimate where it sent none.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage.unwrap_or_else(|| Usage::estimate(self.request_bytes, self.seen))
    }

    /// The event that tells the caller why the stream ends here. No end marker follows it.
    #[must_use]
    pub fn error_event(&self, view: &View, decision: &str, credentials: &[CredentialReport], check: Check) -> Bytes {
        match self.call {
            Call::Responses => responses_event(view, decision, credentials, check, self.events),
            Call::ChatCompletions | Call::Completions | Call::Embeddings | Call::Moderations => {
                chat_event(view, decision, credentials, check)
            }
        }
    }

    /// Learns from an event; whether it is the caller's.
    fn watch(&mut self, event: &Event) -> bool {
        // What some providers send behind the end is theirs alone to explain.
        if self.ended == Some(Ended::Complete) {
            return true;
        }
        let fields = event.fields();
        let Some(data) = fields.data.as_deref() else { return true };
        if is_end_marker(data) {
            self.ended = Some(Ended::Complete);
            return true;
        }
        self.events += 1;
        self.count_text(data);
        let responses = self.call == Call::Responses;
        let mut found = Found::default();
        if has_value(data, &USAGE) || has_value(data, &ERROR) || (responses && fields.name.is_none()) {
            found = Found::read(data);
        }
        self.usage = found.usage.or(self.usage);
        if found.error || fields.name == Some(b"error") {
            self.ended = Some(Ended::Failed);
        }
        if responses {
            match fields.name.or(found.kind.as_deref().map(str::as_bytes)) {
                Some(b"response.completed" | b"response.incomplete") => self.ended = Some(Ended::Complete),
                Some(b"response.failed" | b"error") => self.ended = Some(Ended::Failed),
                _ => {}
            }
        }
        !(self.drops_usage && found.usage.is_some() && found.no_choices)
    }

    fn count_text(&mut self, data: &[u8]) {
        let finder = match self.call {
            Call::Completions => &TEXT,
            Call::ChatCompletions | Call::Responses | Call::Embeddings | Call::Moderations => &DELTA,
        };
        let text: usize = values(data, finder).map(|value| text_in(data, value)).sum();
        if text > 0 {
            self.seen.deltas += 1;
            self.seen.text_bytes += text as u64;
        }
    }
}

/// What an event's JSON says that a relay must know.
#[derive(Debug, Default)]
struct Found<'a> {
    usage: Option<Usage>,
    /// It has `choices`, and none are in them.
    no_choices: bool,
    error: bool,
    kind: Option<std::borrow::Cow<'a, str>>,
}

impl<'a> Found<'a> {
    /// Nothing is found in what is not one JSON object.
    fn read(data: &'a [u8]) -> Self {
        let mut found = Self::default();
        let Ok(text) = std::str::from_utf8(data) else { return found };
        for member in Members::of(text) {
            let Ok(Member { key, value }) = member else { return Self::default() };
            let bytes = &data[value.clone()];
            match &*key {
                "usage" => found.usage = read_usage(bytes).or(found.usage),
                // The Responses API states it there.
                "response" => {
                    let inner = Members::of(&text[value]).filter_map(Result::ok).filter(|member| member.key == "usage");
                    found.usage = inner.filter_map(|member| read_usage(&bytes[member.value])).last().or(found.usage);
                }
                "choices" => found.no_choices = bytes.iter().all(|byte| b"[] \t\r\n".contains(byte)),
                "error" => found.error = bytes != b"null",
                "type" => found.kind = decode(text, &value),
                _ => {}
            }
        }
        found
    }
}

fn is_end_marker(data: &[u8]) -> bool {
    data.trim_ascii_start().starts_with(b"[DONE]")
}

/// Whether a member of the name that `finder` looks for may have a value other than null: cheap, and
/// wrong only in that it looks at every level.
fn has_value(data: &[u8], finder: &Finder<'_>) -> bool {
    values(data, finder).any(|value| !data[value..].starts_with(b"null"))
}

/// Where the values of members of that name begin, at any level. A name within a string does not
/// count, for its quotes are escaped there.
fn values(data: &[u8], finder: &Finder<'_>) -> impl Iterator<Item = usize> {
    let length = finder.needle().len();
    let behind_space = |from: usize| data[from..].iter().position(|byte| !byte.is_ascii_whitespace()).map(|skip| from + skip);
    finder.find_iter(data).filter_map(move |at| {
        let colon = behind_space(at + length).filter(|colon| data[*colon] == b':')?;
        behind_space(colon + 1)
    })
}

/// Bytes of text in the value at `begin`.
fn text_in(data: &[u8], begin: usize) -> usize {
    let (mut at, mut depth, mut total, mut key) = (begin, 0_usize, 0, &data[..0]);
    while let Some(byte) = data.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => break,
            b'}' | b']' => depth -= 1,
            b'"' => {
                let string = &data[at..string_end(data, at)];
                at += string.len() + 1;
                if data.get(at..).unwrap_or_default().trim_ascii_start().starts_with(b":") {
                    key = string;
                } else if !LABELS.contains(&key) {
                    total += string.len();
                }
            }
            _ => {}
        }
        if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
            break;
        }
    }
    total
}

/// The place of the quote that ends the string which begins at `at`, or the end of `data`.
fn string_end(data: &[u8], mut at: usize) -> usize {
    while let Some(found) = memchr::memchr2(b'"', b'\\', &data[at..]) {
        at += found;
        if data[at] == b'"' {
            return at;
        }
        at = (at + 2).min(data.len());
    }
    data.len()
}

#[cfg(test)]
mod tests;
