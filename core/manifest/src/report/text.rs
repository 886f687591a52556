//! One finding for people.

use cause::Severity;
use unicode_width::UnicodeWidthStr as _;

use super::{Colour, shown};
use crate::document::Finding;
use crate::place::{Place, Source, Span};

/// The most columns of a line.
const WIDTH: usize = 100;

#[derive(Clone, Copy)]
enum Paint {
    Severity(Severity),
    Frame,
    Strong,
}

fn painted(text: &str, paint: Paint, colour: Colour) -> String {
    let code = match paint {
        Paint::Severity(Severity::Error) => "1;31",
        Paint::Severity(Severity::Warning) => "1;33",
        Paint::Severity(Severity::Notice) => "1;36",
        Paint::Frame => "1;34",
        Paint::Strong => "1",
    };
    match colour {
        Colour::Always if !text.is_empty() => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        Colour::Always | Colour::Never => text.to_owned(),
    }
}

/// The whole text of a finding, each line ended.
pub(super) fn render(finding: &Finding, colour: Colour) -> String {
    let fault = &finding.fault;
    let severity = match fault.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    };
    let label = format!("{severity}[{}]", fault.code());
    let message = wrapped(&format!("{label}: {}", escaped(&fault.message())), 0);
    let mut lines: Vec<String> = message
        .into_iter()
        .map(|line| match line.strip_prefix(&label) {
            Some(rest) => painted(&label, Paint::Severity(fault.severity), colour) + &painted(rest, Paint::Strong, colour),
            None => painted(&line, Paint::Strong, colour),
        })
        .collect();
    match finding.place {
        Some(place) => lines.extend(snippet(finding, place, colour)),
        None => {
            lines.push(painted("  --> ", Paint::Frame, colour) + &escaped(finding.file()));
            lines.extend(notes(finding, 2, colour, &fault.remedy()));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

fn snippet(finding: &Finding, place: Place, colour: Colour) -> Vec<String> {
    let source = &*finding.source;
    let margin = place.line.to_string().len().max(2);
    let bar = |text: &str| painted(&format!("{text:>margin$} |"), Paint::Frame, colour);
    let mut lines = location(finding, place, (margin, colour));
    lines.push(bar(""));
    let room = WIDTH - margin - 3;
    let line = shown::line(source, place.line, place.span.start);
    let end = place.span.end.clamp(place.span.start, source.line_span(place.line).end.max(place.span.start));
    let (start, width) = line.columns(Span::new(place.span.start, end));
    let (text, cut) = line.fit(room, start);
    if let Some(before) = context(source, place.line) {
        let (text, _) = shown::line(source, before, source.line_span(before).start).fit(room, 0);
        lines.push(format!("{} {text}", bar(&before.to_string())));
    }
    lines.push(format!("{} {text}", bar(&place.line.to_string())));
    let start = start.saturating_sub(cut);
    let width = width.min(room.saturating_sub(start)).max(1);
    let remedy = escaped(&finding.fault.remedy());
    let fits = start + width + 1 + remedy.width() <= room;
    let label = if fits { remedy.as_str() } else { "" };
    let carets = painted(format!("{} {label}", "^".repeat(width)).trim_end(), Paint::Severity(finding.fault.severity), colour);
    lines.push(format!("{} {}{carets}", bar(""), " ".repeat(start)));
    let notes = notes(finding, margin, colour, if fits { "" } else { &remedy });
    if !notes.is_empty() {
        lines.push(bar(""));
        lines.extend(notes);
    }
    lines
}

/// `--> file:line:col   Kind ns/name   field`, on more lines where one is too short.
fn location(finding: &Finding, place: Place, (margin, colour): (usize, Colour)) -> Vec<String> {
    let mut parts = vec![format!("{}:{}:{}", escaped(finding.file()), place.line, place.column)];
    parts.extend(finding.fault.object.as_ref().map(|object| escaped(&object.to_string())));
    let field = escaped(&finding.fault.field.to_string());
    if !field.is_empty() {
        parts.push(field);
    }
    let arrow = painted(&format!("{:margin$}--> ", ""), Paint::Frame, colour);
    let one = parts.join("   ");
    if margin + 4 + one.width() <= WIDTH {
        return vec![arrow + &one];
    }
    let indent = " ".repeat(margin + 4);
    let lines = parts
        .iter()
        .enumerate()
        .map(|(index, part)| if index == 0 { format!("{arrow}{part}") } else { format!("{indent}{part}") });
    lines.collect()
}

/// The line before, where it says something: it shows what the faulty line belongs to.
fn context(source: &Source, line: usize) -> Option<usize> {
    let before = line.checked_sub(1).filter(|before| *before > 0)?;
    let span = source.line_span(before);
    let text = source.text().get(span.start..span.end).unwrap_or_default().trim();
    (!text.is_empty() && text != "---" && !text.starts_with('#')).then_some(before)
}

fn notes(finding: &Finding, margin: usize, colour: Colour, remedy: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let effect = finding.effect.as_deref().unwrap_or_default();
    for (name, text) in [("remedy", remedy), ("effect", effect)] {
        if text.is_empty() {
            continue;
        }
        let sign = format!("{:margin$} = ", "");
        let wrapped = wrapped(&format!("{name}: {}", escaped(text)), margin + 3);
        for (index, line) in wrapped.into_iter().enumerate() {
            let start = if index == 0 { painted(&sign, Paint::Frame, colour) } else { " ".repeat(margin + 5) };
            lines.push(start + &line);
        }
    }
    lines
}

/// Words in lines that fit behind `indent` columns and the two of a line that continues another.
fn wrapped(text: &str, indent: usize) -> Vec<String> {
    let room = WIDTH - indent - 2;
    let mut lines: Vec<String> = Vec::new();
    let mut current = String::new();
    for word in text.split(' ') {
        let mut word = word.to_owned();
        if !current.is_empty() && current.width() + 1 + word.width() > room {
            lines.push(std::mem::take(&mut current));
        }
        while word.width() > room {
            let cut = word.char_indices().nth(room / 2).map_or(word.len(), |(index, _)| index);
            let rest = word.split_off(cut);
            lines.push(std::mem::replace(&mut word, rest));
        }
        if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(&word);
    }
    lines.push(current);
    lines
}

/// A manifest's names and messages may not steer a terminal.
fn escaped(text: &str) -> String {
    let is_harmless = |character: char| {
        !character.is_control()
            && !matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().fold(String::with_capacity(text.len()), |mut shown, character| {
        match character {
            '\n' | '\t' => shown.push(' '),
            _ if is_harmless(character) => shown.push(character),
            _ => shown.extend(character.escape_unicode()),
        }
        shown
    })
}
