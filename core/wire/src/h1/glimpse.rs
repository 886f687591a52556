//! What can be read of a head that is refused, for whoever looks back at it.
//!
//! Nothing here is judged or believed: a refused head has no single meaning. The texts are bounded, hold visible
//! ASCII alone (other octets in percent form), and neither userinfo nor fragment, where credentials may stand.

use std::fmt::Write as _;

use crate::octets;

/// Most bytes of a method: more than any that is registered has.
const METHOD_BYTES: usize = 20;
/// Most bytes of a target that are looked at.
const TARGET_BYTES: usize = 1024;
/// Most bytes of a host that are looked at: a name and a port.
const HOST_BYTES: usize = crate::host::NAME_BYTES + 6;
/// Stands for what is left out.
const CUT: &str = "...";

/// The parts of a refused head, each as far as it could be told from the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Glimpse {
    /// The method, where it looks like one: letters and hyphens, at most 20.
    pub method: Option<Box<str>>,
    /// The target without its query; `...` at its end stands for what is left out. Never empty.
    pub path: Option<Box<str>>,
    /// The query, without its `?`.
    pub query: Option<Box<str>>,
    /// The first `Host`, else the authority of the target.
    pub host: Option<Box<str>>,
}

impl Glimpse {
    /// Of the octets from the beginning of a head on, whole or not.
    #[must_use]
    pub fn of(held: &[u8]) -> Self {
        let mut lines = held.split(|octet| *octet == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let Some(line) = lines.by_ref().find(|line| !line.is_empty()) else { return Self::default() };
        let (method, rest) = halves(line, memchr::memchr(b' ', line));
        // Whatever else stands there may be anything, a credential too.
        let is_method = method.iter().all(|octet| octet.is_ascii_alphabetic() || *octet == b'-');
        if !is_method || method.is_empty() || method.len() > METHOD_BYTES {
            return Self::default();
        }
        let mut glimpse = Self { method: Some(visible(method, "")), ..Self::default() };
        let authority = rest.and_then(|rest| glimpse.target(target_of(rest)));
        let host = lines.find_map(|line| {
            let (name, value) = halves(line, memchr::memchr(b':', line));
            name.eq_ignore_ascii_case(b"host").then(|| octets::trim(value.unwrap_or_default()))
        });
        glimpse.host = host.or(authority).and_then(host_of);
        glimpse
    }

    /// Takes in a target; its authority, where it names one.
    fn target<'a>(&mut self, target: &'a [u8]) -> Option<&'a [u8]> {
        let target = target.trim_ascii_start();
        // Behind a blank or a control character there are other things than targets.
        let word = target.iter().position(|octet| *octet <= b' ' || *octet == 0x7f);
        let (target, end) = word.map_or((target, ""), |end| (&target[..end], CUT));
        let (shown, end) = match target.get(..TARGET_BYTES) {
            // What is cut off in its midst could no longer be told to be a credential.
            Some(window) => (&window[..memchr::memrchr3(b'/', b'?', b'&', window).map_or(0, |at| at + 1)], CUT),
            None => (target, end),
        };
        let (shown, fragment) = halves(shown, memchr::memchr(b'#', shown));
        let end = if fragment.is_some() { "#..." } else { end };
        let (path, query) = halves(shown, memchr::memchr(b'?', shown));
        let (authority, path) = authority_of(path);
        self.query = query.map(|query| visible(query, end));
        let path = visible(path, if query.is_none() { end } else { "" });
        self.path = match (&*path, authority) {
            ("", Some(_)) => Some("/".into()),
            ("", None) => None,
            (_, Some(_) | None) => Some(path),
        };
        authority
    }
}

/// The target of a request line behind its method, with or without a version.
fn target_of(rest: &[u8]) -> &[u8] {
    let (before, version) = match memchr::memrchr(b' ', rest) {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => return rest,
    };
    if version.starts_with(b"HTTP/") { before } else { rest }
}

/// The authority of an absolute form, or of what names an authority alone, and what follows it.
fn authority_of(target: &[u8]) -> (Option<&[u8]>, &[u8]) {
    if let Some(scheme) = memchr::memmem::find(target, b"://")
        && target[..scheme].iter().all(u8::is_ascii_alphanumeric)
    {
        let behind = &target[scheme + b"://".len()..];
        let (authority, path) = behind.split_at(memchr::memchr(b'/', behind).unwrap_or(behind.len()));
        return (Some(authority), path);
    }
    // `CONNECT user:secret@host:443`, and whatever resembles it.
    let end = memchr::memchr(b'/', target).unwrap_or(target.len());
    (None, &target[memchr::memrchr(b'@', &target[..end]).map_or(0, |at| at + 1)..])
}

/// A host without what must not stand in it.
fn host_of(text: &[u8]) -> Option<Box<str>> {
    let end = text.iter().position(|octet| matches!(octet, b'/' | b'?' | b'#')).unwrap_or(text.len());
    let text = &text[..end];
    let text = &text[memchr::memrchr(b'@', text).map_or(0, |at| at + 1)..];
    let shown = match text.get(..HOST_BYTES) {
        Some(window) => visible(window, CUT),
        None => visible(text, ""),
    };
    (!shown.is_empty()).then_some(shown)
}

/// What stands before the octet at `position`, and behind it.
fn halves(text: &[u8], position: Option<usize>) -> (&[u8], Option<&[u8]>) {
    position.map_or((text, None), |at| (&text[..at], text.get(at + 1..)))
}

fn visible(text: &[u8], end: &str) -> Box<str> {
    let mut shown = String::with_capacity(text.len() + end.len());
    for octet in text {
        if octet.is_ascii_graphic() {
            shown.push(char::from(*octet));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(shown, "%{octet:02X}");
        }
    }
    shown.push_str(end);
    shown.into_boxed_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(held: &str, method: Option<&str>, target: [Option<&str>; 2], host: Option<&str>) {
        let glimpse = Glimpse::of(held.as_bytes());
        assert_eq!(glimpse.method.as_deref(), method, "{held:?}");
        assert_eq!([glimpse.path.as_deref(), glimpse.query.as_deref()], target, "{held:?}");
        assert_eq!(glimpse.host.as_deref(), host, "{held:?}");
    }

    #[test]
    fn what_was_sent_is_told() {
        let get = Some("GET");
        check("GET /x?y=z HTTP/1.1\r\nHost: a:80\r\nHost: b\r\n\r\n", get, [Some("/x"), Some("y=z")], Some("a:80"));
        check("\r\nBREW /pot HTTP/1.1\r\nAccept: */*\r\nHOST:a\r\n", Some("BREW"), [Some("/pot"), None], Some("a"));
        check("GET /x HTTP/1.1\nHost: shop\n\n", get, [Some("/x"), None], Some("shop"));
        check("GET /x\r\n\r\n", get, [Some("/x"), None], None);
        check("GET /unfinis", get, [Some("/unfinis"), None], None);
        check("GET", get, [None, None], None);
        check("GET \r\n", get, [None, None], None);
        check("GET  /x HTTP/1.1\r\nHost: sh op\r\n", get, [Some("/x"), None], Some("sh%20op"));
        check("GET /caf\u{e9}\u{1b}[1m HTTP/1.1\r\n", get, [Some("/caf%C3%A9..."), None], None);
        check("GET /a b HTTP/1.1\r\n", get, [Some("/a..."), None], None);
        check("VERSION-CONTROL /a HTTP/1.1\r\n", Some("VERSION-CONTROL"), [Some("/a"), None], None);
        check("GET http://A.example/x HTTP/1.1\r\nHost: b\r\n", get, [Some("/x"), None], Some("b"));
        check("GET ftp://A.example?x HTTP/1.1\r\n\r\n", get, [Some("/"), Some("x")], Some("A.example"));
        check("CONNECT shop:443 HTTP/1.1\r\nHost: shop\r\n", Some("CONNECT"), [Some("shop:443"), None], Some("shop"));
        check("OPTIONS * HTTP/1.1\r\nHost:\r\n", Some("OPTIONS"), [Some("*"), None], None);
    }

    #[test]
    fn what_is_no_request_line_is_not_guessed_at() {
        for held in [
            "",
            "\r\n",
            "\u{16}\u{3}\u{1}\u{2}",
            "{\"a\": 1}\r\nHost: a\r\n",
            &"A".repeat(21),
            "#secret / HTTP/1.1",
            "sk-1234 /\r\n",
            " GET / HTTP/1.1\r\nHost: a\r\n",
        ] {
            check(held, None, [None, None], None);
        }
    }

    #[test]
    fn what_may_be_secret_is_left_out() {
        let get = Some("GET");
        check("GET http://me:secret@a/x HTTP/1.1\r\n", get, [Some("/x"), None], Some("a"));
        check("GET me:secret@a:443 HTTP/1.1\r\n", get, [Some("a:443"), None], None);
        check("GET /x HTTP/1.1\r\nHost: me:secret@a\r\n", get, [Some("/x"), None], Some("a"));
        check("GET /x HTTP/1.1\r\nHost: a/b?secret\r\n", get, [Some("/x"), None], Some("a"));
        check("GET /x#access_token=secret HTTP/1.1\r\n", get, [Some("/x#..."), None], None);
        check("GET /x?y=z#secret HTTP/1.1\r\n", get, [Some("/x"), Some("y=z#...")], None);
        check("GET /x HTTP/1.0X: http://me:secret@h/x HTTP/1.1\r\n", get, [Some("/x..."), None], None);
        check("GET #secret HTTP/1.1\r\n", get, [Some("#..."), None], None);
    }

    #[test]
    fn long_texts_are_cut_between_their_parts() {
        let path = format!("/{}/{}", "a".repeat(1_000), "secret".repeat(10));
        let shown = format!("/{}/...", "a".repeat(1_000));
        check(&format!("GET {path} HTTP/1.1\r\n"), Some("GET"), [Some(&shown), None], None);
        check(&format!("GET {path}"), Some("GET"), [Some(&shown), None], None);
        let query = format!("x={}&key={}", "b".repeat(1_000), "secret".repeat(10));
        let shown = format!("x={}&...", "b".repeat(1_000));
        check(&format!("GET /?{query} HTTP/1.1\r\n"), Some("GET"), [Some("/"), Some(&shown)], None);
        check(&format!("GET {} HTTP/1.1\r\n", "x".repeat(9_000)), Some("GET"), [Some("..."), None], None);
        let host = format!("{}...", "h".repeat(HOST_BYTES));
        check(&format!("GET / HTTP/1.1\r\nHost: {}\r\n", "h".repeat(5_000)), Some("GET"), [Some("/"), None], Some(&host));
    }
}
