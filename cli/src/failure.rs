//! How a command ends, and why it could not do what it was asked.

use std::fmt;
use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked, and all is well.
    Fine,
    /// It found something: an error in manifests, a call that is refused.
    Found,
    /// It was called wrongly.
    Usage,
    /// What it should ask does not answer.
    Unreachable,
}

impl Exit {
    /// The number that a script sees.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Found => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command ended early. Names the thing and the place; `next` is what to type now.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    what: String,
    next: String,
    is_forbidden: bool,
}

impl Failure {
    /// It was called wrongly.
    pub(crate) fn usage(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, what: what.into(), next: next.into(), is_forbidden: false }
    }

    /// Something that it looked at is wrong.
    pub(crate) fn found(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { exit: Exit::Found, what: what.into(), next: next.into(), is_forbidden: false }
    }

    /// Whoever called it may not do this.
    pub(crate) fn forbidden(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { is_forbidden: true, ..Self::found(what, next) }
    }

    /// What it should ask does not answer.
    pub(crate) fn unreachable(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { exit: Exit::Unreachable, what: what.into(), next: next.into(), is_forbidden: false }
    }

    /// What went wrong, without what to type.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// Whether a right lacks.
    pub(crate) const fn is_forbidden(&self) -> bool {
        self.is_forbidden
    }

    /// How the command ends.
    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if self.next.is_empty() { Ok(()) } else { write!(f, "\n  next: {}", self.next) }
    }
}
