//! A report on a screen of 100 columns.

use std::borrow::Cow;

use jiff::Timestamp;
use unicode_width::UnicodeWidthStr;

use super::{CheckReport, Line, Report, State, Verdict};
use crate::printable::{Style, Tone, WIDTH, cut, span, wrapped};

/// Where the evidence begins: two blanks, the step, its state.
const INDENT: usize = 23;

impl Report {
    /// The report for people. `now` is the reader's time.
    #[must_use]
    pub fn text(&self, style: Style, now: Timestamp) -> String {
        let mut text = self.headline(style);
        text.push('\n');
        if let Some(decision) = &self.decision {
            let ago = u64::try_from(now.as_second() - self.at.as_second()).unwrap_or(0);
            let line = format!("decision {decision}, {} ago, by generation {}", span(ago), self.generation);
            text.push_str(&style.paint(Tone::Quiet, &line));
            text.push('\n');
        }
        text.push('\n');
        for check in &self.checks {
            print_check(&mut text, check, self.object.as_deref(), style);
        }
        if let Some(fix) = &self.fix {
            let lead = format!("Fix ({}): ", fix.by.as_str());
            text.push('\n');
            let place = fix.at.as_ref().map(|at| at.shown(None)).unwrap_or_default();
            for (index, line) in with_place(&fix.text, &place, WIDTH - 2 - lead.len(), style).iter().enumerate() {
                let lead: Cow<'_, str> =
                    if index == 0 { style.paint(Tone::Strong, &lead) } else { " ".repeat(lead.len()).into() };
                push_line(&mut text, &format!("  {lead}{line}"));
            }
            push_line(&mut text, &format!("  {}{}", " ".repeat(lead.len()), fix.docs));
        }
        text
    }

    fn headline(&self, style: Style) -> String {
        let (tone, verdict) = match (self.verdict, self.decision.is_some()) {
            (Verdict::Allowed, true) => (Tone::Good, "was allowed"),
            (Verdict::Allowed, false) => (Tone::Good, "would be allowed"),
            (Verdict::Refused, true) => (Tone::Bad, "was refused"),
            (Verdict::Refused, false) => (Tone::Bad, "would be refused"),
        };
        let status = self.status.map(|status| format!(": {status}")).unwrap_or_default();
        let code = self.code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
        let room = WIDTH.saturating_sub(verdict.len() + status.len() + code.len() + 1);
        format!("{} {}{status}{code}", cut(&self.request, room), style.paint(tone, verdict))
    }
}

/// `near` is the object of the route, which is not named again.
fn print_check(text: &mut String, report: &CheckReport, near: Option<&str>, style: Style) {
    let (tone, word) = match report.state {
        State::Ok => (Tone::Good, "ok"),
        State::Refused => (Tone::Bad, "refused"),
        State::Shadow => (Tone::Notable, "shadow"),
        State::NotReached => (Tone::Quiet, "-"),
    };
    let state = style.paint(tone, word);
    let lead = format!("  {:<12}{state}{}", report.check.as_str(), " ".repeat(9 - word.len()));
    let unreached = [Line::from("not reached")];
    let lines = if report.state == State::NotReached && report.lines.is_empty() { &unreached[..] } else { &report.lines };
    let mut shown = lines.iter().flat_map(|line| {
        let place = line.at.as_ref().map(|at| at.shown(near)).unwrap_or_default();
        // An object as a whole is named by the line itself: where it stands is worth no line of its own.
        let is_whole = line.at.as_ref().is_some_and(|at| at.field.is_empty());
        let fits = line.text.width() + 2 + place.width() <= WIDTH - INDENT;
        with_place(&line.text, if is_whole && !fits { "" } else { &place }, WIDTH - INDENT, style)
    });
    push_line(text, &format!("{lead}{}", shown.next().unwrap_or_default()));
    for line in shown {
        push_line(text, &format!("{}{line}", " ".repeat(INDENT)));
    }
}

/// A text in lines of at most `columns`, with its place at the right end: of its last line where there is room for it.
fn with_place(text: &str, place: &str, columns: usize, style: Style) -> Vec<String> {
    let mut lines = wrapped(text, columns);
    if place.is_empty() {
        return lines;
    }
    let place = cut(place, columns);
    let used = lines.last().map_or(0, |line| line.width());
    let free = columns.saturating_sub(place.width());
    if used + 2 > free {
        lines.push(String::new());
    }
    if let Some(line) = lines.last_mut() {
        let gap = free.saturating_sub(line.width());
        line.push_str(&" ".repeat(gap));
        line.push_str(&style.paint(Tone::Quiet, &place));
    }
    lines
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}
