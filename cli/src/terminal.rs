//! Where text goes: colours only on a terminal, and a reader that leaves early is no error.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};

use manifest::Colour;
use observe::printable::Style;

use crate::failure::Failure;

/// Columns that every screen fits.
pub(crate) const WIDTH: usize = observe::printable::WIDTH;

/// Whether text on this stream may carry colours: it is a terminal that shows them, and `NO_COLOR` is not set.
fn is_coloured(stream: &impl IsTerminal) -> bool {
    may_colour(stream.is_terminal(), std::env::var_os("NO_COLOR"), std::env::var_os("TERM"))
}

fn may_colour(terminal: bool, no_color: Option<OsString>, term: Option<OsString>) -> bool {
    terminal && no_color.is_none_or(|value| value.is_empty()) && term.is_none_or(|value| value != "dumb")
}

/// For findings on this stream.
pub(crate) fn colour(stream: &impl IsTerminal) -> Colour {
    if is_coloured(stream) { Colour::Always } else { Colour::Never }
}

/// For reports of calls on this stream.
pub(crate) fn style(stream: &impl IsTerminal) -> Style {
    if is_coloured(stream) { Style::Coloured } else { Style::Plain }
}

/// Writes to standard output.
///
/// # Errors
/// It cannot be written to. A reader that has gone wants no more, so that is none.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::found(format!("standard output cannot be written: {error}"), ""))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a JSON document to standard output, for people too.
///
/// # Errors
/// As [`print`].
pub(crate) fn print_json(document: &serde_json::Value) -> Result<(), Failure> {
    print(&format!("{document:#}\n"))
}

/// Writes to standard error; there is nobody to tell when that fails.
pub(crate) fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let check = |terminal, no_color: Option<&str>, term: Option<&str>, expected| {
            assert_eq!(may_colour(terminal, no_color.map(Into::into), term.map(Into::into)), expected);
        };
        check(true, None, Some("xterm"), true);
        check(true, None, None, true);
        check(true, Some(""), Some("xterm"), true);
        check(true, Some("1"), Some("xterm"), false);
        check(true, None, Some("dumb"), false);
        check(false, None, Some("xterm"), false);
    }
}
