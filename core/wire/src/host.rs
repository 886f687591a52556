//! A host and an optional port, as in `Host` (RFC 9110 section 7.2) and `:authority`.

use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::str;

use cause::Framing;

use crate::octets;

/// Most bytes of a host name.
pub const NAME_BYTES: usize = 255;

/// Where a request wants to go, in the one form that hosts are compared in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host<'a> {
    /// Lower case, without a dot at the end; an IPv6 address in brackets and in its canonical form.
    pub name: Cow<'a, str>,
    /// The port, 1 to 65535, where one was given.
    pub port: Option<u16>,
}

/// The host of a field value or an authority. Borrows where the name is in its normal form already.
///
/// # Errors
/// [`Framing::Host`] for userinfo, blanks, a path, a bad or empty port, a name that is empty, has
/// empty labels, other characters than letters, digits, `-`, `_` and `.`, or over [`NAME_BYTES`].
pub fn parse(text: &str) -> Result<Host<'_>, Framing> {
    let (name, port) = split(text.as_bytes()).ok_or(Framing::Host)?;
    // Both halves are ASCII, so their ends are character boundaries.
    let name = str::from_utf8(name).map_err(|_| Framing::Host)?;
    let name = if name.starts_with('[') { canonical_address(name).ok_or(Framing::Host)? } else { lower_case(name) };
    Ok(Host { name, port })
}

/// Whether [`parse`] accepts the text; allocates nothing.
pub(crate) fn is_host(text: &[u8]) -> bool {
    split(text).is_some()
}

/// The valid name, without its last dot, and the valid port.
fn split(text: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let name_end = if text.first() == Some(&b'[') {
        let end = memchr::memchr(b']', text)? + 1;
        address(text.get(..end)?)?;
        end
    } else {
        end_of_name(text)?
    };
    if name_end > NAME_BYTES {
        return None;
    }
    let (name, rest) = text.split_at(name_end);
    let port = match rest {
        [] => None,
        [b':', digits @ ..] => Some(port(digits)?),
        [..] => return None,
    };
    Some((name.strip_suffix(b".").unwrap_or(name), port))
}

/// Where the colon before a port is, or else the end. One pass, since every request has a host: a dot stands behind a
/// label, and one at the end behind no other.
fn end_of_name(text: &[u8]) -> Option<usize> {
    let mut before = b'.';
    for (place, octet) in text.iter().enumerate() {
        match *octet {
            b':' if place > 0 => return Some(place),
            b'.' if before == b'.' => return None,
            other if octets::is_host_octet(other) => before = other,
            _ => return None,
        }
    }
    (!text.is_empty()).then_some(text.len())
}

fn port(digits: &[u8]) -> Option<u16> {
    if digits.first().is_none_or(|first| *first == b'0') {
        return None;
    }
    octets::length(digits).and_then(|port| u16::try_from(port).ok())
}

fn address(name: &[u8]) -> Option<Ipv6Addr> {
    let inner = name.strip_prefix(b"[")?.strip_suffix(b"]")?;
    str::from_utf8(inner).ok()?.parse().ok()
}

fn canonical_address(name: &str) -> Option<Cow<'_, str>> {
    let canonical = format!("[{}]", address(name.as_bytes())?);
    Some(if canonical == name { Cow::Borrowed(name) } else { Cow::Owned(canonical) })
}

fn lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|octet| octet.is_ascii_uppercase()) { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, Option<u16>)>) {
        let parsed = parse(text);
        let seen = parsed.as_ref().ok().map(|host| (host.name.as_ref(), host.port));
        assert_eq!(seen, expected, "{text:?}");
        assert_eq!(is_host(text.as_bytes()), expected.is_some(), "{text:?}");
        if expected.is_none() {
            assert_eq!(parsed, Err(Framing::Host));
        } else {
            assert!(http::uri::Authority::try_from(text).is_ok(), "the HTTP library takes {text:?}");
        }
    }

    #[test]
    fn hosts_have_one_form() {
        check("api.example.com", Some(("api.example.com", None)));
        check("API.Example.COM:8443", Some(("api.example.com", Some(8443))));
        check("api.example.com.", Some(("api.example.com", None)));
        check("api.example.com.:80", Some(("api.example.com", Some(80))));
        check("localhost:1", Some(("localhost", Some(1))));
        check("10.1.2.3:65535", Some(("10.1.2.3", Some(65535))));
        check("my_service", Some(("my_service", None)));
        check("[::1]", Some(("[::1]", None)));
        check("[::1]:8080", Some(("[::1]", Some(8080))));
        check("[0:0:0:0:0:0:0:1]", Some(("[::1]", None)));
        check("[FE80::A]:443", Some(("[fe80::a]", Some(443))));
        check(&"a".repeat(255), Some((&"a".repeat(255), None)));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let long = "a".repeat(256);
        for text in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            ":80",
            "a:",
            "a:0",
            "a:080",
            "a:65536",
            "a:+80",
            "a:-1",
            "a:8o",
            "a:80:80",
            "user@a",
            "user:pw@a",
            "a b",
            " a",
            "a ",
            "a\tb",
            "a/b",
            "a?b",
            "a#b",
            "a,b",
            "*.a",
            "a%2e",
            "ä.example",
            "[::1",
            "::1",
            "[::1]x",
            "[::1]:",
            "[fe80::1%25eth0]",
            "[v1.x]",
            "[]",
            "[1.2.3.4]",
            "a\0",
            "a\\b",
            "http://a",
            &long,
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_normal_name_is_borrowed() {
        for text in ["api.example.com:80", "api.example.com.", "[::1]:80"] {
            assert!(matches!(parse(text).unwrap().name, Cow::Borrowed(_)), "{text}");
        }
    }
}
