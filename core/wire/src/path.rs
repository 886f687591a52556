//! The one form of a path that matching, rules, the log and the upstream see.
//!
//! Dot segments are removed, unreserved octets decoded, empty segments collapsed, hexadecimal
//! digits upper case, octets that a path may not hold escaped. What parsers read differently is
//! refused: encoded separators, control characters, path parameters on dot segments, bytes that
//! are not UTF-8. A slash at the end is kept, it is significant.

use std::borrow::Cow;
use std::str;

use cause::Framing;

use crate::octets;

/// The normal form of the path of a target, without its query. Borrows where it is normal already.
///
/// Idempotent. The result is at most three times as long as the path.
///
/// # Errors
/// [`Framing::Path`] if the path does not begin with a slash or has no single meaning.
pub fn normalize(path: &str) -> Result<Cow<'_, str>, Framing> {
    if is_normal(path.as_bytes()) { Ok(Cow::Borrowed(path)) } else { rewrite(path.as_bytes()).map(Cow::Owned) }
}

/// Whether the path is surely in its normal form. Escapes are left to [`rewrite`].
fn is_normal(path: &[u8]) -> bool {
    if path.first() != Some(&b'/') {
        return false;
    }
    let mut before = 0;
    for octet in path {
        // A segment that is empty or begins with a dot, a parameter behind a dot: looked at closely.
        let is_suspect = (before == b'/' && matches!(octet, b'/' | b'.')) || (before == b'.' && *octet == b';');
        if is_suspect || !(octets::is_pchar(*octet) || *octet == b'/') {
            return false;
        }
        before = *octet;
    }
    true
}

fn rewrite(path: &[u8]) -> Result<String, Framing> {
    let segments = path.strip_prefix(b"/").ok_or(Framing::Path)?;
    let mut normal = String::with_capacity(path.len() + 16);
    let mut ends_in_slash = false;
    for segment in segments.split(|octet| *octet == b'/') {
        let start = normal.len();
        normal.push('/');
        push_segment(&mut normal, segment)?;
        let written = &normal[start + 1..];
        if is_dot_with_parameter(written) {
            return Err(Framing::Path);
        }
        ends_in_slash = matches!(written, "" | "." | "..");
        if ends_in_slash {
            let is_parent = written == "..";
            normal.truncate(start);
            if is_parent {
                normal.truncate(normal.rfind('/').unwrap_or(0));
            }
        }
    }
    if ends_in_slash {
        normal.push('/');
    }
    Ok(normal)
}

/// `..;x` is the parent to servers that cut parameters off and a name to others; `.;x` likewise.
fn is_dot_with_parameter(segment: &str) -> bool {
    ["..;", "..%3B"].iter().any(|trick| segment.contains(trick)) || [".;", ".%3B"].iter().any(|trick| segment.starts_with(trick))
}

fn push_segment(normal: &mut String, segment: &[u8]) -> Result<(), Framing> {
    let mut rest = segment;
    while let [octet, behind @ ..] = rest {
        rest = behind;
        match *octet {
            b'%' => rest = push_escape(normal, rest)?,
            plain if octets::is_pchar(plain) => normal.push(char::from(plain)),
            b'\\' | b'?' | b'#' | b' ' => return Err(Framing::Path),
            other if other.is_ascii_graphic() => push_escaped(normal, other),
            _ => return Err(Framing::Path),
        }
    }
    Ok(())
}

/// Writes what the escape, whose `%` has been read, stands for; returns what is behind it.
fn push_escape<'a>(normal: &mut String, rest: &'a [u8]) -> Result<&'a [u8], Framing> {
    let (octet, rest) = unescape(rest)?;
    match octet {
        0x00..=0x1f | 0x7f | b'/' | b'\\' => Err(Framing::Path),
        plain if octets::is_unreserved(plain) => {
            normal.push(char::from(plain));
            Ok(rest)
        }
        ascii if ascii.is_ascii() => {
            push_escaped(normal, ascii);
            Ok(rest)
        }
        lead => push_character(normal, lead, rest),
    }
}

/// Writes the escapes of one character outside ASCII; refused unless they are its UTF-8 form.
fn push_character<'a>(normal: &mut String, lead: u8, mut rest: &'a [u8]) -> Result<&'a [u8], Framing> {
    let length = match lead {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Err(Framing::Path),
    };
    let mut character = [lead, 0, 0, 0];
    for octet in &mut character[1..length] {
        let escape = rest.strip_prefix(b"%").ok_or(Framing::Path)?;
        (*octet, rest) = unescape(escape)?;
    }
    // Overlong forms and surrogates are no UTF-8 to the standard library.
    str::from_utf8(&character[..length]).map_err(|_| Framing::Path)?;
    for octet in &character[..length] {
        push_escaped(normal, *octet);
    }
    Ok(rest)
}

/// The octet of the two digits in front, and what is behind them.
fn unescape(rest: &[u8]) -> Result<(u8, &[u8]), Framing> {
    let [high, low, behind @ ..] = rest else { return Err(Framing::Path) };
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (high, low) = digit(*high).zip(digit(*low)).ok_or(Framing::Path)?;
    Ok((high << 4 | low, behind))
}

fn push_escaped(normal: &mut String, octet: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    normal.push('%');
    normal.push(char::from(DIGITS[usize::from(octet >> 4)]));
    normal.push(char::from(DIGITS[usize::from(octet & 15)]));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(path: &str, expected: Option<&str>) {
        let normal = normalize(path);
        assert_eq!(normal.as_deref().ok(), expected, "{path:?}");
        match &normal {
            Ok(normal) => assert_eq!(normalize(normal).as_deref(), Ok(normal.as_ref()), "{path:?} twice"),
            Err(cause) => assert_eq!(*cause, Framing::Path),
        }
    }

    #[test]
    fn one_form() {
        for (path, expected) in [
            ("/", "/"),
            ("/orders/7", "/orders/7"),
            ("/orders/", "/orders/"),
            ("/a/../b", "/b"),
            ("/a/./b", "/a/b"),
            ("/a/b/..", "/a/"),
            ("/a/b/../", "/a/"),
            ("/a/.", "/a/"),
            ("/..", "/"),
            ("/../../a", "/a"),
            ("//a///b//", "/a/b/"),
            ("/a//../b", "/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/%2e/a", "/a"),
            ("/.%2e/a", "/a"),
            ("/%41%62%2d%5f%7e%30", "/Ab-_~0"),
            ("/a%3ab%2bc", "/a%3Ab%2Bc"),
            ("/a:b+c@d!$&'()*,;=", "/a:b+c@d!$&'()*,;="),
            ("/a%20b", "/a%20b"),
            ("/a%252fb", "/a%252fb"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/%e2%82%ac/%f0%9f%9a%aa", "/%E2%82%AC/%F0%9F%9A%AA"),
            ("/a{b}|c^d\"[e]", "/a%7Bb%7D%7Cc%5Ed%22%5Be%5D"),
            ("/.well-known/x", "/.well-known/x"),
            ("/...", "/..."),
            ("/a.;b", "/a.;b"),
            ("/a;v=1/b", "/a;v=1/b"),
        ] {
            check(path, Some(expected));
        }
    }

    #[test]
    fn what_has_no_single_meaning_is_refused() {
        for path in [
            "",
            "a",
            "*",
            "a/b",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a%5C",
            "/a\\b",
            "/%00",
            "/a%0a",
            "/%1f",
            "/%7f",
            "/a%09",
            "/\u{7f}",
            "/a b",
            "/a?b",
            "/a#b",
            "/%",
            "/%4",
            "/%4g",
            "/%g4",
            "/% 4",
            "/%+4",
            "/é",
            "/..;/a",
            "/a/..;x=1/b",
            "/a..;b",
            "/%2e%2e;/a",
            "/..%3b/a",
            "/..%3B",
            "/.;/a",
            "/%2e;a",
            "/%c0%af",
            "/%c0%ae%c0%ae/a",
            "/%e0%80%af",
            "/%f0%80%80%af",
            "/%ff",
            "/%80",
            "/%c3",
            "/%c3a",
            "/%c3%28",
            "/%e2%82",
            "/%ed%a0%80",
            "/%f4%90%80%80",
            "/%f5%80%80%80",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn a_normal_path_is_borrowed() {
        for path in ["/", "/orders/7/items", "/a;v=1/b.c", "/a./b."] {
            assert!(matches!(normalize(path), Ok(Cow::Borrowed(_))), "{path}");
        }
    }

    /// Paths made of what normalisation is about, more often than of other text.
    fn paths() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("/".to_owned()),
            Just(".".to_owned()),
            Just("..".to_owned()),
            Just(";".to_owned()),
            Just("%2e".to_owned()),
            Just("%2F".to_owned()),
            Just("%c3%a9".to_owned()),
            "%[0-9a-fA-F]{2}",
            "[a-z{|\\\\~]{1,3}",
            "\\PC",
        ];
        prop::collection::vec(part, 0..12).prop_map(|parts| format!("/{}", parts.concat()))
    }

    /// What a path leads to, read in as many passes as there are steps; of accepted paths only.
    fn naive(path: &str) -> Vec<Vec<u8>> {
        let mut segments: Vec<Vec<u8>> = Vec::new();
        for segment in path.split('/').map(decode) {
            match segment.as_slice() {
                b"" | b"." => {}
                b".." => drop(segments.pop()),
                _ => segments.push(segment),
            }
        }
        segments
    }

    fn decode(segment: &str) -> Vec<u8> {
        let mut pieces = segment.split('%');
        let mut octets = pieces.next().unwrap().as_bytes().to_vec();
        for piece in pieces {
            octets.push(u8::from_str_radix(&piece[..2], 16).unwrap());
            octets.extend(piece[2..].bytes());
        }
        octets
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn the_normal_form_is_normal(path in paths()) {
            let Ok(normal) = normalize(&path) else { return Ok(()) };
            prop_assert_eq!(normalize(&normal), Ok(Cow::Borrowed(normal.as_ref())));
            prop_assert!(normal.starts_with('/') && normal.is_ascii());
            let inner = normal[1..].strip_suffix('/').unwrap_or(&normal[1..]);
            prop_assert!(normal == "/" || inner.split('/').all(|segment| !matches!(segment, "" | "." | "..")));
        }

        #[test]
        fn the_normal_form_leads_to_the_same_place(path in paths()) {
            let Ok(normal) = normalize(&path) else { return Ok(()) };
            prop_assert_eq!(naive(&normal), naive(&path));
            let decoded: Vec<u8> = decode(&path);
            let ends_in_slash = [&b"/"[..], b"/.", b"/.."].iter().any(|end| decoded.ends_with(end));
            prop_assert_eq!(normal.ends_with('/'), ends_in_slash);
        }

        #[test]
        fn the_quick_look_agrees_with_the_rewrite(path in paths()) {
            if is_normal(path.as_bytes()) {
                prop_assert_eq!(rewrite(path.as_bytes()), Ok(path));
            }
        }
    }
}
