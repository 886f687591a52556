//! What stands around a gateway under test: time, upstreams, certificates, and the placeholders by
//! which pages name them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::RootCertStore;
use serde_json::json;

use crate::token;
use crate::upstream::Upstream;

/// The time at which a page is set unless it says another one.
pub const USUAL_TIME: &str = "2026-06-01T12:00:00Z";

/// The surroundings of one page.
pub struct Stage {
    /// The time, which stands still.
    pub now: Timestamp,
    upstreams: BTreeMap<String, Upstream>,
    /// Certificate and key in PEM, by host.
    certificates: BTreeMap<String, (String, String)>,
    roots: RootCertStore,
}

impl Stage {
    /// Nothing around it yet.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { now, upstreams: BTreeMap::new(), certificates: BTreeMap::new(), roots: RootCertStore::empty() }
    }

    /// What clients of the stage trust.
    #[must_use]
    pub fn roots(&self) -> Arc<RootCertStore> {
        Arc::new(self.roots.clone())
    }

    /// The text with every `{{...}}` replaced:
    ///
    /// - `{{jwt exp=-2m}}`: a signed token, good but for what is said;
    /// - `{{upstream slow}}`, `{{port slow}}`: host and port, or port, of an upstream that behaves so;
    /// - `{{certificate a.example.com}}`: `tls.crt` and `tls.key` of a Secret;
    /// - `{{repeat 100 a}}`: the text behind the number, so often.
    ///
    /// # Errors
    /// A placeholder that does not exist or cannot be made.
    pub fn expand(&mut self, text: &str) -> Result<String, String> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("{{") {
            let (inside, after) = behind.split_once("}}").ok_or_else(|| "a placeholder does not end".to_owned())?;
            expanded.push_str(before);
            expanded.push_str(&self.placeholder(inside)?);
            rest = after;
        }
        Ok(expanded + rest)
    }

    fn placeholder(&mut self, text: &str) -> Result<String, String> {
        let (name, words) = text.split_once(' ').unwrap_or((text, ""));
        match name {
            "jwt" => token::sign(words, self.now),
            "upstream" => Ok(self.upstream(words)?.address.to_string()),
            "port" => Ok(self.upstream(words)?.address.port().to_string()),
            "certificate" => self.certificate(words),
            "repeat" => {
                let (count, piece) = words.split_once(' ').ok_or_else(|| format!("`{text}` repeats nothing"))?;
                let count: usize = count.parse().map_err(|_| format!("`{count}` is not a number"))?;
                Ok(piece.repeat(count))
            }
            _ => Err(format!("there is no placeholder `{name}`")),
        }
    }

    fn upstream(&mut self, words: &str) -> Result<&Upstream, String> {
        if !self.upstreams.contains_key(words) {
            self.upstreams.insert(words.to_owned(), Upstream::start(words)?);
        }
        self.upstreams.get(words).ok_or_else(|| "the upstream is gone".to_owned())
    }

    fn certificate(&mut self, host: &str) -> Result<String, String> {
        if !self.certificates.contains_key(host) {
            let made = rcgen::generate_simple_self_signed(vec![host.to_owned()]).map_err(|error| error.to_string())?;
            self.roots.add(made.cert.der().clone()).map_err(|error| error.to_string())?;
            self.certificates.insert(host.to_owned(), (made.cert.pem(), made.signing_key.serialize_pem()));
        }
        let (chain, key) = self.certificates.get(host).ok_or_else(|| "the certificate is gone".to_owned())?;
        Ok(json!({"tls.crt": chain, "tls.key": key}).to_string())
    }
}

/// The bytes of a request. Written plainly, each line of the head ends with CR LF and the body is what stands behind the
/// empty line. Written `raw`, the line ends of the page do not count and `\r`, `\n`, `\t` and `\x00` are bytes.
#[must_use]
pub fn bytes(text: &str, raw: bool) -> Vec<u8> {
    if raw {
        return unescaped(&text.replace('\n', ""));
    }
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut bytes = String::new();
    for line in head.lines() {
        // Writing into a String cannot fail.
        let _ = write!(bytes, "{line}\r\n");
    }
    (bytes + "\r\n" + body).into_bytes()
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let (byte, length) = match behind.as_bytes() {
            [b'r', ..] => (b'\r', 1),
            [b'n', ..] => (b'\n', 1),
            [b't', ..] => (b'\t', 1),
            [b'x', ..] => (behind.get(1..3).and_then(|digits| u8::from_str_radix(digits, 16).ok()).unwrap_or(b'?'), 3),
            _ => (b'\\', 0),
        };
        bytes.push(byte);
        rest = behind.get(length..).unwrap_or_default();
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_become_bytes() {
        let check = |text: &str, raw, expected: &[u8]| assert_eq!(bytes(text, raw), expected, "{text}");
        check("GET / HTTP/1.1\nHost: a", false, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        check("POST / HTTP/1.1\n\n{\n\n}", false, b"POST / HTTP/1.1\r\n\r\n{\n\n}");
        check("GET / HTTP/1.1\\r\\n\nA: \\x00\\n", true, b"GET / HTTP/1.1\r\nA: \0\n");
    }

    #[test]
    fn placeholders_are_replaced() {
        let mut stage = Stage::new(USUAL_TIME.parse().unwrap());
        assert_eq!(stage.expand("a{{repeat 3 bc}}d").unwrap(), "abcbcbcd");
        assert_eq!(stage.expand("{{repeat 2 [}}}").unwrap(), "[[}");
        let (whole, port) = (stage.expand("{{upstream ok}}").unwrap(), stage.expand("{{port ok}}").unwrap());
        assert_eq!(whole, format!("127.0.0.1:{port}"));
        assert_eq!(stage.expand("{{jwt exp=-2m}}").unwrap().split('.').count(), 3);
        assert_eq!(stage.expand("{{certificate a.example}}").unwrap(), stage.expand("{{certificate a.example}}").unwrap());
        for wrong in ["{{jwt", "{{nothing}}", "{{upstream friendly}}", "{{repeat x y}}"] {
            assert!(stage.expand(wrong).is_err(), "{wrong}");
        }
    }
}
