//! What a request asks for, and its body with another model.
//!
//! The body is read once and borrowed; what changes is spliced into the caller's own bytes.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use cause::Payload;

use crate::json::{Invalid, Member, Members, decode};
use crate::{Call, MAX_DEPTH};

/// Members that are read, so that a second one with the same name is refused.
const WATCHED: [&str; 6] = ["model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "max_output_tokens"];
const MODEL: usize = 0;
const STREAM: usize = 1;
const STREAM_OPTIONS: usize = 2;
const LENGTHS: Range<usize> = 3..6;

/// What the gateway needs to know of a request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRequest<'a> {
    /// The model's name as the caller wrote it, escapes resolved; never empty.
    pub model: Cow<'a, str>,
    /// Whether the answer shall be a stream of events.
    pub stream: bool,
    /// The most tokens that the answer may have, where the caller said so.
    pub max_output_tokens: Option<u64>,
    model_at: Range<usize>,
    usage: Option<Edit<'static>>,
}

/// Why a body is not taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Unreadable {
    /// The body itself is at fault.
    Payload(Payload),
    /// It names no model: `cause::Model::Missing`, once the models that the caller may use are known.
    NoModel,
}

/// Other text for a range of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edit<'a> {
    at: Range<usize>,
    text: Cow<'a, str>,
}

impl ModelRequest<'_> {
    /// Whether [`splice`] asks the provider for usage that the caller did not ask for; the event
    /// with it is then not the caller's.
    #[must_use]
    pub const fn injects_usage(&self) -> bool {
        self.usage.is_some()
    }
}

/// Reads the body of a request for `call`.
///
/// # Errors
/// The body is not one valid JSON object of at most [`MAX_DEPTH`] levels, names no model, or has a
/// watched member twice. Names that differ in case alone count as the same, because some
/// providers read them so: `Model` beside `model` could name a model that nobody admitted.
pub fn read(body: &[u8], call: Call) -> Result<ModelRequest<'_>, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|error| not_json(error.valid_up_to()))?;
    let mut found: [Option<Range<usize>>; WATCHED.len()] = [const { None }; WATCHED.len()];
    let mut named = [false; WATCHED.len()];
    for member in Members::of(text) {
        let Member { key, value } = member.map_err(unreadable)?;
        let Some(index) = WATCHED.iter().position(|name| key.eq_ignore_ascii_case(name)) else { continue };
        if std::mem::replace(&mut named[index], true) {
            return Err(Unreadable::Payload(Payload::DuplicateMember { member: WATCHED[index] }));
        }
        if key == WATCHED[index] {
            found[index] = Some(value);
        }
    }
    let model_at = found[MODEL].clone().ok_or(Unreadable::NoModel)?;
    let model = match text.as_bytes().get(model_at.start) {
        Some(b'"') => decode(text, &model_at).ok_or_else(|| not_json(model_at.start))?,
        _ => return Err(Unreadable::NoModel),
    };
    if model.is_empty() {
        return Err(Unreadable::NoModel);
    }
    let value = |at: &Option<Range<usize>>| at.clone().and_then(|at| text.get(at));
    let stream = value(&found[STREAM]) == Some("true");
    let usage = if stream && has_usage_option(call) { usage_edit(text, found[STREAM_OPTIONS].clone())? } else { None };
    let max_output_tokens = found[LENGTHS].iter().filter_map(|at| value(at)?.parse().ok()).min();
    Ok(ModelRequest { model, stream, max_output_tokens, model_at, usage })
}

/// The body for the provider: its own name for the model, and the wish for usage where
/// [`ModelRequest::injects_usage`]. All other bytes are the caller's; without a change it is the
/// same `Bytes`. `request` must be what [`read`] made of `body`.
#[must_use]
pub fn splice(body: &Bytes, request: &ModelRequest<'_>, upstream_model: &str) -> Bytes {
    let model = (request.model != upstream_model)
        .then(|| Edit { at: request.model_at.clone(), text: Cow::Owned(serde_json::Value::from(upstream_model).to_string()) });
    let mut edits: Vec<&Edit<'_>> = model.iter().chain(&request.usage).collect();
    if edits.is_empty() {
        return body.clone();
    }
    edits.sort_unstable_by_key(|edit| edit.at.start);
    let added: usize = edits.iter().map(|edit| edit.text.len()).sum();
    let mut spliced = BytesMut::with_capacity(body.len() + added);
    let mut done = 0;
    for edit in edits {
        spliced.put_slice(body.get(done..edit.at.start).unwrap_or_default());
        spliced.put_slice(edit.text.as_bytes());
        done = edit.at.end;
    }
    spliced.put_slice(body.get(done..).unwrap_or_default());
    spliced.freeze()
}

const fn has_usage_option(call: Call) -> bool {
    match call {
        Call::ChatCompletions | Call::Completions => true,
        Call::Embeddings | Call::Moderations | Call::Responses => false,
    }
}

/// What makes the body ask for usage. `None` where it does already, or says what no provider
/// understands, which is then the provider's to refuse.
fn usage_edit(text: &str, options: Option<Range<usize>>) -> Result<Option<Edit<'static>>, Unreadable> {
    let edit = |at, text| Some(Edit { at, text: Cow::Borrowed(text) });
    let Some(options) = options else {
        // The object has a member at least, `stream`.
        let end = text.trim_end().len().saturating_sub(1);
        return Ok(edit(end..end, r#","stream_options":{"include_usage":true}"#));
    };
    let inner = text.get(options.clone()).unwrap_or_default();
    if inner == "null" {
        return Ok(edit(options, r#"{"include_usage":true}"#));
    }
    if !inner.starts_with('{') {
        return Ok(None);
    }
    let (mut wish, mut empty) = (None, true);
    for member in Members::of(inner) {
        let Member { key, value } = member.map_err(unreadable)?;
        empty = false;
        if key == "include_usage" && wish.replace(value).is_some() {
            return Err(Unreadable::Payload(Payload::DuplicateMember { member: "stream_options.include_usage" }));
        }
    }
    let behind = options.start + 1;
    Ok(match wish {
        None if empty => edit(behind..behind, r#""include_usage":true"#),
        None => edit(behind..behind, r#""include_usage":true,"#),
        Some(at) => match inner.get(at.clone()) {
            Some("false" | "null") => edit(options.start + at.start..options.start + at.end, "true"),
            _ => None,
        },
    })
}

const fn not_json(offset: usize) -> Unreadable {
    Unreadable::Payload(Payload::NotJson { offset })
}

const fn unreadable(invalid: Invalid) -> Unreadable {
    match invalid {
        Invalid::Syntax { offset } => not_json(offset),
        Invalid::TooDeep => Unreadable::Payload(Payload::TooDeep { limit: MAX_DEPTH }),
    }
}

#[cfg(test)]
mod tests;
