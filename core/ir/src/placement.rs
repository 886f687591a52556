//! Where a pod listens for the ports of its Gateway.

use std::ops::RangeInclusive;

/// Ports of the pod where the privileged ports of listeners are: 1 to 1023, moved up by [`MOVED`].
const PRIVILEGED: RangeInclusive<u16> = 8_001..=9_023;
const MOVED: u16 = 8_000;

/// Management and metrics of the pod.
const OWN: RangeInclusive<u16> = 9_090..=9_091;

/// How far listeners that ask for one of the ports above are moved up.
const ASIDE: u16 = 42_000;

/// The port of the pod that serves a listener's port: 80 is 8080, 443 is 8443, any other below 1024
/// is 8000 higher, because the pod has no privileges. The Service in front maps them back. `None` for the few ports
/// (50001 to 51023, 51090, 51091) that stand in for what the pod uses itself: no Gateway can have them, so
/// that two listeners never share a port of the pod.
#[must_use]
pub fn container_port(listener: u16) -> Option<u16> {
    let taken = |port: u16| PRIVILEGED.contains(&port) || OWN.contains(&port);
    match listener {
        0 => None,
        1..=1023 => Some(listener + MOVED),
        _ if taken(listener) => Some(listener + ASIDE),
        _ if listener.checked_sub(ASIDE).is_some_and(taken) => None,
        _ => Some(listener),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn listeners_have_ports_of_their_own_that_need_no_privileges() {
        let check = |listener, expected| assert_eq!(container_port(listener), expected, "{listener}");
        check(0, None);
        check(53, Some(8053));
        check(80, Some(8080));
        check(443, Some(8443));
        check(1024, Some(1024));
        check(8000, Some(8000));
        check(8080, Some(50_080));
        check(8443, Some(50_443));
        check(9091, Some(51_091));
        check(50_080, None);
        check(51_091, None);
        check(u16::MAX, Some(u16::MAX));
        let mut used = BTreeMap::new();
        for listener in 1..=u16::MAX {
            if let Some(port) = container_port(listener) {
                assert!(port > 1023 && !OWN.contains(&port), "{listener}");
                assert_eq!(used.insert(port, listener), None, "{listener}");
            }
        }
    }
}
