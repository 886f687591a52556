//! A request to an upstream: the client's, with lines that the gateway adds.

use http::{HeaderMap, HeaderName, HeaderValue, Request};

use crate::body::RequestBody;

/// Fields that the gateway says itself, written as HTTP/1.1 does. A field here costs a copy of its text; in a map it
/// costs a hash of its name, memory for its value, and both again to be written and dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(Vec<u8>);

impl Lines {
    /// No lines, with memory for `bytes` bytes of them.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Adds a field. A value with octets that none may have (RFC 9110 section 5.5) adds nothing.
    pub fn push(&mut self, name: &HeaderName, value: &[u8]) {
        // Written without an early end, so that it is checked many octets at a time.
        if value.iter().fold(true, |all, octet| all & (*octet >= b' ' && *octet != 0x7f)) {
            write_field(&mut self.0, name, value);
        }
    }

    /// Adds the fields of others.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend_from_slice(&others.0);
    }

    /// Moves the fields to a map, where each replaces those of its name.
    pub fn move_to(&mut self, headers: &mut HeaderMap) {
        let mut rest = self.0.as_slice();
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, behind) = rest.split_at(end + 1);
            rest = behind;
            let field = memchr::memchr(b':', line).and_then(|colon| {
                let value = line.get(colon + SEPARATOR.len()..line.len() - END.len())?;
                Some((HeaderName::from_bytes(line.get(..colon)?).ok()?, HeaderValue::from_bytes(value).ok()?))
            });
            if let Some((name, value)) = field {
                headers.insert(name, value);
            }
        }
        self.0.clear();
    }

    pub(crate) const fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

const SEPARATOR: &[u8] = b": ";
const END: &[u8] = b"\r\n";

/// Writes one field line.
pub(crate) fn write_field(text: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    for part in [name.as_str().as_bytes(), SEPARATOR, value, END] {
        text.extend_from_slice(part);
    }
}

/// A request with the lines that are added to its fields.
pub struct Outgoing {
    pub(crate) request: Request<RequestBody>,
    pub(crate) lines: Lines,
}

impl Outgoing {
    /// No field of `request` has a name that `lines` have.
    #[must_use]
    pub const fn new(request: Request<RequestBody>, lines: Lines) -> Self {
        Self { request, lines }
    }
}

impl From<Request<RequestBody>> for Outgoing {
    fn from(request: Request<RequestBody>) -> Self {
        Self::new(request, Lines::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_fields_of_a_map() {
        let check = |fields: &[(&'static str, &[u8])], text: &str, moved: &[(&str, &str)]| {
            let mut lines = Lines::default();
            for (name, value) in fields {
                lines.push(&HeaderName::from_static(name), value);
            }
            let mut all = Lines::with_capacity(10);
            all.extend(&lines);
            assert_eq!(String::from_utf8_lossy(all.as_bytes()), text);
            let mut headers = HeaderMap::new();
            headers.insert("a", HeaderValue::from_static("of the client"));
            all.move_to(&mut headers);
            let found: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or("-"))).collect();
            assert_eq!(found, moved);
            assert_eq!(all, Lines::default());
        };
        check(&[], "", &[("a", "of the client")]);
        check(&[("a", b"1"), ("b-c", b"x: y")], "a: 1\r\nb-c: x: y\r\n", &[("a", "1"), ("b-c", "x: y")]);
        check(&[("a", b""), ("b", b" ")], "a: \r\nb:  \r\n", &[("a", ""), ("b", " ")]);
        check(&[("b", "zo\u{eb}".as_bytes())], "b: zo\u{eb}\r\n", &[("a", "of the client"), ("b", "-")]);
        for broken in [&b"x\r\ny: z"[..], b"x\ny", b"\0", b"x\x7f", b"x\ty"] {
            check(&[("b", broken)], "", &[("a", "of the client")]);
        }
    }
}
