//! Which addresses a backend may lead to, whatever its name resolves to.
//!
//! Judged is what somebody wrote: the host of a URL and the `externalName` of a Service, as names and as addresses.
//! The addresses of EndpointSlices are the cluster's own and are not judged.
//!
//! Whoever may write an ApiRoute in a cluster must not reach through the data plane what only the data plane
//! reaches: its own loopback, the metadata service of a cloud, the API server, other networks. Addresses are judged
//! after a name has been resolved and before a connection is opened, each time, so that a name that
//! leads elsewhere the next moment changes nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ir::Reach;

/// Judges addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    reach: Reach,
    never: Arc<[IpAddr]>,
}

impl Guard {
    /// What names may lead to; `never` are addresses that they may not unless they may lead anywhere, such as the API
    /// server's.
    #[must_use]
    pub const fn new(reach: Reach, never: Arc<[IpAddr]>) -> Self {
        Self { reach, never }
    }

    /// Why an address that a name leads to may not be called.
    #[must_use]
    pub fn refuses(&self, address: IpAddr) -> Option<&'static str> {
        if self.reach == Reach::Anywhere {
            return None;
        }
        let address = reached(address);
        if self.never.iter().any(|never| reached(*never) == address) {
            return Some("the API server's");
        }
        match self.reach {
            _ if is_own(address) => Some(OWN),
            Reach::Public if is_private(address) => Some("private"),
            Reach::Public | Reach::Private | Reach::Anywhere => None,
        }
    }
}

/// What an address is that no configuration of a cluster lets a name lead to.
pub const OWN: &str = "loopback or link-local";

/// Whether an address is that of the caller's own machine or wire, which no configuration of a cluster lets a name lead
/// to.
#[must_use]
pub fn is_own(address: IpAddr) -> bool {
    match reached(address) {
        IpAddr::V4(address) => is_own_v4(address),
        IpAddr::V6(address) => is_own_v6(address),
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

/// The address that a packet to this one reaches: IPv4 inside IPv6 (RFC 4291 section 2.5.5, RFC 6052) is IPv4.
fn reached(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => match six.segments() {
            [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
            // `::` and `::1` are addresses of their own.
            [0, 0, 0, 0, 0, 0, high, low] if high > 0 => embedded(high, low),
            _ => address,
        },
        IpAddr::V4(_) => address,
    }
}

fn embedded(high: u16, low: u16) -> IpAddr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)).into()
}

/// This machine, or this wire: RFC 1122 section 3.2.1.3, RFC 3927.
const fn is_own_v4(address: Ipv4Addr) -> bool {
    address.octets()[0] == 0 || address.is_loopback() || address.is_link_local() || address.is_broadcast()
}

/// RFC 4291 sections 2.5.2, 2.5.3 and 2.5.6; and the metadata service of a cloud that has a private address.
const fn is_own_v6(address: Ipv6Addr) -> bool {
    const METADATA: [u16; 8] = [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254];
    let is_metadata = matches!(address.segments(), METADATA);
    address.is_unspecified() || address.is_loopback() || address.is_unicast_link_local() || is_metadata
}

/// RFC 1918, RFC 6598, RFC 6890 (192.0.0.0/24), RFC 2544.
const fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    address.is_private()
        || (first == 100 && second & 0xc0 == 64)
        || (first == 192 && second == 0 && third == 0)
        || (first == 198 && second & 0xfe == 18)
}

/// RFC 4193, and the site-local addresses that it replaced (RFC 3879).
const fn is_private_v6(address: Ipv6Addr) -> bool {
    address.is_unique_local() || address.segments()[0] & 0xffc0 == 0xfec0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_refused_by_reach() {
        fn check(address: &str, private: Option<&str>, public: Option<&str>) {
            let address: IpAddr = address.parse().unwrap();
            let never: Arc<[IpAddr]> = Arc::from(["203.0.113.6".parse().unwrap()]);
            let found = |reach| Guard::new(reach, Arc::clone(&never)).refuses(address);
            assert_eq!(found(Reach::Anywhere), None, "{address} anywhere");
            assert_eq!(found(Reach::Private), private, "{address} privately");
            assert_eq!(found(Reach::Public), public, "{address} publicly");
        }
        let own = Some("loopback or link-local");
        for address in
            ["127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "169.254.169.254", "::1", "::", "fe80::1", "fd00:ec2::254"]
        {
            check(address, own, own);
        }
        for address in ["::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::a9fe:a9fe"] {
            check(address, own, own);
        }
        for address in ["10.0.0.1", "172.31.255.1", "192.168.1.1", "100.64.0.1", "198.19.0.1", "192.0.0.8", "fd12::1", "fec0::1"]
        {
            check(address, None, Some("private"));
        }
        check("::ffff:10.0.0.1", None, Some("private"));
        let api = Some("the API server's");
        check("203.0.113.6", api, api);
        check("::ffff:203.0.113.6", api, api);
        for address in ["203.0.113.7", "100.128.0.1", "172.32.0.1", "2001:db8::1", "64:ff9b::cb00:7107"] {
            check(address, None, None);
        }
    }
}
