//! What a check found, for people and for scripts.

use std::io;

use cause::Severity;
use manifest::{Finding, Report, Summary};
use serde_json::{Value, json};

use crate::check::summary;
use crate::failure::Exit;
use crate::terminal::colour;

/// What was found.
pub(super) struct Found {
    /// In the manifests.
    pub(super) report: Report,
    /// Objects of the cluster that the manifests would break: which, and why.
    pub(super) broken: Vec<(String, String)>,
    /// Objects that the API server refuses: which, and why.
    pub(super) refused: Vec<(String, String)>,
}

impl Found {
    pub(super) fn exit(&self) -> Exit {
        if self.summary().errors > 0 { Exit::Found } else { Exit::Fine }
    }

    /// The counts; what would break and what is refused are errors too.
    fn summary(&self) -> Summary {
        let summary = self.report.summary();
        Summary { errors: summary.errors + self.broken.len() + self.refused.len(), ..summary }
    }

    /// For scripts.
    pub(super) fn document(&self) -> Value {
        let pairs = |pairs: &[(String, String)]| {
            pairs.iter().map(|(object, message)| json!({"object": object, "message": message})).collect::<Vec<_>>()
        };
        let mut document = self.report.to_json();
        document["summary"]["errors"] = self.summary().errors.into();
        document["wouldBreak"] = pairs(&self.broken).into();
        document["refused"] = pairs(&self.refused).into();
        document
    }

    /// For people; when quiet, errors alone.
    pub(super) fn text(&self, quiet: bool) -> String {
        let errors = |finding: &&Finding| finding.fault.severity == Severity::Error;
        let report = if quiet {
            Report::new(&[], self.report.findings().iter().filter(errors).cloned().collect())
        } else {
            self.report.clone()
        };
        let mut text = report.to_text(colour(&io::stdout()));
        for (what, pairs) in [("would break", &self.broken), ("the API server refuses", &self.refused)] {
            for (object, message) in pairs {
                text.push_str(&format!("error: {what} {object}: {message}\n"));
            }
        }
        if quiet {
            return text;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text + &summary(&self.summary().to_text(), self.exit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_fails_a_check_is_counted_as_an_error() {
        let pair = |object: &str, why: &str| (object.to_owned(), why.to_owned());
        let check = |broken: Vec<(String, String)>, refused: Vec<(String, String)>, errors: usize, exit: Exit| {
            let found = Found { report: Report::new(&[], Vec::new()), broken, refused };
            assert_eq!((found.exit(), &found.document()["summary"]["errors"]), (exit, &errors.into()));
            let counts = format!("{errors} error{}, 0 warnings", if errors == 1 { "" } else { "s" });
            assert!(found.text(false).contains(&counts), "{}", found.text(false));
            found.text(true)
        };
        check(Vec::new(), Vec::new(), 0, Exit::Fine);
        let quiet = check(Vec::new(), vec![pair("ApiRoute shop/orders", "spec.path: Required value")], 1, Exit::Found);
        assert_eq!(quiet, "error: the API server refuses ApiRoute shop/orders: spec.path: Required value\n");
        check(vec![pair("a", "b")], vec![pair("c", "d")], 2, Exit::Found);
    }
}
