//! A YAML document as a tree whose every node and key knows where it stands.
//!
//! Values are what kubectl would send: plain scalars resolve by its rules. Two things are kept
//! that kubectl hides, because they are faults here: a key that stands twice, and the words
//! that only some readers take for booleans.

mod read;
mod scalar;

use std::sync::Arc;

use cause::{FieldPath, Segment};
use serde_json::Number;

pub(crate) use read::{Document, Problem, read};

use crate::place::Span;

/// A value and where it stands. Cloning is cheap: content is shared.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it stands; an alias stands where it is used, its content where it is written.
    pub span: Span,
    /// How many nodes it has, itself included and aliases expanded.
    pub(crate) size: u32,
    /// How many levels of lists and maps it has.
    pub(crate) height: u8,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An unquoted `yes`, `no`, `on`, `off`, `y` or `n`, all in one case or with a capital.
    Ambiguous(Arc<str>),
    /// A number; one without a fraction is an integer, as it is for kubectl.
    Number(Number),
    /// Any other scalar.
    String(Arc<str>),
    /// A list.
    List(Arc<[Node]>),
    /// A map, in the order of the text; a key may stand in it twice.
    Map(Arc<[Entry]>),
}

/// A member of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Arc<str>,
    /// Where the key stands.
    pub key_span: Span,
    /// Whether the key is such a word without quotes.
    pub(crate) key_ambiguous: bool,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The first entry of this key; nothing where this is no map.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| &*entry.key == key)
    }

    /// The value of this key; nothing where this is no map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The text of a string.
    #[must_use]
    pub const fn as_str(&self) -> Option<&Arc<str>> {
        match &self.value {
            Value::String(text) => Some(text),
            Value::Null | Value::Bool(_) | Value::Ambiguous(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The entries of a map; none for anything else.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Null | Value::Bool(_) | Value::Ambiguous(_) | Value::Number(_) | Value::String(_) | Value::List(_) => &[],
        }
    }

    /// The items of a list; none for anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            Value::Null | Value::Bool(_) | Value::Ambiguous(_) | Value::Number(_) | Value::String(_) | Value::Map(_) => &[],
        }
    }

    /// The plain value, as kubectl would send it; the first of two equal keys counts.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Ambiguous(text) => scalar::ambiguous_means(text).into(),
            Value::Number(number) => number.clone().into(),
            Value::String(text) => text.as_ref().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => {
                let mut map = serde_json::Map::new();
                for entry in entries.iter() {
                    map.entry(entry.key.as_ref()).or_insert_with(|| entry.value.to_json());
                }
                map.into()
            }
        }
    }

    /// Where a finding about this node is shown: a scalar where it stands; a list or map at its
    /// key, because it spans many lines.
    pub(crate) fn anchor(&self, key: Option<Span>) -> Span {
        match &self.value {
            Value::Null => key.unwrap_or(self.span),
            Value::Bool(_) | Value::Ambiguous(_) | Value::Number(_) | Value::String(_) => self.span,
            Value::List(_) => key.unwrap_or(self.span),
            Value::Map(entries) => key.or_else(|| entries.first().map(|entry| entry.key_span)).unwrap_or(self.span),
        }
    }

    /// Where to show a finding about the object that this is the root of.
    pub(crate) fn root_anchor(&self) -> Span {
        self.get("kind").map_or_else(|| self.anchor(None), |kind| kind.span)
    }

    /// Where a field stands, or its nearest ancestor that exists; `anchor` is where this node does.
    pub(crate) fn locate(&self, path: &FieldPath, mut anchor: Span) -> Span {
        let mut node = self;
        for segment in &path.0 {
            let found = match segment {
                Segment::Field(name) => node.entry(name).map(|entry| (&entry.value, Some(entry.key_span))),
                Segment::Index(index) => node.items().get(*index).map(|item| (item, None)),
            };
            let Some((next, key)) = found else { break };
            anchor = next.anchor(key);
            node = next;
        }
        anchor
    }

    /// What it is, for a sentence; never its text.
    pub(crate) fn describe(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Ambiguous(_) => "an unquoted word for a boolean",
            Value::Number(number) if number.as_f64().is_some_and(|value| value.fract() != 0.0) => "a number with a fraction",
            Value::Number(number) if number.is_f64() => "a number that is too large",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

#[cfg(test)]
mod tests;
