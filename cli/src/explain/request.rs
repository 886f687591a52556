//! A request in words, as it is typed.

use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;

use dataplane::Described;
use jiff::Timestamp;

use crate::failure::Failure;
use crate::words;

/// A request in the words of a command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Asked {
    /// The request to explain: method, then path and query or a whole URL
    #[arg(long, value_name = "METHOD TARGET", value_parser = line)]
    pub(crate) request: Option<RequestLine>,
    /// A header field of the request; may be repeated
    #[arg(short = 'H', long, value_name = "NAME: VALUE", requires = "request")]
    header: Vec<Written>,
    /// The body of the request: a text, `@file`, or `@-` for standard input
    #[arg(long, value_name = "TEXT|@FILE", requires = "request")]
    body: Option<String>,
    /// Whose address the request comes from
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1", requires = "request")]
    from: IpAddr,
    /// Explain as if it were this time
    #[arg(long, value_name = "TIME", requires = "request")]
    at: Option<Timestamp>,
}

impl Asked {
    /// The request that `line` begins and the other flags complete.
    ///
    /// # Errors
    /// A field or the body cannot be read.
    pub(crate) fn described(&self, line: &RequestLine) -> Result<Described, Failure> {
        described(line, &self.header, self.body.as_deref(), self.from, self.at)
    }
}

/// Most bytes of a body: what a gateway buffers of one.
const BODY_BYTES: u64 = 10 << 20;

/// Method and target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestLine {
    method: String,
    target: String,
}

/// A header field as it is typed. Whatever is wrong with it is told without its text, which may be a credential; so it is
/// not the parser of arguments that reads it, which repeats what it cannot read.
#[derive(Clone)]
pub(crate) struct Written(String);

impl From<&str> for Written {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[field]")
    }
}

/// One header field. `Debug` shows its name alone: its value may be a credential.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Field {
    name: String,
    value: String,
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Field").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Reads `METHOD TARGET`, or a target alone for GET.
pub(crate) fn line(text: &str) -> Result<RequestLine, String> {
    let mut words = text.split_ascii_whitespace();
    let (method, target) = match (words.next(), words.next(), words.next()) {
        (Some(method), Some(target), None) => (method, target),
        (Some(target), None, None) if is_target(target) => ("GET", target),
        (Some(_) | None, _, _) => return Err("expected a method and a path, such as 'POST /orders'".to_owned()),
    };
    if !is_target(target) {
        return Err("expected a path that begins with `/`, or a URL with http or https, behind the method".to_owned());
    }
    Ok(RequestLine { method: method.to_owned(), target: target.to_owned() })
}

fn is_target(text: &str) -> bool {
    text.starts_with('/') || text.starts_with("http://") || text.starts_with("https://")
}

/// Reads `Name: value`.
fn field(text: &str) -> Option<Field> {
    let (name, value) = text.split_once(':')?;
    http::HeaderName::try_from(name).ok()?;
    Some(Field { name: name.to_owned(), value: value.trim().to_owned() })
}

/// The request that the flags describe.
///
/// # Errors
/// A field has another form, or the body's file cannot be read.
fn described(
    line: &RequestLine,
    fields: &[Written],
    body: Option<&str>,
    from: IpAddr,
    at: Option<Timestamp>,
) -> Result<Described, Failure> {
    let mut headers = Vec::with_capacity(fields.len());
    for (number, Written(text)) in (1..).zip(fields) {
        let Some(Field { name, value }) = field(text) else {
            let what = format!("header field {number} of {} is not of the form `Name: value`", fields.len());
            return Err(Failure::usage(what, "-H 'X-Api-Key: dw_live_...'"));
        };
        headers.push((name, value));
    }
    Ok(Described {
        method: line.method.clone(),
        target: line.target.clone(),
        headers,
        body: body.map(read_body).transpose()?,
        from,
        at,
    })
}

/// A text as it is, or what `@file` or `@-` holds.
fn read_body(text: &str) -> Result<Vec<u8>, Failure> {
    let Some(path) = text.strip_prefix('@') else { return Ok(text.as_bytes().to_vec()) };
    let bytes = if path == "-" { read_bounded(io::stdin().lock()) } else { File::open(path).and_then(read_bounded) };
    let next = "--body @FILE reads a file, --body @- standard input, --body TEXT is the text itself";
    let bytes = bytes.map_err(|error| Failure::usage(format!("the body {path} cannot be read: {}", words::of(&error)), next))?;
    if bytes.len() as u64 > BODY_BYTES {
        return Err(Failure::usage(format!("the body {path} is larger than 10 MiB"), "describe a smaller one"));
    }
    Ok(bytes)
}

fn read_bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(BODY_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_lines_are_read() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let found = line(text).ok();
            assert_eq!(found.as_ref().map(|line| (line.method.as_str(), line.target.as_str())), expected, "{text}");
        };
        check("POST /orders", Some(("POST", "/orders")));
        check("  DELETE   /orders/7?a=b ", Some(("DELETE", "/orders/7?a=b")));
        check("/orders", Some(("GET", "/orders")));
        check("GET https://api.example.com/orders", Some(("GET", "https://api.example.com/orders")));
        check("", None);
        check("GET", None);
        check("GET orders", None);
        check("GET /a HTTP/1.1", None);
    }

    #[test]
    fn fields_are_read_and_not_repeated() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let found = field(text);
            assert_eq!(found.as_ref().map(|field| (field.name.as_str(), field.value.as_str())), expected, "{text}");
            assert!(!format!("{found:?}").contains("hush"), "{found:?}");
        };
        check("X-Api-Key: hush", Some(("X-Api-Key", "hush")));
        check("a:b:c", Some(("a", "b:c")));
        check("Empty:", Some(("Empty", "")));
        check("hush", None);
        check("b d: hush", None);
        check(": hush", None);
    }

    #[test]
    fn bodies_are_texts_or_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("body.json");
        std::fs::write(&path, b"{\"a\":1}\xff").unwrap();
        assert_eq!(read_body("text").unwrap(), b"text");
        assert_eq!(read_body(&format!("@{}", path.display())).unwrap(), b"{\"a\":1}\xff");
        let missing = read_body(&format!("@{}.gone", path.display())).unwrap_err();
        assert_eq!(missing.exit(), crate::failure::Exit::Usage);
        assert!(missing.to_string().contains("body.json.gone cannot be read: no such file"), "{missing}");
    }
}
