//! Where in a file: spans of bytes, and the lines and columns that people read.

use std::sync::Arc;

/// A range of bytes in a file's text; `end` is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// A span from its two ends.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end: if end < start { start } else { end } }
    }

    /// Whether the two share a byte.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// A span with the line and column of its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The bytes.
    pub span: Span,
}

/// The text of one file, with what is needed to show parts of it safely.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    name: Arc<str>,
    text: String,
    /// The first byte of each line.
    lines: Vec<usize>,
    /// Whether a character is a byte: columns of long lines then cost nothing.
    is_ascii: bool,
    /// What no output may repeat: a Secret's values.
    hidden: Vec<Span>,
    /// Documents that hold a Secret: their comments are hidden too.
    guarded: Vec<Span>,
}

impl Source {
    /// A source from the file's name as the user wrote it, and its text without a byte order mark.
    pub(crate) fn new(name: &str, text: String) -> Self {
        let lines = line_starts(&text);
        let is_ascii = text.is_ascii();
        Self { name: name.into(), text, lines, is_ascii, hidden: Vec::new(), guarded: Vec::new() }
    }

    /// The file's name, as the user wrote it.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The text; **holds Secrets' values**, so print it only through [`crate::report`].
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn hide(&mut self, spans: Vec<Span>) {
        self.hidden.extend(spans);
        self.hidden.sort_unstable();
    }

    pub(crate) fn guard(&mut self, span: Span) {
        self.guarded.push(span);
    }

    pub(crate) fn hidden(&self) -> &[Span] {
        &self.hidden
    }

    pub(crate) fn is_guarded(&self, span: Span) -> bool {
        self.guarded.iter().any(|guarded| guarded.overlaps(span))
    }

    /// The bytes of a line (from 1) without its break.
    pub(crate) fn line_span(&self, line: usize) -> Span {
        let start = line.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or(self.text.len());
        let end = self.lines.get(line).copied().unwrap_or(self.text.len());
        let text = self.text.get(start..end).unwrap_or_default();
        Span::new(start, start + text.trim_end_matches(['\n', '\r']).len())
    }

    /// The place of a span.
    #[must_use]
    pub fn place(&self, span: Span) -> Place {
        let line = self.lines.partition_point(|start| *start <= span.start).max(1);
        let from = self.lines.get(line - 1).copied().unwrap_or(0);
        let column = match self.text.get(from..span.start) {
            Some(before) if self.is_ascii => before.len() + 1,
            Some(before) => before.chars().count() + 1,
            None => 1,
        };
        Place { line, column, span }
    }
}

/// The first byte of each line, where `\n`, `\r\n` and a lone `\r` end one, as in YAML.
pub(crate) fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    for (index, byte) in bytes.iter().enumerate() {
        let ends = match byte {
            b'\n' => true,
            b'\r' => bytes.get(index + 1) != Some(&b'\n'),
            _ => false,
        };
        if ends {
            starts.push(index + 1);
        }
    }
    starts
}
