//! Formats: whether a text has the syntax that its field asks for, and what was likely meant.

use std::net::IpAddr;
use std::sync::Arc;

use cause::Syntax;
use ipnet::IpNet;

use super::Format;

/// The format of this name; nothing where texts are not held to it.
pub(super) fn format(name: &str) -> Option<Format> {
    Some(match name.strip_prefix("x-").unwrap_or(name) {
        "duration" => Format::Of(Syntax::Duration),
        "lifetime" => Format::Lifetime,
        "date-time" => Format::Of(Syntax::Timestamp),
        "cidr" => Format::Cidr,
        "network" => Format::Of(Syntax::Network),
        "hostname" => Format::Of(Syntax::HostName),
        "uri" | "url" => Format::Of(Syntax::Url),
        "https-url" => Format::Of(Syntax::HttpsUrl),
        "semver" => Format::Of(Syntax::SemanticVersion),
        "issuer" => Format::Issuer,
        "version-requirement" => Format::Of(Syntax::VersionRequirement),
        "path" => Format::Of(Syntax::Path),
        "header-name" => Format::Of(Syntax::HeaderName),
        "quantity" => Format::Of(Syntax::Quantity),
        "regex" => Format::Of(Syntax::Pattern),
        "socket-address" => Format::Of(Syntax::SocketAddress),
        "byte" => Format::Bytes,
        _ => return None,
    })
}

/// The syntax that a well-known pattern of Gateway API writes down.
pub(super) fn of_pattern(pattern: &str) -> Option<Format> {
    Some(Format::Of(match pattern {
        "^([0-9]{1,5}(h|m|s|ms)){1,4}$" => Syntax::Duration,
        r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$" => Syntax::HostName,
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$" => Syntax::ObjectName,
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" => Syntax::ObjectLabel,
        "^[A-Za-z0-9!#$%&'*+\\-.^_\\x60|~]+$" => Syntax::HeaderName,
        _ => return None,
    }))
}

impl Format {
    /// The noun for messages; nothing for what has no [`Syntax`].
    pub(super) const fn syntax(self) -> Option<Syntax> {
        match self {
            Self::Of(syntax) => Some(syntax),
            Self::Cidr => Some(Syntax::Network),
            Self::Lifetime => Some(Syntax::Duration),
            Self::Issuer => Some(Syntax::HttpsUrl),
            Self::Bytes => None,
        }
    }

    /// Whether a text has this format.
    pub(super) fn admits(self, text: &str) -> bool {
        match self {
            Self::Cidr => network(text).is_some(),
            Self::Lifetime => is_duration(text, &["d", "h", "m", "s", "ms"]),
            Self::Bytes => is_base64(text),
            Self::Issuer => is_url(text, &["https://"]) || (is_url(text, &["http://"]) && is_loopback(text)),
            Self::Of(syntax) => match syntax {
                Syntax::Network => network(text).is_some() || text.parse::<IpAddr>().is_ok(),
                Syntax::Duration => is_duration(text, &["h", "m", "s", "ms"]),
                Syntax::Timestamp => is_timestamp(text),
                Syntax::SemanticVersion => semver::Version::parse(text).is_ok(),
                Syntax::VersionRequirement => is_requirement(text),
                Syntax::Url => is_url(text, &["http://", "https://"]),
                Syntax::HttpsUrl => is_url(text, &["https://"]),
                Syntax::HostName => is_host(text.strip_prefix("*.").unwrap_or(text)),
                Syntax::Path => text.starts_with('/'),
                Syntax::HeaderName => is_token(text),
                Syntax::Quantity => is_quantity(text),
                Syntax::Pattern => regex::Regex::new(text).is_ok(),
                Syntax::SocketAddress => text.parse::<std::net::SocketAddr>().is_ok(),
                Syntax::ObjectName => is_name(text, 253) && text.split('.').all(|label| is_name(label, 253)),
                Syntax::ObjectLabel => is_name(text, 63) && !text.contains('.'),
            },
        }
    }

    /// What was likely meant by a text that does not have this format.
    pub(super) fn suggestion(self, text: &str) -> Option<Arc<str>> {
        let candidate = match self {
            Self::Cidr => masked(text).or_else(|| text.parse::<IpAddr>().ok().map(|address| IpNet::from(address).to_string())),
            Self::Bytes => None,
            Self::Lifetime => with_unit(text),
            Self::Issuer => text.strip_prefix("http://").map(|rest| format!("https://{rest}")),
            Self::Of(syntax) => match syntax {
                Syntax::Network => masked(text),
                Syntax::Duration => with_unit(text),
                Syntax::SemanticVersion => padded(text),
                Syntax::VersionRequirement => text.strip_prefix('v').map(str::to_owned),
                Syntax::HttpsUrl => text.strip_prefix("http://").map(|rest| format!("https://{rest}")),
                Syntax::Path => Some(format!("/{}", text.trim().trim_start_matches('/'))),
                Syntax::HostName => Some(text.trim_end_matches('.').to_ascii_lowercase()),
                Syntax::ObjectName | Syntax::ObjectLabel => Some(text.to_ascii_lowercase().replace(['_', ' '], "-")),
                Syntax::HeaderName => Some(text.trim().trim_end_matches(':').replace([' ', '_'], "-")),
                Syntax::Quantity => {
                    text.strip_suffix("iB").or_else(|| text.strip_suffix('B')).map(|rest| match rest.len() < text.len() - 1 {
                        true => format!("{rest}i"),
                        false => rest.to_owned(),
                    })
                }
                Syntax::Timestamp => {
                    Some(format!("{text}Z")).filter(|full| full.contains('T')).or_else(|| Some(format!("{text}T00:00:00Z")))
                }
                Syntax::Url | Syntax::Pattern | Syntax::SocketAddress => None,
            },
        };
        candidate.filter(|candidate| self.admits(candidate)).map(Arc::from)
    }
}

/// Whether a text is a DNS label or, by parts, a DNS subdomain.
pub(crate) fn is_name(text: &str, longest: usize) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= longest
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
}

fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().filter(|network| network.network() == network.addr())
}

fn masked(text: &str) -> Option<String> {
    text.parse::<IpNet>().ok().map(|network| network.trunc().to_string())
}

/// Up to four numbers with a unit each, of which one is not zero.
fn is_duration(text: &str, units: &[&str]) -> bool {
    let mut rest = text;
    let mut parts = 0;
    let mut is_positive = false;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let unit = after.len() - after.trim_start_matches(|letter: char| letter.is_ascii_lowercase()).len();
        let (unit, after) = after.split_at(unit);
        if !(1..=5).contains(&digits) || !units.contains(&unit) {
            return false;
        }
        is_positive |= number.bytes().any(|digit| digit != b'0');
        parts += 1;
        rest = after;
    }
    is_positive && parts <= 4
}

/// `30` meant seconds; `1 h` and `5min` have a short form.
fn with_unit(text: &str) -> Option<String> {
    let text: String = text.trim_start_matches('-').chars().filter(|character| !character.is_whitespace()).collect();
    let text = text.to_ascii_lowercase();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("{text}s"));
    }
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let short = match text.get(number.len()..)? {
        "sec" | "secs" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hr" | "hrs" | "hour" | "hours" => "h",
        "milli" | "millis" | "milliseconds" => "ms",
        "day" | "days" => "d",
        unit => unit,
    };
    let hours = number.parse::<u32>().ok().and_then(|days| days.checked_mul(24)).filter(|_| short == "d");
    Some(hours.map_or_else(|| format!("{number}{short}"), |hours| format!("{hours}h")))
}

fn padded(text: &str) -> Option<String> {
    let text = text.strip_prefix('v').unwrap_or(text);
    match text.matches('.').count() {
        0 => Some(format!("{text}.0.0")),
        1 => Some(format!("{text}.0")),
        _ => Some(text.to_owned()),
    }
}

fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    // The reader below also takes forms that an API server does not.
    let is_strict = bytes.get(10).is_some_and(|byte| matches!(byte, b'T' | b't')) && !text.contains(['[', ' ']);
    is_strict && text.parse::<jiff::Timestamp>().is_ok()
}

fn is_requirement(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.len() <= 9 && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() <= 3 && parts.iter().all(is_number) || semver::Version::parse(text).is_ok()
}

fn is_url(text: &str, schemes: &[&str]) -> bool {
    schemes.iter().any(|scheme| {
        text.strip_prefix(scheme).is_some_and(|rest| {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            !authority.is_empty() && !authority.starts_with(':') && !text.contains(|character: char| character.is_whitespace())
        })
    })
}

/// What stays on this machine may go without TLS.
fn is_loopback(url: &str) -> bool {
    let authority = url.strip_prefix("http://").and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let host = authority
        .strip_suffix(|last: char| last.is_ascii_digit())
        .and_then(|_| authority.rsplit_once(':'))
        .map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().or_else(|_| authority.parse()).is_ok_and(|address| address.is_loopback())
}

fn is_host(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(|label| is_name(label, 63))
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_quantity(text: &str) -> bool {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let suffix = text.get(number.len()..).unwrap_or_default();
    let is_decimal = !number.is_empty()
        && number.matches('.').count() <= 1
        && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_decimal && number != "." && ["", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"].contains(&suffix)
}

fn is_base64(text: &str) -> bool {
    let text: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let content = text.len() - padding;
    text.len().is_multiple_of(4)
        && padding <= 2
        && text.iter().take(content).all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_admit_and_suggest() {
        let check = |name: &str, text: &str, expected: Result<(), Option<&str>>| {
            let format = format(name).expect(name);
            let found = if format.admits(text) { Ok(()) } else { Err(format.suggestion(text)) };
            assert_eq!(found.as_ref().map_err(Option::as_deref), expected.as_ref().map_err(|text| *text), "{name} {text}");
        };
        check("duration", "1h30m", Ok(()));
        check("duration", "250ms", Ok(()));
        check("duration", "0s", Err(None));
        check("duration", "-5s", Err(Some("5s")));
        check("duration", "30", Err(Some("30s")));
        check("duration", "5 min", Err(Some("5m")));
        check("duration", "2d", Err(Some("48h")));
        check("lifetime", "90d", Ok(()));
        check("cidr", "10.0.0.0/8", Ok(()));
        check("cidr", "10.1.0.0/8", Err(Some("10.0.0.0/8")));
        check("cidr", "10.1.0.7", Err(Some("10.1.0.7/32")));
        check("network", "10.1.0.7", Ok(()));
        check("network", "fd00::1/8", Err(Some("fd00::/8")));
        check("network", "10.1/8", Err(None));
        check("date-time", "2026-09-01T00:00:00Z", Ok(()));
        check("date-time", "2026-09-01T02:00:00+02:00", Ok(()));
        check("date-time", "2026-09-01", Err(Some("2026-09-01T00:00:00Z")));
        check("date-time", "2026-09-01T00:00:00", Err(Some("2026-09-01T00:00:00Z")));
        check("date-time", "2026-13-01T00:00:00Z", Err(None));
        check("hostname", "*.example.com", Ok(()));
        check("hostname", "API.example.com.", Err(Some("api.example.com")));
        check("hostname", "https://x", Err(None));
        check("semver", "2.1.0", Ok(()));
        check("semver", "v2.1", Err(Some("2.1.0")));
        check("x-version-requirement", "2.1", Ok(()));
        check("x-version-requirement", "v2", Err(Some("2")));
        check("url", "http://x/y", Ok(()));
        check("url", "ftp://x", Err(None));
        check("https-url", "http://x", Err(Some("https://x")));
        check("x-issuer", "http://127.0.0.1:8080/realm", Ok(()));
        check("x-issuer", "http://[::1]/realm", Ok(()));
        check("x-issuer", "http://localhost", Ok(()));
        check("x-issuer", "http://id.example.com", Err(Some("https://id.example.com")));
        check("path", "orders", Err(Some("/orders")));
        check("header-name", "X-Api-Key:", Err(Some("X-Api-Key")));
        check("quantity", "1Mi", Ok(()));
        check("quantity", "1MiB", Err(Some("1Mi")));
        check("quantity", "1MB", Err(Some("1M")));
        check("regex", "a(?=b)", Err(None));
        check("socket-address", "127.0.0.1:80", Ok(()));
        check("byte", "c2VjcmV0", Ok(()));
        check("byte", "secret", Err(None));
    }
}
