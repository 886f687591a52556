//! Which client addresses may call, and which address is the client's.
//!
//! Networks either nest or are disjoint, so a set without the nested ones is a sorted list of
//! disjoint ranges: one binary search, whatever its size. IPv4 written as IPv6 (`::ffff:a.b.c.d`)
//! is IPv4 here, in networks and in clients.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use cause::{Address, ObjectName};
use ipnet::IpNet;
use ir::{Addresses, Enforcement};

/// A compiled set of networks.
#[derive(Clone, Debug, Default)]
pub struct Networks {
    v4: Vec<Range<u32>>,
    v6: Vec<Range<u128>>,
}

#[derive(Clone, Debug)]
struct Range<T> {
    first: T,
    last: T,
    network: IpNet,
}

impl Networks {
    /// A set of these networks.
    #[must_use]
    pub fn new(networks: &[IpNet]) -> Self {
        let mut set = Self::default();
        for network in networks {
            match unmapped(*network) {
                IpNet::V4(v4) => {
                    set.v4.push(Range { first: v4.network().to_bits(), last: v4.broadcast().to_bits(), network: IpNet::V4(v4) })
                }
                IpNet::V6(v6) => {
                    set.v6.push(Range { first: v6.network().to_bits(), last: v6.broadcast().to_bits(), network: IpNet::V6(v6) })
                }
            }
        }
        flatten(&mut set.v4);
        flatten(&mut set.v6);
        set
    }

    /// Whether the set names nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// The widest network of the set that holds the address.
    #[must_use]
    pub fn holder_of(&self, client: IpAddr) -> Option<&IpNet> {
        match client.to_canonical() {
            IpAddr::V4(v4) => search(&self.v4, v4.to_bits()),
            IpAddr::V6(v6) => search(&self.v6, v6.to_bits()),
        }
    }
}

fn unmapped(network: IpNet) -> IpNet {
    if let IpNet::V6(v6) = network
        && let (Some(v4), Some(length)) = (v6.network().to_ipv4_mapped(), v6.prefix_len().checked_sub(96))
        && let Ok(mapped) = IpNet::new(IpAddr::V4(v4), length)
    {
        return mapped;
    }
    network
}

/// Sorts, and drops what lies within a wider network.
fn flatten<T: Copy + Ord>(ranges: &mut Vec<Range<T>>) {
    ranges.sort_by(|a, b| a.first.cmp(&b.first).then(b.last.cmp(&a.last)));
    let mut covered: Option<T> = None;
    ranges.retain(|range| {
        let nested = covered.is_some_and(|last| range.last <= last);
        if !nested {
            covered = Some(range.last);
        }
        !nested
    });
}

fn search<T: Copy + Ord>(ranges: &[Range<T>], address: T) -> Option<&IpNet> {
    let behind = ranges.partition_point(|range| range.first <= address);
    let range = ranges.get(behind.checked_sub(1)?)?;
    (address <= range.last).then_some(&range.network)
}

/// Allow and deny lists of a route or key.
#[derive(Clone, Debug)]
pub struct AddressRules {
    /// `None` where both are empty, as they mostly are.
    lists: Option<Box<Lists>>,
    /// Whether they refuse.
    pub enforcement: Enforcement,
}

#[derive(Clone, Debug)]
struct Lists {
    allow: Networks,
    deny: Networks,
}

/// What the lists say of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressVerdict<'a> {
    /// It may call.
    Admitted,
    /// This network of the deny list holds it.
    Denied(&'a IpNet),
    /// There is an allow list, and nothing in it holds the address.
    NotAllowed,
}

impl AddressRules {
    /// Compiles the lists.
    #[must_use]
    pub fn compile(addresses: &Addresses) -> Self {
        let lists = Lists { allow: Networks::new(&addresses.allow), deny: Networks::new(&addresses.deny) };
        let is_empty = lists.allow.is_empty() && lists.deny.is_empty();
        Self { lists: (!is_empty).then(|| Box::new(lists)), enforcement: addresses.enforcement }
    }

    /// Whether every address may call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists.is_none()
    }

    /// What the lists say, whatever their enforcement: deny first, then allow.
    #[must_use]
    pub fn judge(&self, client: IpAddr) -> AddressVerdict<'_> {
        let Some(Lists { allow, deny }) = self.lists.as_deref() else { return AddressVerdict::Admitted };
        if let Some(network) = deny.holder_of(client) {
            AddressVerdict::Denied(network)
        } else if allow.is_empty() || allow.holder_of(client).is_some() {
            AddressVerdict::Admitted
        } else {
            AddressVerdict::NotAllowed
        }
    }

    /// What the lists say of an address, in words for their owner.
    #[must_use]
    pub fn told(&self, client: IpAddr) -> String {
        match self.judge(client) {
            AddressVerdict::Denied(network) => format!("deny list: {network}"),
            AddressVerdict::NotAllowed => "allow list: nothing in it".to_owned(),
            AddressVerdict::Admitted => match self.lists.as_deref() {
                None => "allow list: none".to_owned(),
                Some(Lists { allow, .. }) => match allow.holder_of(client) {
                    Some(network) => format!("allow list: {network}"),
                    None => "allow list: none, deny list: nothing in it".to_owned(),
                },
            },
        }
    }

    /// What the lists of a route say, as a cause, whatever their enforcement.
    ///
    /// # Errors
    /// `address.denied` or `address.not_allowed`.
    pub fn judge_route(&self, client: IpAddr, route: &ObjectName) -> Result<(), Address> {
        let client = client.to_canonical();
        match self.judge(client) {
            AddressVerdict::Admitted => Ok(()),
            AddressVerdict::Denied(network) => {
                Err(Address::Denied { client, network: Arc::from(network.to_string()), route: route.clone() })
            }
            AddressVerdict::NotAllowed => Err(Address::NotAllowed { client, route: route.clone() }),
        }
    }

    /// What the lists of a key say, as a cause, whatever their enforcement.
    ///
    /// # Errors
    /// `address.key_not_allowed`.
    pub fn judge_key(&self, client: IpAddr, key: &ObjectName) -> Result<(), Address> {
        match self.judge(client) {
            AddressVerdict::Admitted => Ok(()),
            AddressVerdict::Denied(_) | AddressVerdict::NotAllowed => {
                Err(Address::KeyNotAllowed { client: client.to_canonical(), key: key.clone() })
            }
        }
    }
}

/// How a proxy before us writes its client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedForm {
    /// `X-Forwarded-For`: addresses between commas.
    List,
    /// `Forwarded` (RFC 7239): elements with a `for` parameter.
    Elements,
}

/// The client's address behind `hops` trusted proxies: the entry that the outermost of them added,
/// counted from the right over all lines of the field. `None` where there are fewer entries or
/// that entry is no address (`unknown`, `_hidden`, junk): then the peer is all that is known.
pub fn client_address<'a>(lines: impl DoubleEndedIterator<Item = &'a [u8]>, form: ForwardedForm, hops: u8) -> Option<IpAddr> {
    let mut left = usize::from(hops.max(1));
    for line in lines.rev() {
        let line = std::str::from_utf8(line).ok()?;
        let entries = entries(line, form).count();
        if left > entries {
            left -= entries;
            continue;
        }
        let entry = entries_at(line, form, entries - left)?;
        return match form {
            ForwardedForm::List => node(entry),
            ForwardedForm::Elements => element(entry),
        };
    }
    None
}

fn entries_at(line: &str, form: ForwardedForm, index: usize) -> Option<&str> {
    entries(line, form).nth(index)
}

/// The parts between commas, those in quotes apart.
fn entries(line: &str, form: ForwardedForm) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    line.split(move |character| {
        let quotes = form == ForwardedForm::Elements;
        if escaped {
            escaped = false;
        } else if quotes && quoted && character == '\\' {
            escaped = true;
        } else if quotes && character == '"' {
            quoted = !quoted;
        } else {
            return character == ',' && !quoted;
        }
        false
    })
}

/// The `for` parameter of one element (RFC 7239 section 4).
fn element(entry: &str) -> Option<IpAddr> {
    entry.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("for") {
            return None;
        }
        let value = value.trim();
        node(value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value))
    })
}

/// An address with or without brackets and port.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules(allow: &[&str], deny: &[&str]) -> AddressRules {
        let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        AddressRules::compile(&Addresses { allow: networks(allow), deny: networks(deny), enforcement: Enforcement::Enforce })
    }

    #[test]
    fn lists_say_who_may_call() {
        fn check(allow: &[&str], deny: &[&str], client: &str, expected: &str) {
            let rules = rules(allow, deny);
            let said = match rules.judge(client.parse().unwrap()) {
                AddressVerdict::Admitted => "admitted".to_owned(),
                AddressVerdict::Denied(network) => network.to_string(),
                AddressVerdict::NotAllowed => "not allowed".to_owned(),
            };
            assert_eq!(said, expected, "{allow:?} {deny:?} {client}");
        }
        let (all, most) = (["10.0.0.0/8"], ["10.66.0.0/16", "10.66.1.0/24"]);
        check(&all, &most, "10.1.2.3", "admitted");
        check(&all, &most, "10.66.1.9", "10.66.0.0/16");
        check(&all, &most, "10.67.0.0", "admitted");
        check(&all, &most, "9.255.255.255", "not allowed");
        check(&all, &most, "11.0.0.0", "not allowed");
        check(&all, &most, "::1", "not allowed");
        check(&all, &most, "::ffff:10.66.1.9", "10.66.0.0/16");
        check(&["::ffff:10.0.0.0/104"], &[], "10.9.9.9", "admitted");
        check(&["2001:db8::/32"], &["2001:db8:1::/48"], "2001:db8:1::7", "2001:db8:1::/48");
        check(&["2001:db8::/32"], &[], "2001:db8:ffff::7", "admitted");
        check(&["0.0.0.0/0"], &[], "2001:db8::7", "not allowed");
        check(&["0.0.0.0/0", "::/0"], &["255.255.255.255/32"], "255.255.255.255", "255.255.255.255/32");
        check(&[], &[], "203.0.113.7", "admitted");
    }

    #[test]
    fn the_client_is_counted_from_the_right() {
        fn check(form: ForwardedForm, lines: &[&str], hops: u8, expected: Option<&str>) {
            let found = client_address(lines.iter().map(|line| line.as_bytes()), form, hops);
            assert_eq!(found, expected.map(|text| text.parse().unwrap()), "{lines:?} {hops}");
        }
        let list = ["198.51.100.1, 203.0.113.2", "203.0.113.3"];
        check(ForwardedForm::List, &list, 1, Some("203.0.113.3"));
        check(ForwardedForm::List, &list, 2, Some("203.0.113.2"));
        check(ForwardedForm::List, &list, 3, Some("198.51.100.1"));
        check(ForwardedForm::List, &list, 4, None);
        check(ForwardedForm::List, &["203.0.113.3:4711"], 1, Some("203.0.113.3"));
        check(ForwardedForm::List, &["2001:db8::1"], 1, Some("2001:db8::1"));
        check(ForwardedForm::List, &["[2001:db8::1]:80"], 1, Some("2001:db8::1"));
        check(ForwardedForm::List, &["::ffff:192.0.2.1"], 1, Some("192.0.2.1"));
        check(ForwardedForm::List, &["10.0.0.1, unknown"], 1, None);
        check(ForwardedForm::List, &["10.0.0.1,"], 1, None);
        check(ForwardedForm::List, &[], 1, None);
        let elements = [r#"for=192.0.2.43;proto=http, FOR="[2001:db8:cafe::17]:4711";by="a,b""#];
        check(ForwardedForm::Elements, &elements, 1, Some("2001:db8:cafe::17"));
        check(ForwardedForm::Elements, &elements, 2, Some("192.0.2.43"));
        check(ForwardedForm::Elements, &elements, 3, None);
        check(ForwardedForm::Elements, &["for=_hidden"], 1, None);
        check(ForwardedForm::Elements, &["proto=https"], 1, None);
    }

    proptest! {
        #[test]
        fn a_set_holds_what_one_of_its_networks_holds(
            bits in prop::collection::vec((any::<u32>(), 0_u8..=32), 0..60),
            clients in prop::collection::vec(any::<u32>(), 20),
        ) {
            let networks: Vec<IpNet> = bits
                .iter()
                .map(|(address, length)| IpNet::new(IpAddr::V4((*address).into()), *length).unwrap().trunc())
                .collect();
            let set = Networks::new(&networks);
            for client in clients.into_iter().chain(bits.iter().map(|(address, _)| *address)) {
                let client = IpAddr::V4(client.into());
                prop_assert_eq!(set.holder_of(client).is_some(), networks.iter().any(|network| network.contains(&client)));
            }
        }
    }
}
