//! From text to trees, one document at a time.
//!
//! The file is cut at its `---` lines first, as kubectl does, so that a syntax error hides only
//! the rest of its own document.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::{Entry, Node, Value, scalar};
use crate::place::{Span, line_starts};

/// The most bytes of a file.
pub(crate) const MAX_BYTES: usize = 16 << 20;
/// The most levels of lists and maps.
pub(crate) const MAX_LEVELS: usize = 64;
/// The most nodes that the aliases of one file stand for.
const MAX_ALIASED: u32 = 100_000;
/// The most nodes of one file, aliases expanded.
const MAX_NODES: u32 = 2_000_000;

/// Why the rest of a document was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where reading stopped.
    pub(crate) span: Span,
    /// Why.
    pub(crate) reason: Arc<str>,
}

/// One document, and the part of the file that it fills.
#[derive(Debug)]
pub(crate) struct Document {
    /// From its `---` to the next.
    pub(crate) span: Span,
    /// Its tree.
    pub(crate) content: Result<Node, Problem>,
}

/// Reads all documents of a text; empty ones are left out.
pub(crate) fn read(text: &str) -> Vec<Document> {
    if let Some(problem) = unreadable(text) {
        return vec![Document { span: Span::new(0, text.len()), content: Err(problem) }];
    }
    let mut budget = Budget { aliased: MAX_ALIASED, nodes: MAX_NODES };
    let mut documents = Vec::new();
    for span in chunks(text) {
        read_chunk(text, span, &mut budget, &mut documents);
    }
    documents
}

fn unreadable(text: &str) -> Option<Problem> {
    if text.len() > MAX_BYTES {
        return Some(Problem { span: Span::new(0, 0), reason: "the file is larger than 16 MiB".into() });
    }
    let is_control = |character: char| matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{fffe}' | '\u{ffff}');
    let (start, character) = text.char_indices().find(|(_, character)| is_control(*character))?;
    let reason = format!("the control character U+{:04X} is not allowed", u32::from(character));
    Some(Problem { span: Span::new(start, start + character.len_utf8()), reason: reason.into() })
}

/// Cuts a text at the lines that begin a document. A directive (`%YAML`) stays with what follows.
fn chunks(text: &str) -> Vec<Span> {
    let mut chunks = Vec::new();
    let mut start = 0;
    let mut has_content = false;
    let mut lines = line_starts(text);
    lines.push(text.len());
    for pair in lines.windows(2) {
        let &[from, to] = pair else { continue };
        let line = text.get(from..to).unwrap_or_default();
        let begins = line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r']));
        if begins && has_content {
            chunks.push(Span::new(start, from));
            start = from;
        }
        has_content |= begins || !(line.trim().is_empty() || line.starts_with(['%', '#']));
    }
    chunks.push(Span::new(start, text.len()));
    chunks
}

struct Budget {
    aliased: u32,
    nodes: u32,
}

fn read_chunk(text: &str, span: Span, budget: &mut Budget, documents: &mut Vec<Document>) {
    let chunk = text.get(span.start..span.end).unwrap_or_default();
    let offsets = Offsets::new(chunk, span.start);
    let mut parser = Parser::new_from_str(chunk);
    let mut builder = Builder::new(budget);
    loop {
        let (event, marks) = match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => return,
            Some(Ok(event)) => event,
            Some(Err(error)) => {
                let at = offsets.byte(*error.marker());
                documents.push(Document { span, content: Err(explain(error.info(), text, at)) });
                return;
            }
        };
        let place = Span::new(offsets.byte(marks.start), offsets.byte(marks.end));
        match builder.take(event, place) {
            Ok(None) => {}
            Ok(Some(root)) => {
                if !matches!(root.value, Value::Null) {
                    documents.push(Document { span, content: Ok(root) });
                }
            }
            Err(reason) => {
                documents.push(Document { span, content: Err(Problem { span: place, reason: reason.into() }) });
                return;
            }
        }
    }
}

/// A tab is the one cause that the scanner's own words and mark hide.
fn explain(info: &str, text: &str, at: usize) -> Problem {
    let rest = text.get(at..).unwrap_or_default();
    let line = at - text.get(..at).unwrap_or_default().rsplit(['\n', '\r']).next().unwrap_or_default().len();
    let lines = std::iter::once(line).chain(line_starts(rest).into_iter().skip(1).map(|start| at + start));
    let mut tab = lines.filter_map(|start| {
        let indent = text.get(start..)?.find(|character| character != ' ')?;
        text.get(start + indent..)?.starts_with('\t').then_some(start + indent)
    });
    match if info.contains("tab") { tab.next() } else { None } {
        Some(tab) => Problem { span: Span::new(tab, tab + 1), reason: "a tab cannot indent; use spaces".into() },
        None => Problem { span: Span::new(at, at), reason: info.into() },
    }
}

/// Turns the scanner's lines and columns into bytes. Marks come nearly in order, so the last
/// one is remembered: a long line is not walked again for each of its marks.
struct Offsets<'a> {
    text: &'a str,
    base: usize,
    lines: Vec<usize>,
    last: Cell<(usize, usize, usize)>,
}

impl<'a> Offsets<'a> {
    fn new(text: &'a str, base: usize) -> Self {
        Self { text, base, lines: line_starts(text), last: Cell::new((0, 0, 0)) }
    }

    fn byte(&self, mark: Marker) -> usize {
        let (line, column) = (mark.line(), mark.col());
        let Some(start) = line.checked_sub(1).and_then(|index| self.lines.get(index)).copied() else {
            return self.base + if line == 0 { 0 } else { self.text.len() };
        };
        let (last_line, last_column, last_byte) = self.last.get();
        let (from, skipped) = if last_line == line && last_column <= column { (last_byte, last_column) } else { (start, 0) };
        let rest = self.text.get(from..).unwrap_or_default();
        let byte = rest.char_indices().nth(column - skipped).map_or(self.text.len(), |(index, _)| from + index);
        self.last.set((line, column, byte));
        self.base + byte
    }
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<Key>, merges: Vec<Node> },
}

struct Key {
    text: Arc<str>,
    span: Span,
    is_ambiguous: bool,
    is_merge: bool,
}

struct Frame {
    content: Content,
    start: usize,
    anchor: usize,
    size: u32,
    height: u8,
}

struct Builder<'a> {
    budget: &'a mut Budget,
    frames: Vec<Frame>,
    anchors: BTreeMap<usize, Node>,
}

/// What a finished node is: its value and, for merge keys, whether it was a plain scalar.
struct Finished {
    node: Node,
    is_plain: bool,
}

impl<'a> Builder<'a> {
    const fn new(budget: &'a mut Budget) -> Self {
        Self { budget, frames: Vec::new(), anchors: BTreeMap::new() }
    }

    /// Takes one event; gives the root of a document that it completes.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<Option<Node>, &'static str> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => Ok(None),
            Event::SequenceStart(anchor, _) => self.open(Content::List(Vec::new()), span.start, anchor),
            Event::MappingStart(anchor, _) => {
                self.open(Content::Map { entries: Vec::new(), key: None, merges: Vec::new() }, span.start, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => {
                let mut node = self.anchors.get(&anchor).cloned().ok_or("an alias stands inside what it names")?;
                node.span = span;
                self.budget.aliased = self
                    .budget
                    .aliased
                    .checked_sub(node.size)
                    .ok_or("the aliases of this file stand for more than 100000 nodes")?;
                self.attach(Finished { node, is_plain: false })
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain;
                let value = scalar_value(&text, is_plain, tag.as_deref());
                // An empty value is told as `~` at a place that holds something else.
                let span =
                    if is_plain && text == "~" && span.start == span.end { Span::new(span.start, span.start) } else { span };
                let node = Node { value, span, size: 1, height: 0 };
                self.remember(anchor, &node);
                self.attach(Finished { node, is_plain })
            }
        }
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    fn open(&mut self, content: Content, start: usize, anchor: usize) -> Result<Option<Node>, &'static str> {
        if self.frames.len() >= MAX_LEVELS {
            return Err("more than 64 levels of lists and maps");
        }
        self.frames.push(Frame { content, start, anchor, size: 1, height: 1 });
        Ok(None)
    }

    fn close(&mut self, end: Span) -> Result<Option<Node>, &'static str> {
        let Some(frame) = self.frames.pop() else { return Ok(None) };
        let value = match frame.content {
            Content::List(items) => Value::List(items.into()),
            Content::Map { entries, merges, .. } => Value::Map(merged(entries, &merges)?.into()),
        };
        let node = Node { value, span: Span::new(frame.start, end.end), size: frame.size, height: frame.height };
        self.remember(frame.anchor, &node);
        self.attach(Finished { node, is_plain: false })
    }

    fn attach(&mut self, finished: Finished) -> Result<Option<Node>, &'static str> {
        let Finished { node, is_plain } = finished;
        self.budget.nodes = self.budget.nodes.checked_sub(1).ok_or("more than 2000000 values in one file")?;
        let Some(frame) = self.frames.last_mut() else { return Ok(Some(node)) };
        frame.size = frame.size.saturating_add(node.size);
        frame.height = frame.height.max(node.height.saturating_add(1));
        if usize::from(frame.height) > MAX_LEVELS {
            return Err("more than 64 levels of lists and maps");
        }
        match &mut frame.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, key, merges } => match key.take() {
                None => *key = Some(to_key(&node, is_plain)?),
                Some(key) if key.is_merge => merges.push(node),
                Some(key) => {
                    entries.push(Entry { key: key.text, key_span: key.span, key_ambiguous: key.is_ambiguous, value: node })
                }
            },
        }
        Ok(None)
    }
}

fn scalar_value(text: &str, is_plain: bool, tag: Option<&Tag>) -> Value {
    let tag = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
    match tag {
        Some("str") => Value::String(text.into()),
        Some("int" | "float" | "bool" | "null") => scalar::resolve(text),
        Some(_) | None if is_plain => scalar::resolve(text),
        Some(_) | None => Value::String(text.into()),
    }
}

fn to_key(node: &Node, is_plain: bool) -> Result<Key, &'static str> {
    let (text, is_ambiguous): (Arc<str>, bool) = match &node.value {
        Value::String(text) => (Arc::clone(text), false),
        Value::Ambiguous(text) => (Arc::clone(text), true),
        Value::Bool(value) => (value.to_string().into(), false),
        Value::Number(number) => (number.to_string().into(), false),
        Value::Null => return Err("a key is missing before `:`"),
        Value::List(_) | Value::Map(_) => return Err("a key must be text"),
    };
    let is_merge = is_plain && &*text == "<<";
    Ok(Key { text, span: node.span, is_ambiguous, is_merge })
}

/// The entries with those of `<<` behind them; a key of the map itself counts, then the first.
fn merged(mut entries: Vec<Entry>, merges: &[Node]) -> Result<Vec<Entry>, &'static str> {
    if merges.is_empty() {
        return Ok(entries);
    }
    let mut known: BTreeSet<Arc<str>> = entries.iter().map(|entry| Arc::clone(&entry.key)).collect();
    let mut sources = Vec::new();
    for merge in merges {
        match &merge.value {
            Value::Map(_) => sources.push(merge),
            Value::List(items) => sources.extend(items.iter()),
            Value::Null | Value::Bool(_) | Value::Ambiguous(_) | Value::Number(_) | Value::String(_) => {
                return Err("`<<` takes a map or a list of maps");
            }
        }
    }
    for source in sources {
        let Value::Map(more) = &source.value else { return Err("`<<` takes a map or a list of maps") };
        for entry in more.iter() {
            if known.insert(Arc::clone(&entry.key)) {
                entries.push(entry.clone());
            }
        }
    }
    Ok(entries)
}
