//! The header that a load balancer puts before a connection: PROXY protocol, version 1 and 2.
//!
//! Only the source address is taken from it. Whoever can connect can write this header, so it is
//! looked for only where the operator said that a load balancer stands in front.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Most bytes of a header of version 1, its line end included (section 2.1 of the specification).
const TEXT_BYTES: usize = 107;
/// Fewest bytes of any header: `PROXY UNKNOWN` and its line end.
const LEAST_BYTES: usize = 15;
/// What a header of version 1 begins with.
const TEXT: &[u8] = b"PROXY ";
/// What a header of version 2 begins with.
const BINARY: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Most bytes behind the fixed part of a header of version 2. The specification has the largest
/// addresses take 216; the rest is for extensions, which are passed over.
const BINARY_BYTES: usize = 536;
/// Bytes of the fixed part of a header of version 2.
const FIXED_BYTES: usize = 16;

/// Most bytes of any header.
pub const HEADER_BYTES: usize = FIXED_BYTES + BINARY_BYTES;

/// What the bytes so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The beginning of a header; every header that begins so has at least this many bytes.
    Incomplete {
        /// Counted from the first byte of the connection; more than there are.
        needed: usize,
    },
    /// A whole header.
    Header {
        /// Who connected to the load balancer; nothing where it speaks for itself (a health
        /// check) or does not know.
        source: Option<SocketAddr>,
        /// How many bytes the header has; what the client sent begins behind them.
        length: usize,
    },
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// They begin in another way.
    Signature,
    /// The line of version 1 is too long, or is not what the specification says.
    Text,
    /// A version, command or protocol that version 2 does not have, or too few bytes for its addresses.
    Binary,
    /// More bytes than are accepted.
    TooLong,
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Signature => "the connection does not begin with a PROXY protocol header",
            Self::Text => "the PROXY protocol line is not valid",
            Self::Binary => "the PROXY protocol header is not valid",
            Self::TooLong => "the PROXY protocol header is too long",
        })
    }
}

impl std::error::Error for Invalid {}

/// Judges everything received on a connection so far; what stands behind the header is not looked at.
///
/// # Errors
/// The bytes are not the beginning of a header.
pub fn parse(bytes: &[u8]) -> Result<Parsed, Invalid> {
    if bytes.starts_with(BINARY) {
        binary(bytes)
    } else if bytes.starts_with(TEXT) {
        text(bytes)
    } else if BINARY.starts_with(bytes) || TEXT.starts_with(bytes) {
        Ok(Parsed::Incomplete { needed: LEAST_BYTES })
    } else {
        Err(Invalid::Signature)
    }
}

fn text(bytes: &[u8]) -> Result<Parsed, Invalid> {
    let head = bytes.get(..TEXT_BYTES).unwrap_or(bytes);
    let Some(end) = memchr::memchr(b'\n', head) else {
        return if bytes.len() < TEXT_BYTES {
            Ok(Parsed::Incomplete { needed: LEAST_BYTES.max(bytes.len() + 1) })
        } else {
            Err(Invalid::Text)
        };
    };
    let line = head.get(TEXT.len()..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(Invalid::Text)?;
    let line = std::str::from_utf8(line).map_err(|_| Invalid::Text)?;
    let source = source_of_line(line).ok_or(Invalid::Text)?;
    Ok(Parsed::Header { source, length: end + 1 })
}

/// `TCP4 192.0.2.1 192.0.2.2 1234 80`, behind `PROXY `.
fn source_of_line(line: &str) -> Option<Option<SocketAddr>> {
    let mut words = line.split(' ');
    let is_ipv6 = match words.next()? {
        "TCP4" => false,
        "TCP6" => true,
        // What follows is to be passed over.
        "UNKNOWN" => return Some(None),
        _ => return None,
    };
    let mut address = || {
        let word = words.next()?;
        if is_ipv6 { word.parse().map(IpAddr::V6).ok() } else { word.parse().map(IpAddr::V4).ok() }
    };
    let (source, _) = (address()?, address()?);
    let (port, _) = (port(words.next()?)?, port(words.next()?)?);
    words.next().is_none().then_some(Some(SocketAddr::new(source.to_canonical(), port)))
}

/// Decimal digits without a sign or a zero before them.
fn port(word: &str) -> Option<u16> {
    let is_plain = word == "0" || !word.starts_with(['0', '+']);
    word.parse().ok().filter(|_| is_plain)
}

fn binary(bytes: &[u8]) -> Result<Parsed, Invalid> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED_BYTES>() else {
        return Ok(Parsed::Incomplete { needed: FIXED_BYTES });
    };
    let [.., command, protocol, high, low] = *fixed;
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(Invalid::Binary),
    };
    if protocol >> 4 > 3 || protocol & 0xf > 2 {
        return Err(Invalid::Binary);
    }
    let behind = usize::from(u16::from_be_bytes([high, low]));
    if behind > BINARY_BYTES {
        return Err(Invalid::TooLong);
    }
    let length = FIXED_BYTES + behind;
    let Some(block) = rest.get(..behind) else { return Ok(Parsed::Incomplete { needed: length }) };
    let source = match protocol {
        _ if is_local => None,
        0x11 => Some(source_of_block::<4>(block, |octets| Ipv4Addr::from(octets).into())?),
        0x21 => Some(source_of_block::<16>(block, |octets| Ipv6Addr::from(octets).to_canonical())?),
        // Sockets of a file system, datagrams and the unspecified have no address for us.
        _ => None,
    };
    Ok(Parsed::Header { source, length })
}

/// The source of a block of two addresses and two ports.
fn source_of_block<const OCTETS: usize>(block: &[u8], address: impl Fn([u8; OCTETS]) -> IpAddr) -> Result<SocketAddr, Invalid> {
    let (source, rest) = block.split_first_chunk::<OCTETS>().ok_or(Invalid::Binary)?;
    let (_, ports) = rest.split_first_chunk::<OCTETS>().ok_or(Invalid::Binary)?;
    let &[high, low, _, _] = ports.first_chunk::<4>().ok_or(Invalid::Binary)?;
    Ok(SocketAddr::new(address(*source), u16::from_be_bytes([high, low])))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Judges a header with request bytes behind it, and each beginning of it.
    fn check(header: &[u8], expected: Result<Option<&str>, Invalid>) {
        let whole = [header, b"GET / HTTP/1.1\r\n"].concat();
        let expected =
            expected.map(|source| Parsed::Header { source: source.map(|text| text.parse().unwrap()), length: header.len() });
        let shown = header.escape_ascii();
        assert_eq!(parse(&whole), expected, "{shown}");
        for cut in 0..header.len() {
            match parse(&header[..cut]) {
                Ok(Parsed::Incomplete { needed }) => {
                    assert!(needed > cut && (needed <= header.len() || expected.is_err()), "{shown} at {cut}: {needed}");
                }
                found => assert_eq!(found, expected, "{shown} at {cut}"),
            }
        }
    }

    #[test]
    fn lines_of_version_1() {
        for (line, source) in [
            ("TCP4 192.0.2.1 192.0.2.2 1234 80", Some("192.0.2.1:1234")),
            ("TCP4 255.255.255.255 255.255.255.255 65535 65535", Some("255.255.255.255:65535")),
            ("TCP4 192.0.2.1 192.0.2.2 0 0", Some("192.0.2.1:0")),
            ("TCP6 2001:db8::1 2001:db8::2 1234 443", Some("[2001:db8::1]:1234")),
            ("TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1234 443", Some("192.0.2.1:1234")),
            ("UNKNOWN", None),
            ("UNKNOWN ffff:: anything 1 x", None),
        ] {
            check(format!("PROXY {line}\r\n").as_bytes(), Ok(source));
        }
        for line in [
            "",
            "TCP4",
            "TCP5 192.0.2.1 192.0.2.2 1234 80",
            "tcp4 192.0.2.1 192.0.2.2 1234 80",
            "TCP4 192.0.2.1 192.0.2.2 1234",
            "TCP4 192.0.2.1 192.0.2.2 1234 80 ",
            "TCP4  192.0.2.1 192.0.2.2 1234 80",
            "TCP4 192.0.2.01 192.0.2.2 1234 80",
            "TCP4 2001:db8::1 2001:db8::2 1234 80",
            "TCP6 192.0.2.1 192.0.2.2 1234 80",
            "TCP6 fe80::1%1 fe80::2 1234 80",
            "TCP4 192.0.2.1 192.0.2.2 +1234 80",
            "TCP4 192.0.2.1 192.0.2.2 01234 80",
            "TCP4 192.0.2.1 192.0.2.2 65536 80",
            "TCP4 192.0.2.1 192.0.2.2 1234 -1",
            "UNKNOWNS",
        ] {
            check(format!("PROXY {line}\r\n").as_bytes(), Err(Invalid::Text));
        }
        check(b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\n", Err(Invalid::Text));
        check(b"PROXY UNKNOWN \xff\r\n", Err(Invalid::Text));
        let filled = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
        check(filled(107).as_bytes(), Ok(None));
        check(filled(108).as_bytes(), Err(Invalid::Text));
    }

    /// A header of version 2.
    fn block(command: u8, protocol: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).unwrap().to_be_bytes();
        [&BINARY[..], &[command, protocol], &length, block].concat()
    }

    #[test]
    fn blocks_of_version_2() {
        let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 4, 210, 0, 80];
        let address = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
        let v6 = |source: &str| [&address(source)[..], &address("2001:db8::2"), &[4, 210, 1, 187]].concat();
        let with = |addresses: &[u8], more: usize| [addresses, &vec![7; more]].concat();
        for (header, source) in [
            (block(0x21, 0x11, &v4), Some("192.0.2.1:1234")),
            (block(0x21, 0x11, &with(&v4, 9)), Some("192.0.2.1:1234")),
            (block(0x21, 0x11, &with(&v4, 524)), Some("192.0.2.1:1234")),
            (block(0x21, 0x21, &v6("2001:db8::1")), Some("[2001:db8::1]:1234")),
            (block(0x21, 0x21, &with(&v6("2001:db8::1"), 3)), Some("[2001:db8::1]:1234")),
            (block(0x21, 0x21, &v6("::ffff:192.0.2.1")), Some("192.0.2.1:1234")),
            (block(0x21, 0x31, &[b'/'; 216]), None),
            (block(0x21, 0x12, &v4), None),
            (block(0x21, 0x22, &v6("2001:db8::1")), None),
            (block(0x21, 0x00, &[]), None),
            (block(0x20, 0x00, &[]), None),
            (block(0x20, 0x11, &v4), None),
            (block(0x20, 0x11, &[1]), None),
        ] {
            check(&header, Ok(source));
        }
        for (header, why) in [
            (block(0x11, 0x11, &v4), Invalid::Binary),
            (block(0x22, 0x11, &v4), Invalid::Binary),
            (block(0x31, 0x11, &v4), Invalid::Binary),
            (block(0x21, 0x41, &v4), Invalid::Binary),
            (block(0x21, 0x13, &v4), Invalid::Binary),
            (block(0x21, 0x11, &v4[..11]), Invalid::Binary),
            (block(0x21, 0x11, &[]), Invalid::Binary),
            (block(0x21, 0x21, &v6("2001:db8::1")[..35]), Invalid::Binary),
            (block(0x21, 0x11, &with(&v4, 525)), Invalid::TooLong),
            (block(0x20, 0x00, &[0; 65_535]), Invalid::TooLong),
        ] {
            check(&header, Err(why));
        }
    }

    #[test]
    fn what_begins_otherwise_is_refused_at_its_first_byte() {
        for text in
            ["GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "\x16\x03\x01", "PROXY\t", "proxy ", "\r\n\r\n\0\r\nQUIT\r", "\r\n\r\nx"]
        {
            assert_eq!(parse(text.as_bytes()), Err(Invalid::Signature), "{text:?}");
        }
        assert_eq!(parse(b""), Ok(Parsed::Incomplete { needed: 15 }));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_no_header_is_longer_than_allowed(
            start in prop_oneof![Just(Vec::new()), Just(TEXT.to_vec()), Just(BINARY.to_vec()), Just(b"PROXY TCP4 ".to_vec()), Just([&BINARY[..], &[0x21]].concat())],
            rest in proptest::collection::vec(any::<u8>(), 0..700),
        ) {
            let bytes = [start, rest].concat();
            match parse(&bytes) {
                Ok(Parsed::Header { length, .. }) => prop_assert!(length <= bytes.len() && length <= HEADER_BYTES),
                Ok(Parsed::Incomplete { needed }) => prop_assert!(needed > bytes.len() && needed <= HEADER_BYTES),
                Err(Invalid::Signature | Invalid::Text | Invalid::Binary | Invalid::TooLong) => {}
            }
        }
    }
}
