//! Addresses as people type and read them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Reads `IP:PORT`.
///
/// # Errors
/// Any other text, with what it may have meant.
pub(crate) fn parse(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let meant = if text.parse::<u16>().is_ok() {
        Some(format!("127.0.0.1:{text}"))
    } else {
        text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).map(|port| format!("127.0.0.1:{port}"))
    };
    let meant = meant.filter(|meant| meant.parse::<SocketAddr>().is_ok());
    let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    Err(format!("expected an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080{meant}"))
}

/// Where somebody on this machine reaches a listening address.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Every address of a machine that has these, separated by commas: of both families where one is of IPv6, which a
/// machine without IPv6 could not listen on.
pub(crate) fn every(own: &str) -> IpAddr {
    let mut own = own.split(',').filter_map(|text| text.trim().parse::<IpAddr>().ok());
    if own.any(|address| address.is_ipv6()) { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_what_was_meant_is_told() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let found = parse(text).map(|address| address.to_string());
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(found), Err(expected)) => assert!(found.ends_with(expected), "{text}: {found}"),
                (found, expected) => panic!("{text}: {found:?} is not {expected:?}"),
            }
        };
        check("127.0.0.1:0", Ok("127.0.0.1:0"));
        check("[::1]:9", Ok("[::1]:9"));
        check("8080", Err("did you mean `127.0.0.1:8080`?"));
        check(":8080", Err("did you mean `127.0.0.1:8080`?"));
        check("localhost:80", Err("did you mean `127.0.0.1:80`?"));
        check("localhost:http", Err("[::1]:8080"));
        check("70000", Err("[::1]:8080"));
        check("", Err("[::1]:8080"));
    }

    #[test]
    fn both_families_are_listened_on_where_there_are_both() {
        for (own, expected) in [("", "0.0.0.0"), ("10.0.0.1", "0.0.0.0"), ("10.0.0.1,fd00::1", "::"), ("fd00::1", "::")] {
            assert_eq!(every(own).to_string(), expected, "{own}");
        }
    }

    #[test]
    fn every_address_is_reached_at_loopback() {
        let check = |text: &str, expected: &str| {
            assert_eq!(reachable(parse(text).unwrap()).to_string(), expected);
        };
        check("0.0.0.0:8080", "127.0.0.1:8080");
        check("[::]:8080", "[::1]:8080");
        check("10.0.0.1:8080", "10.0.0.1:8080");
    }
}
