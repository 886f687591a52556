//! Tables as kubectl prints them, with colours where a screen has them.

use observe::printable::{Style, Tone, escaped};

/// One cell: a text, and what it means where that is worth a colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    tone: Option<Tone>,
}

impl Cell {
    /// A cell that means nothing by itself. An empty text is `-`.
    pub(super) fn plain(text: &str) -> Self {
        Self { text: if text.is_empty() { "-".to_owned() } else { escaped(text).into_owned() }, tone: None }
    }

    pub(super) fn toned(text: &str, tone: Tone) -> Self {
        Self { tone: Some(tone), ..Self::plain(text) }
    }

    /// `True` is good, `False` bad, everything else worth a look.
    pub(super) fn status(status: &str) -> Self {
        let tone = match status {
            "True" => Tone::Good,
            "False" => Tone::Bad,
            _ => Tone::Notable,
        };
        Self::toned(if status.is_empty() { "Unknown" } else { status }, tone)
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// Rows below a head, each column as wide as its widest cell.
pub(super) fn table(head: &[&str], rows: &[Vec<Cell>], style: Style) -> String {
    let head: Vec<Cell> = head.iter().map(|text| Cell::toned(text, Tone::Strong)).collect();
    let mut widths: Vec<usize> = head.iter().map(Cell::width).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let last = row.len().saturating_sub(1);
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            match cell.tone {
                Some(tone) => text.push_str(&style.paint(tone, &cell.text)),
                None => text.push_str(&cell.text),
            }
            if at < last {
                text.push_str(&" ".repeat(width - cell.width() + 3));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_their_colours() {
        let rows = vec![
            vec![Cell::plain("orders"), Cell::status("True"), Cell::plain("")],
            vec![Cell::plain("a\u{7}"), Cell::status(""), Cell::plain("x")],
        ];
        let expected = "NAME     READY     REASON\norders   True      -\na\\u{7}   Unknown   x\n";
        assert_eq!(table(&["NAME", "READY", "REASON"], &rows, Style::Plain), expected);
        let coloured = table(&["NAME", "READY", "REASON"], &rows, Style::Coloured);
        assert!(coloured.contains("\u{1b}[32mTrue\u{1b}[0m") && coloured.contains("\u{1b}[33mUnknown\u{1b}[0m"), "{coloured:?}");
        let plain =
            coloured.replace("\u{1b}[32m", "").replace("\u{1b}[33m", "").replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
        assert_eq!(plain, expected);
    }
}
