//! Lines of a file, made safe to show.
//!
//! Hidden are a Secret's values, and in any file what looks like a credential: a report ends up
//! in logs of pipelines, which more people read than the manifests.

use std::sync::LazyLock;

use regex::Regex;
use unicode_width::UnicodeWidthChar as _;

use crate::place::{Source, Span};

/// One line as cells: what is shown for each character, and where the character stands.
pub(super) struct Line {
    cells: Vec<Cell>,
}

struct Cell {
    byte: usize,
    text: String,
    width: usize,
}

/// What stands for text that no output repeats.
const HIDDEN: &str = "(hidden)";
const TAB: &str = "    ";

/// Texts that carry a credential whatever file they stand in; a first group is what to hide,
/// else it is the whole.
const CREDENTIALS: [&str; 8] = [
    r"dw_[a-z0-9]+_[A-Za-z0-9_]{12,}",
    r"\b(?:sk|pk|ghp|gho|xox[bap])[-_][A-Za-z0-9_-]{12,}",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+",
    r"(?i)\b(?:bearer|basic)\s+([A-Za-z0-9+/=._~-]{8,})",
    r"//[^/\s:@]*:([^@\s/]+)@",
    r#"(?i)[\w-]*(?:password|passwd|secret|token|api[-_]?key|credential|authorization)"?\s*[:=]\s+["']?([^\s"'{}\[\],]{8,})"#,
    r#""(?:d|p|q|dp|dq|qi|k)"\s*:\s*"([A-Za-z0-9_=-]{16,})"#,
    r"(?:PRIVATE KEY-----).*",
];

static CREDENTIAL: LazyLock<Vec<Regex>> =
    LazyLock::new(|| CREDENTIALS.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect());

/// How many bytes of a long line are looked at before and behind what is wrong.
const WINDOW: usize = 2048;

/// A line (from 1) of a source, or of a long one what stands around a byte.
pub(super) fn line(source: &Source, number: usize, around: usize) -> Line {
    let whole = source.line_span(number);
    let bytes = source.text();
    let span = Span::new(
        bytes.floor_char_boundary(around.saturating_sub(WINDOW)).max(whole.start),
        bytes.ceil_char_boundary(around + WINDOW).min(whole.end),
    );
    let text = bytes.get(span.start..span.end).unwrap_or_default();
    let mut hidden = hidden(source, number, (span, text));
    if span.start > whole.start {
        // What is cut may be the rest of a credential.
        let end = text.find([' ', '"', '\'', ',']).unwrap_or(text.len());
        hidden.push(Span::new(span.start, span.start + end));
    }
    let mut cells: Vec<Cell> = Vec::new();
    let mut is_hiding = false;
    for (offset, character) in text.char_indices() {
        let byte = span.start + offset;
        if hidden.iter().any(|hidden| (hidden.start..hidden.end).contains(&byte)) {
            let text = if is_hiding { String::new() } else { HIDDEN.to_owned() };
            cells.push(Cell { byte, width: text.len(), text });
            is_hiding = true;
            continue;
        }
        is_hiding = false;
        cells.push(cell(byte, character));
    }
    Line { cells }
}

fn cell(byte: usize, character: char) -> Cell {
    let text = match character {
        '\t' => TAB.to_owned(),
        // Also those that turn the direction of text around.
        _ if character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}') =>
        {
            format!("\\u{{{:x}}}", u32::from(character))
        }
        _ => character.to_string(),
    };
    let width = if text.len() == character.len_utf8() { character.width().unwrap_or(1) } else { text.len() };
    Cell { byte, text, width }
}

fn hidden(source: &Source, number: usize, (span, text): (Span, &str)) -> Vec<Span> {
    let mut hidden: Vec<Span> = source.hidden().iter().filter(|hidden| hidden.overlaps(span)).copied().collect();
    if source.is_guarded(span)
        && let Some(comment) = text.find('#')
    {
        hidden.push(Span::new(span.start + comment, span.end));
    }
    if is_in_private_key(source, number) {
        hidden.push(Span::new(span.start + text.len() - text.trim_start().len(), span.end));
    }
    for pattern in CREDENTIAL.iter() {
        for found in pattern.captures_iter(text) {
            if let Some(found) = found.get(1).or_else(|| found.get(0)) {
                hidden.push(Span::new(span.start + found.start(), span.start + found.end()));
            }
        }
    }
    hidden
}

/// Whether a line stands between the BEGIN and END of a private key.
fn is_in_private_key(source: &Source, number: usize) -> bool {
    /// More lines than a private key has.
    const LONGEST: usize = 200;
    let text = |number| {
        let span = source.line_span(number);
        source.text().get(span.start..span.end).unwrap_or_default()
    };
    for number in (number.saturating_sub(LONGEST).max(1)..=number).rev() {
        let line = text(number);
        if line.len() > WINDOW {
            return false;
        }
        if line.contains("PRIVATE KEY-----") {
            return line.contains("BEGIN");
        }
    }
    false
}

impl Line {
    /// The columns, from 0, that a span of bytes covers; at least one.
    pub(super) fn columns(&self, span: Span) -> (usize, usize) {
        let width = |cells: &mut dyn Iterator<Item = &Cell>| cells.map(|cell| cell.width).sum::<usize>();
        let start = width(&mut self.cells.iter().take_while(|cell| cell.byte < span.start));
        let covered = self.cells.iter().filter(|cell| (span.start..span.end).contains(&cell.byte));
        (start, width(&mut { covered }).max(1))
    }

    /// The line in at most `width` columns, and how many columns were cut off at its start so
    /// that column `wanted` is in it.
    pub(super) fn fit(&self, width: usize, wanted: usize) -> (String, usize) {
        let total: usize = self.cells.iter().map(|cell| cell.width).sum();
        if total <= width {
            return (self.cells.iter().map(|cell| cell.text.as_str()).collect::<String>().trim_end().to_owned(), 0);
        }
        // What is wrong stands a third into what is left of a long line.
        let cut = if wanted < width.saturating_sub(20) { 0 } else { wanted.saturating_sub(width / 3) };
        let mut text = if cut > 0 { "…".to_owned() } else { String::new() };
        let mut column = 0;
        let mut used = text.chars().count();
        for cell in &self.cells {
            if column >= cut {
                if used + cell.width > width.saturating_sub(1) {
                    text.push('…');
                    break;
                }
                text.push_str(&cell.text);
                used += cell.width;
            }
            column += cell.width;
        }
        (text, cut.saturating_sub(usize::from(cut > 0)))
    }
}
