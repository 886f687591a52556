//! What was found: a table for people, one JSON object for scripts.

use std::fmt;

use serde_json::{Value, json};

/// Every figure, in the order of measuring.
#[derive(Debug, Default)]
pub(super) struct Report {
    lines: Vec<Line>,
}

#[derive(Debug)]
enum Line {
    Title(String),
    Figure(Figure),
}

/// One figure, and how large it may be.
#[derive(Debug)]
struct Figure {
    what: String,
    unit: &'static str,
    found: Option<f64>,
    bar: Option<f64>,
    /// What explains it, such as whose requests were answered wrongly.
    note: String,
}

/// Whether a bar is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Pass,
    Miss,
    Informs,
    NotMeasured,
}

impl Report {
    /// What the next figures are about.
    pub(super) fn title(&mut self, title: impl Into<String>) {
        self.lines.push(Line::Title(title.into()));
    }

    /// A figure without a bar.
    pub(super) fn tell(&mut self, what: &str, unit: &'static str, found: Option<f64>) {
        self.lines.push(Line::Figure(Figure { what: what.to_owned(), unit, found, bar: None, note: String::new() }));
    }

    /// A figure that may be at most `bar`.
    pub(super) fn judge(&mut self, what: &str, unit: &'static str, found: Option<f64>, bar: f64) {
        self.lines.push(Line::Figure(Figure { what: what.to_owned(), unit, found, bar: Some(bar), note: String::new() }));
    }

    /// Explains the last figure.
    pub(super) fn note(&mut self, text: String) {
        if let Some(Line::Figure(figure)) = self.lines.last_mut() {
            figure.note = text;
        }
    }

    /// Whether every bar was measured and met.
    pub(super) fn is_good(&self) -> bool {
        self.count(Verdict::Miss) + self.count(Verdict::NotMeasured) == 0
    }

    /// As one JSON object.
    pub(super) fn json(&self) -> String {
        let mut about = "";
        let mut figures = Vec::new();
        for line in &self.lines {
            match line {
                Line::Title(title) => about = title,
                Line::Figure(figure) => {
                    let Figure { what, unit, found, bar, note } = figure;
                    figures.push(json!({"about": about, "what": what, "unit": unit, "found": found, "bar": bar,
                                        "verdict": figure.verdict().word(), "note": note}));
                }
            }
        }
        let report: Value = json!({"isGood": self.is_good(), "figures": figures});
        format!("{report:#}")
    }

    fn count(&self, verdict: Verdict) -> usize {
        let figures = self.lines.iter().filter_map(|line| match line {
            Line::Title(_) => None,
            Line::Figure(figure) => Some(figure),
        });
        figures.filter(|figure| figure.verdict() == verdict).count()
    }
}

impl Figure {
    fn verdict(&self) -> Verdict {
        match (self.found, self.bar) {
            (None, _) => Verdict::NotMeasured,
            (Some(_), None) => Verdict::Informs,
            (Some(found), Some(bar)) if found <= bar => Verdict::Pass,
            (Some(_), Some(_)) => Verdict::Miss,
        }
    }
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Miss => "MISS",
            Self::Informs => "",
            Self::NotMeasured => "NOT MEASURED",
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            match line {
                Line::Title(title) => writeln!(f, "\n{title}")?,
                Line::Figure(figure) => {
                    let Figure { what, unit, found, bar, note } = figure;
                    let found = found.map_or_else(|| "-".to_owned(), |found| number(found, unit));
                    let bar = bar.map_or_else(String::new, |bar| format!("<= {bar}"));
                    let text = format!("  {what:<52} {found:>10} {unit:<4} {bar:>8} {:<5}{note}", figure.verdict().word());
                    writeln!(f, "{}", text.trim_end())?;
                }
            }
        }
        let (pass, miss, not) = (self.count(Verdict::Pass), self.count(Verdict::Miss), self.count(Verdict::NotMeasured));
        writeln!(f, "\n{pass} bars met, {miss} missed, {not} figures not measured")
    }
}

/// Counts are whole.
fn number(value: f64, unit: &str) -> String {
    if unit.is_empty() { format!("{value:.0}") } else { format!("{value:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_met_by_a_figure_alone() {
        let check = |found: Option<f64>, bar: f64, is_good: bool, expected: &str| {
            let mut report = Report::default();
            report.title("A");
            report.tell("beside", "ms", Some(1.0));
            report.judge("b", "", found, bar);
            assert_eq!(report.is_good(), is_good, "{found:?} {bar}");
            let json: Value = serde_json::from_str(&report.json()).unwrap();
            assert_eq!(json["figures"][1]["verdict"], expected);
            assert!(report.to_string().contains(expected));
        };
        check(Some(30.0), 30.0, true, "PASS");
        check(Some(30.1), 30.0, false, "MISS");
        check(None, 30.0, false, "NOT MEASURED");
    }
}
