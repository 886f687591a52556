//! Why an entry of the menu stopped.

use std::fmt;
use std::process::ExitCode;

/// What went wrong, for the person at the terminal: the thing, and what to type next where that is known.
#[derive(Debug)]
pub struct Failure {
    text: String,
    code: u8,
}

impl Failure {
    /// Something was found wrong, or could not be done: exit code 1.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: 1 }
    }

    /// Typed wrongly: exit code 2.
    #[must_use]
    pub fn usage(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: 2 }
    }

    /// The exit code that goes with it.
    #[must_use]
    pub fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.trim_end())
    }
}
