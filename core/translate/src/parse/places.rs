//! Where requests come from and go: networks, hosts, paths, header fields, expressions.

use std::net::IpAddr;
use std::sync::Arc;

use cause::{FaultCause, Syntax};
use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use ir::HostPattern;

use super::{malformed, plain};

/// A network, or one address as a network of itself.
///
/// # Errors
/// Any other text; host bits, where the network is suggested; IPv4 written as IPv6.
pub fn network(text: &str) -> Result<IpNet, FaultCause> {
    let Some(net) = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)) else {
        return Err(malformed(Syntax::Network, meant_network(text), |meant| {
            meant.parse::<IpNet>().map_err(|_| plain(Syntax::Network))
        }));
    };
    let suggested = |net: IpNet| FaultCause::Malformed { syntax: Syntax::Network, suggestion: Some(net.to_string().into()) };
    if let IpNet::V6(v6) = net
        && let Some(v4) = v6.addr().to_ipv4_mapped()
    {
        // A client's address is IPv4 whenever it can be, so this network would never match.
        return Err(match v6.prefix_len().checked_sub(96).and_then(|prefix| IpNet::new(v4.into(), prefix).ok()) {
            Some(v4) => suggested(v4.trunc()),
            None => plain(Syntax::Network),
        });
    }
    if net.addr() != net.network() { Err(suggested(net.trunc())) } else { Ok(net) }
}

/// `10.1.*.*` and `10.1.*` are how other tools write a network.
fn meant_network(text: &str) -> Option<String> {
    let text = text.trim();
    let octets: Vec<&str> = text.split('.').collect();
    let fixed = octets.iter().take_while(|octet| octet.parse::<u8>().is_ok()).count();
    if octets.len() <= 4 && octets.len() > fixed && fixed > 0 && fixed < 4 && octets.iter().skip(fixed).all(|octet| *octet == "*")
    {
        let zeros = vec!["0"; 4 - fixed];
        let address = octets.iter().take(fixed).copied().chain(zeros).collect::<Vec<_>>().join(".");
        return Some(format!("{address}/{}", fixed * 8));
    }
    Some(text.to_owned())
}

/// A host name, where the first label may be `*`. Case does not count.
///
/// # Errors
/// Any other text, such as an address, a port or a scheme beside the name.
pub fn host(text: &str) -> Result<HostPattern, FaultCause> {
    host_pattern(text)
        .ok_or_else(|| malformed(Syntax::HostName, meant_host(text), |meant| host_pattern(meant).ok_or(plain(Syntax::HostName))))
}

fn host_pattern(text: &str) -> Option<HostPattern> {
    let text = text.to_ascii_lowercase();
    match text.strip_prefix("*.") {
        Some(suffix) => is_host_name(suffix).then(|| HostPattern::Wildcard(suffix.into())),
        None => is_host_name(&text).then(|| HostPattern::Exact(text.into())),
    }
}

/// A host name without wildcard, in lower case.
///
/// # Errors
/// Any other text.
pub fn exact_host(text: &str) -> Result<Arc<str>, FaultCause> {
    match host(text)? {
        HostPattern::Exact(name) => Ok(name),
        HostPattern::Wildcard(_) => Err(plain(Syntax::HostName)),
    }
}

/// Labels of 1 to 63 letters, digits and inner dashes, 253 characters in all, and no address.
pub(super) fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numeric = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    text.len() <= 253 && text.split('.').all(label) && !numeric
}

fn meant_host(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.split(['/', '?', '#']).next()?;
    let text = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
    let text = text.split_once(':').map_or(text, |(name, _)| name);
    let text = text.trim_end_matches('.').trim_start_matches("**.");
    Some(text.strip_prefix('.').map_or_else(|| text.to_owned(), |suffix| format!("*.{suffix}")))
}

/// A path in its one normal form: without a trailing slash, `/` alone excepted.
///
/// # Errors
/// A path that does not begin with `/`, or holds empty or dot segments, percent forms, a query, a
/// fragment or a wildcard.
pub fn path(text: &str) -> Result<Arc<str>, FaultCause> {
    normal_path(text)
        .map(Into::into)
        .ok_or_else(|| malformed(Syntax::Path, meant_path(text), |meant| normal_path(meant).map(drop).ok_or(plain(Syntax::Path))))
}

fn normal_path(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('/')?;
    if rest.is_empty() {
        return Some(text);
    }
    let whole = text.strip_suffix('/').unwrap_or(text);
    let good = whole.strip_prefix('/')?.split('/').all(|segment| {
        !matches!(segment, "" | "." | ".." | "*" | "**" | "..;")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte))
    });
    good.then_some(whole)
}

/// A path as Gateway API and Ingress write it, in its one normal form: a slash at its end is kept,
/// and octets that a path may not hold stand as escapes.
///
/// # Errors
/// A path that does not begin with `/`, or holds empty or dot segments, escaped slashes and control
/// characters, a query or a fragment: no request's path in its normal form has any of these.
pub fn escaped_path(text: &str) -> Result<Arc<str>, FaultCause> {
    normal_escaped(text).map(Into::into).ok_or_else(|| {
        malformed(Syntax::Path, meant_path(text), |meant| normal_escaped(meant).map(drop).ok_or(plain(Syntax::Path)))
    })
}

fn normal_escaped(text: &str) -> Option<String> {
    let mut normal = String::with_capacity(text.len());
    let mut rest = text.strip_prefix('/')?.as_bytes();
    normal.push('/');
    while let [byte, behind @ ..] = rest {
        rest = behind;
        match *byte {
            b'%' => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                let [high, low, behind @ ..] = rest else { return None };
                rest = behind;
                match digit(high)? << 4 | digit(low)? {
                    0x00..=0x1f | 0x7f | b'/' | b'\\' => return None,
                    plain if plain.is_ascii_alphanumeric() || b"-._~".contains(&plain) => normal.push(char::from(plain)),
                    other => normal.push_str(&format!("%{other:02X}")),
                }
            }
            b'/' => normal.push('/'),
            plain if plain.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&plain) => normal.push(char::from(plain)),
            _ => return None,
        }
    }
    let whole = normal.strip_suffix('/').unwrap_or(&normal);
    let good = |segment: &str| !segment.is_empty() && !is_dots(segment);
    (whole.is_empty() || whole.strip_prefix('/')?.split('/').all(good)).then_some(normal)
}

/// `.` and `..`, with a parameter or without one.
fn is_dots(segment: &str) -> bool {
    segment == "." || segment.starts_with(".;") || segment == ".." || segment.starts_with("..;")
}

fn meant_path(text: &str) -> Option<String> {
    let text = text.trim();
    let text = match text.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => text,
    };
    let text = text.split(['?', '#']).next()?.replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    for segment in text.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    while segments.last().is_some_and(|segment| matches!(*segment, "*" | "**")) {
        segments.pop();
    }
    Some(format!("/{}", segments.join("/")))
}

/// A header field's name, in lower case. `_` is refused, because fields with it are dropped where
/// requests come in.
///
/// # Errors
/// Any other text.
pub fn header_name(text: &str) -> Result<Arc<str>, FaultCause> {
    let parsed = |text: &str| {
        HeaderName::from_bytes(text.as_bytes())
            .ok()
            .filter(|name| !name.as_str().contains('_'))
            .map(|name| Arc::from(name.as_str()))
            .ok_or(plain(Syntax::HeaderName))
    };
    parsed(text).map_err(|_| {
        let meant = text.trim().trim_end_matches(':').trim().replace([' ', '_'], "-");
        malformed(Syntax::HeaderName, Some(meant), parsed)
    })
}

/// The name of a field that a check can read: none that is removed from every request before it.
///
/// # Errors
/// Any other text, and the names that only intermediaries or the gateway itself may send.
pub fn readable_header(text: &str) -> Result<Arc<str>, FaultCause> {
    const REMOVED: [&str; 17] = [
        "connection",
        "content-length",
        "forwarded",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
        "x-forwarded",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-original-url",
        "x-real-ip",
        "x-rewrite-url",
    ];
    const FAMILIES: [&str; 3] = ["doorward-", "x-forwarded-", "x-envoy-"];
    let name = header_name(text)?;
    if REMOVED.contains(&&*name) || FAMILIES.iter().any(|family| name.starts_with(family)) {
        let message = format!("`{text}` is no field that a caller can send: it is removed, or means something else");
        return Err(FaultCause::RuleViolated { message: message.into() });
    }
    Ok(name)
}

/// A header field's value: visible ASCII, with blanks and tabs inside.
///
/// # Errors
/// Any other text.
pub fn header_value(text: &str) -> Result<Arc<str>, FaultCause> {
    let good = HeaderValue::from_str(text).is_ok() && text.is_ascii() && text.trim_matches([' ', '\t']) == text;
    if good {
        Ok(text.into())
    } else {
        Err(FaultCause::OutOfBounds { bound: "a header value is printable ASCII without blanks at its ends".into() })
    }
}

/// A linear-time regular expression, which must match a whole value.
///
/// # Errors
/// An expression that does not compile or takes more than 256 KiB.
pub fn pattern(text: &str) -> Result<Arc<str>, FaultCause> {
    regex::RegexBuilder::new(text).size_limit(256 * 1024).build().map(|_| text.into()).map_err(|_| plain(Syntax::Pattern))
}
