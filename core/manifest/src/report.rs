//! Findings as text for people, and as JSON and SARIF for scripts.
//!
//! Every text fits 100 columns and says what to write instead. No form repeats a Secret's value,
//! a private key or a credential: snippets go through [`shown`], and messages carry none.

mod machine;
mod shown;
mod text;

use std::sync::Arc;

use cause::Severity;

use crate::document::{File, Finding};

/// Findings of some files, in the order in which they are told.
#[derive(Clone, Debug)]
pub struct Report {
    findings: Vec<Finding>,
    manifests: usize,
    files: usize,
}

/// How many findings of each severity, in how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Findings of severity Error.
    pub errors: usize,
    /// Findings of severity Warning.
    pub warnings: usize,
    /// Findings of severity Notice.
    pub notices: usize,
    /// Manifests, those of other kinds included.
    pub objects: usize,
    /// Files.
    pub files: usize,
}

/// Whether text carries colours, as a terminal shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    #[default]
    Never,
    /// ANSI sequences.
    Always,
}

impl Report {
    /// A report of the files' own findings and of those that were found later.
    #[must_use]
    pub fn new(files: &[File], later: Vec<Finding>) -> Self {
        let mut findings: Vec<Finding> = files.iter().flat_map(|file| file.findings.iter().cloned()).chain(later).collect();
        findings.sort_by(|left, right| (left.file(), left.place).cmp(&(right.file(), right.place)));
        let same = |left: &mut Finding, right: &mut Finding| {
            left.fault == right.fault && left.file() == right.file() && left.place == right.place
        };
        findings.dedup_by(same);
        Self { findings, manifests: files.iter().map(|file| file.manifests).sum(), files: files.len() }
    }

    /// The findings, by file and line.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Says what each finding does to traffic, where `effect` knows.
    #[must_use]
    pub fn with_effects(mut self, effect: impl Fn(&Finding) -> Option<String>) -> Self {
        for finding in &mut self.findings {
            if finding.effect.is_none() {
                finding.effect = effect(finding).map(Arc::from);
            }
        }
        self
    }

    /// The counts.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let count = |severity| self.findings.iter().filter(|finding| finding.fault.severity == severity).count();
        Summary {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notices: count(Severity::Notice),
            objects: self.manifests,
            files: self.files,
        }
    }

    /// All findings with their snippets, without the summary line.
    #[must_use]
    pub fn to_text(&self, colour: Colour) -> String {
        let texts = self.findings.iter().map(|finding| text::render(finding, colour));
        texts.collect::<Vec<_>>().join("\n")
    }

    /// One object: `summary` and `faults`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        machine::json(self)
    }

    /// A SARIF 2.1.0 log. `docs` is the base address of the pages of causes, without a slash at
    /// its end; `version` is the tool's.
    #[must_use]
    pub fn to_sarif(&self, docs: &str, version: &str) -> serde_json::Value {
        machine::sarif(self, docs, version)
    }
}

impl Summary {
    /// `1 error, 0 warnings in 4 objects (2 files)`.
    #[must_use]
    pub fn to_text(&self) -> String {
        let count = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        let notices = if self.notices == 0 { String::new() } else { format!(", {}", count(self.notices, "notice")) };
        format!(
            "{}, {}{notices} in {} ({})",
            count(self.errors, "error"),
            count(self.warnings, "warning"),
            count(self.objects, "object"),
            count(self.files, "file"),
        )
    }
}

#[cfg(test)]
mod tests;
