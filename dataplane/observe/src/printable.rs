//! Text on a terminal: nothing in it acts, and it fits.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that any screen has.
pub const WIDTH: usize = 100;

/// Whether a character does something to a terminal, or to a reader of lines, beyond being shown.
#[must_use]
pub const fn is_active(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// The text with its active characters escaped.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_active) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_active(character) {
            // Writing into a String cannot fail.
            let _ = write!(shown, "{}", character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// The text in at most `columns`, cut with `...`.
#[must_use]
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if text.width() <= columns {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    let mut used = 3;
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > columns {
            break;
        }
        shown.push(character);
    }
    shown.push_str("...");
    Cow::Owned(shown)
}

/// The text in lines of at most `columns`, broken at blanks where there are any.
#[must_use]
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let joined = usize::from(!line.is_empty());
        if line.width() + joined + word.width() <= columns {
            if joined == 1 {
                line.push(' ');
            }
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for character in word.chars() {
            if line.width() + character.width().unwrap_or(0) > columns {
                lines.push(std::mem::take(&mut line));
            }
            line.push(character);
        }
    }
    lines.push(line);
    lines
}

/// A span of time for people: its two largest units at most.
#[must_use]
pub fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// A count for people: `1,204`, `1.9 M`.
#[must_use]
pub fn count(count: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", count / unit, count % unit * 10 / unit);
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{},{:03}", count / 1000, count % 1000),
        1_000_000..1_000_000_000 => format!("{} M", tenths(1_000_000)),
        1_000_000_000.. => format!("{} G", tenths(1_000_000_000)),
    }
}

/// Whether a screen is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text alone.
    Plain,
    /// With the colours of ECMA-48.
    Coloured,
}

/// What a word means, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Worth a look.
    Notable,
    /// Beside the point.
    Quiet,
    /// A headline.
    Strong,
}

impl Style {
    /// The text in the colour of its meaning.
    #[must_use]
    pub fn paint(self, tone: Tone, text: &str) -> Cow<'_, str> {
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Notable => "33",
            Tone::Quiet => "2",
            Tone::Strong => "1",
        };
        match self {
            Self::Plain => Cow::Borrowed(text),
            Self::Coloured => Cow::Owned(format!("\u{1b}[{code}m{text}\u{1b}[0m")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_characters_are_escaped() {
        assert_eq!(escaped("a b"), "a b");
        assert_eq!(escaped("a\u{1b}[31m\r\n\u{9b}"), "a\\u{1b}[31m\\u{d}\\u{a}\\u{9b}");
    }

    #[test]
    fn lines_fit() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrapped("世界 世界", 5), ["世界", "世界"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abc...");
    }

    #[test]
    fn numbers_read() {
        fn check(seconds: u64, expected: &str) {
            assert_eq!(span(seconds), expected);
        }
        check(7, "7 s");
        check(61, "1 min");
        check(3600, "1 h");
        check(11_520, "3 h 12 min");
        check(90_000, "1 d 1 h");
        check(172_800, "2 d");
        assert_eq!([count(999), count(1204), count(1_900_000), count(2_340_000_000)], ["999", "1,204", "1.9 M", "2.3 G"]);
    }
}
