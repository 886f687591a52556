//! An HTTP/2 request that must also make sense in HTTP/1.1 (RFC 9113 section 8).

use cause::{Framing, TargetFlaw};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, TE, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::uri::Scheme;

use crate::{Limits, host, octets};

/// Checks a request that was parsed from HTTP/2 frames, before anything is stripped from it. The path
/// is left to [`crate::path::normalize`].
///
/// # Errors
/// [`Framing::Http2Message`] for connection-specific fields, `TE` other than `trailers`, blanks around a
/// value, a `Host` that differs from `:authority`, a scheme other than http and https; else as in
/// HTTP/1.1: [`Framing::Host`], [`Framing::ContentLength`], [`Framing::Method`], [`Framing::Target`],
/// [`Framing::TargetTooLong`], [`Framing::TooManyFields`], [`Framing::FieldsTooLarge`].
pub fn h2_message(parts: &Parts, limits: &Limits) -> Result<(), Framing> {
    limits.check_method(parts.method.as_str().as_bytes())?;
    check_target(parts, limits)?;
    check_fields(&parts.headers, limits)?;
    check_authority(parts)
}

const FORM: Framing = Framing::Target { flaw: TargetFlaw::Form };

fn check_target(parts: &Parts, limits: &Limits) -> Result<(), Framing> {
    let Some(target) = parts.uri.path_and_query() else { return Err(FORM) };
    limits.check_target_length(target.as_str().len())?;
    if let Some(octet) = target.as_str().bytes().find(|octet| !octet.is_ascii()) {
        return Err(Framing::Target { flaw: TargetFlaw::Octet(octet) });
    }
    if !target.path().starts_with('/') {
        return Err(FORM);
    }
    match parts.uri.scheme() {
        Some(scheme) if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS => Err(Framing::Http2Message),
        Some(_) | None => Ok(()),
    }
}

fn check_fields(headers: &HeaderMap, limits: &Limits) -> Result<(), Framing> {
    let mut bytes = 0;
    for (name, value) in headers {
        // What the line would take in HTTP/1.1: colon, blank, CR, LF.
        bytes += name.as_str().len() + value.len() + 4;
        let text = value.as_bytes();
        let is_connection_field = name == CONNECTION
            || name == TRANSFER_ENCODING
            || name == UPGRADE
            || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings");
        let is_wrong_te = name == TE && !text.eq_ignore_ascii_case(b"trailers");
        if is_connection_field || is_wrong_te || octets::trim(text).len() != text.len() {
            return Err(Framing::Http2Message);
        }
        if name == CONTENT_LENGTH && octets::length(text).is_none() {
            return Err(Framing::ContentLength);
        }
    }
    limits.check_fields(headers.len(), bytes)?;
    if headers.get_all(CONTENT_LENGTH).iter().count() > 1 { Err(Framing::ContentLength) } else { Ok(()) }
}

fn check_authority(parts: &Parts) -> Result<(), Framing> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Framing::Host);
    }
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    let named = [authority, host.map(http::HeaderValue::as_bytes)];
    if named.iter().all(Option::is_none) || named.iter().flatten().any(|text| !host::is_host(text)) {
        return Err(Framing::Host);
    }
    match named {
        [Some(authority), Some(host)] if !authority.eq_ignore_ascii_case(host) => Err(Framing::Http2Message),
        [..] => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn check(method: &str, uri: &str, fields: &[(&str, &str)], expected: Result<(), Framing>) {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(h2_message(&parts, &Limits::default()), expected, "{method} {uri} {fields:?}");
    }

    #[test]
    fn what_http_1_could_say_passes() {
        check("GET", "http://a.example/x?y", &[("accept", "*/*"), ("te", "trailers")], Ok(()));
        check("GET", "https://A.example:443/", &[("host", "a.example:443")], Ok(()));
        check("POST", "/x", &[("host", "a"), ("content-length", "12")], Ok(()));
        check("GET", "http://a/", &[("x", ""), ("x_y", "a\tb")], Ok(()));
    }

    #[test]
    fn what_http_1_could_not_say_is_refused() {
        for (name, value) in [
            ("connection", "close"),
            ("connection", ""),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "close"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("http2-settings", "x"),
            ("te", "gzip"),
            ("te", "trailers, gzip"),
            ("te", ""),
            ("x", " a"),
            ("x", "a\t"),
            ("host", "b"),
            ("host", "a:80"),
        ] {
            check("GET", "http://a/", &[(name, value)], Err(Framing::Http2Message));
        }
        check("GET", "ftp://a/", &[], Err(Framing::Http2Message));
        check("GET", "/", &[], Err(Framing::Host));
        check("GET", "/", &[("host", "u@a")], Err(Framing::Host));
        check("GET", "http://u@a/", &[], Err(Framing::Host));
        check("GET", "http://a/", &[("host", "a"), ("host", "a")], Err(Framing::Host));
        check("GET", "http://a/", &[("host", "")], Err(Framing::Host));
        for length in ["", "-1", "+1", "1,1", "9223372036854775808"] {
            check("POST", "http://a/", &[("content-length", length)], Err(Framing::ContentLength));
        }
        check("POST", "http://a/", &[("content-length", "1"), ("content-length", "1")], Err(Framing::ContentLength));
        check("OPTIONS", "*", &[("host", "a")], Err(FORM));
        check("CONNECT", "a:443", &[("host", "a")], Err(Framing::Method { served: Limits::default().methods }));
        check("get", "http://a/", &[], Err(Framing::Method { served: Limits::default().methods }));
    }

    #[test]
    fn the_limits_are_those_of_http_1() {
        let target = |bytes: usize| format!("/{}", "x".repeat(bytes - 1));
        check("GET", &target(8_192), &[("host", "a")], Ok(()));
        check("GET", &target(8_193), &[("host", "a")], Err(Framing::TargetTooLong { limit: 8_192 }));
        check("GET", "http://a/", &[("x", "y"); 100], Ok(()));
        check("GET", "http://a/", &[("x", "y"); 101], Err(Framing::TooManyFields { limit: 100 }));
        let value = |bytes: usize| "y".repeat(bytes - "x: \r\n".len());
        check("GET", "http://a/", &[("x", &value(32_768))], Ok(()));
        check("GET", "http://a/", &[("x", &value(32_769))], Err(Framing::FieldsTooLarge { limit: 32_768 }));
    }
}
