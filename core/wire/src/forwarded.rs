//! Where a request says it came from, before that is removed at entry.
//!
//! Nothing here is believed: the caller walks from the right and stops at the first hop that it
//! does not trust.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::FORWARDED;

use crate::octets;

/// The addresses of `X-Forwarded-For`, or of `Forwarded` (RFC 7239) where that is absent, nearest
/// hop first. A hop that is no address is `None`: what lies behind it cannot be trusted either.
pub fn forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let plain = headers.get_all("x-forwarded-for");
    let elements = headers.get_all(FORWARDED);
    let has_plain = headers.contains_key("x-forwarded-for");
    let plain = plain.iter().rev().flat_map(|line| line.as_bytes().rsplit(|octet| *octet == b',')).map(address);
    let elements = elements.iter().rev().filter(move |_| !has_plain);
    let elements = elements.flat_map(|line| line.as_bytes().rsplit(|octet| *octet == b',')).map(element_address);
    plain.chain(elements)
}

/// The address of the `for` parameter.
fn element_address(element: &[u8]) -> Option<IpAddr> {
    element.split(|octet| *octet == b';').map(octets::trim).find_map(|pair| {
        let (name, value) = pair.split_at_checked(4)?;
        let value = value.strip_prefix(b"\"").map_or(Some(value), |quoted| quoted.strip_suffix(b"\""))?;
        name.eq_ignore_ascii_case(b"for=").then(|| address(value))
    })?
}

/// An address with or without a port, IPv6 with or without brackets.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(octets::trim(text)).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = match bare {
        Some(bare) => IpAddr::V6(bare.parse().ok()?),
        None => text.parse().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip())).ok()?,
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn check(lines: &[(&str, &str)], expected: &[Option<&str>]) {
        let headers: HeaderMap = lines
            .iter()
            .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap()))
            .collect();
        let seen: Vec<_> = forwarded_for(&headers).collect();
        let expected: Vec<Option<IpAddr>> = expected.iter().map(|hop| hop.map(|hop| hop.parse().unwrap())).collect();
        assert_eq!(seen, expected, "{lines:?}");
    }

    #[test]
    fn hops_are_read_from_the_right() {
        check(&[], &[]);
        check(&[("x-forwarded-for", "1.1.1.1, 2.2.2.2")], &[Some("2.2.2.2"), Some("1.1.1.1")]);
        check(
            &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2,3.3.3.3")],
            &[Some("3.3.3.3"), Some("2.2.2.2"), Some("1.1.1.1")],
        );
        check(
            &[("x-forwarded-for", "1.1.1.1:80, [2001:db8::1]:443, 2001:db8::2, [2001:db8::3]")],
            &[Some("2001:db8::3"), Some("2001:db8::2"), Some("2001:db8::1"), Some("1.1.1.1")],
        );
        check(&[("x-forwarded-for", "::ffff:10.0.0.1")], &[Some("10.0.0.1")]);
        check(&[("x-forwarded-for", "unknown, 1.1.1.1,")], &[None, Some("1.1.1.1"), None]);
        check(&[("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=9.9.9.9")], &[Some("1.1.1.1")]);
        check(
            &[("forwarded", "for=1.1.1.1;proto=https, by=x; FOR=\"[2001:db8::1]:80\""), ("forwarded", "for=_hidden, proto=http")],
            &[None, None, Some("2001:db8::1"), Some("1.1.1.1")],
        );
    }
}
