//! Which listeners take a route.

use std::collections::BTreeSet;

use cause::{BrokenReference, FaultCause, FieldPath, Listed, ObjectName, ObjectRef};
use crds::v1alpha1::ParentRef;
use ir::{HostPattern, Listener, ListenerId};

use crate::gateways::{self, Listeners};
use crate::report::Report;
use crate::world::{Found, Missing, World, target};

/// The listeners that take a route with these hosts.
pub(crate) fn attach(
    world: &World<'_>,
    listeners: &Listeners,
    own: &ObjectName,
    (parents, hosts): (Option<&[ParentRef]>, &[HostPattern]),
    report: &mut Report,
) -> BTreeSet<ListenerId> {
    let mut taken = BTreeSet::new();
    match parents {
        None => {
            let at = FieldPath::of("spec");
            match default_gateway(world) {
                Ok(gateway) => take(listeners, (own, hosts), (&gateway, None), (&at, report), &mut taken),
                Err(cause) => {
                    report.error(&at, cause);
                }
            }
        }
        Some(parents) => {
            for (index, parent) in parents.iter().enumerate() {
                let at = FieldPath::of("spec.parentRefs").index(index);
                let name = target(&parent.name, parent.namespace.as_ref(), own);
                match gateway_exists(world, &name) {
                    Ok(true) => {
                        let parent = (&name, parent.section_name.as_deref());
                        take(listeners, (own, hosts), parent, (&at, report), &mut taken);
                    }
                    Ok(false) => {}
                    Err(cause) => {
                        report.error(&at, cause);
                    }
                }
            }
        }
    }
    taken
}

/// Whether the Gateway's listeners are known; `false` for one that is said to exist elsewhere.
fn gateway_exists(world: &World<'_>, name: &ObjectName) -> Result<bool, FaultCause> {
    let gateways = &world.manifests.gateways;
    let implicit = gateways::implicit();
    if gateways.is_empty() && *name == implicit {
        return Ok(true);
    }
    match world.find(gateways, gateways::KIND, name) {
        Ok(Found::Here(_)) => Ok(true),
        Ok(Found::Assumed) => Ok(false),
        Err(missing) => {
            let target = ObjectRef::new(gateways::KIND, name.clone());
            Err(match missing {
                Missing::Absent(None) if gateways.is_empty() => {
                    FaultCause::ReferenceNotFound(BrokenReference { target, nearest: Some(implicit.to_string().into()) })
                }
                Missing::Absent(_) | Missing::Broken => missing.into_cause(target),
            })
        }
    }
}

/// The Gateway of routes that name none: the implicit one, the one named `doorward`, or the only one.
fn default_gateway(world: &World<'_>) -> Result<ObjectName, FaultCause> {
    let gateways = &world.manifests.gateways;
    if gateways.is_empty() {
        return Ok(gateways::implicit());
    }
    let implicit = gateways::implicit();
    let named: Vec<&ObjectName> = gateways.keys().filter(|name| name.name == implicit.name).collect();
    let found = match (named.as_slice(), gateways.len()) {
        ([one], _) => Some((*one).clone()),
        ([], 1) => gateways.keys().next().cloned(),
        _ => gateways.contains_key(&implicit).then_some(implicit),
    };
    let Some(found) = found else {
        let reason = "there are several Gateways and none of them is the default one; name one in `parentRefs`".into();
        return Err(FaultCause::ListenerNotAllowed { reason });
    };
    if gateways.get(&found).is_some_and(|written| written.value().is_some()) {
        Ok(found)
    } else {
        Err(FaultCause::ReferenceBroken { target: ObjectRef::new(gateways::KIND, found) })
    }
}

/// Adds the listeners of one Gateway that take the route, or reports why none does.
fn take(
    listeners: &Listeners,
    (own, hosts): (&ObjectName, &[HostPattern]),
    (gateway, section): (&ObjectName, Option<&str>),
    (at, report): (&FieldPath, &mut Report),
    taken: &mut BTreeSet<ListenerId>,
) {
    let all: Vec<&Listener> = listeners.of(gateway).collect();
    let named: Vec<&&Listener> = all.iter().filter(|listener| section.is_none_or(|name| *name == *listener.id.name)).collect();
    let admitting: Vec<&&&Listener> = named.iter().filter(|listener| listeners.admits(&listener.id, &own.namespace)).collect();
    let before = taken.len();
    let fitting = admitting.iter().filter(|listener| meets(hosts, listener.hostname.as_ref()));
    let fitting: Vec<ListenerId> = fitting.map(|listener| listener.id.clone()).collect();
    taken.extend(fitting.iter().cloned());
    if !fitting.is_empty() || taken.len() > before {
        return;
    }
    let (at, reason) = if let (Some(section), true) = (section, named.is_empty()) {
        let names: Vec<_> = all.iter().map(|listener| &*listener.id.name).collect();
        (at.field("sectionName"), format!("Gateway {gateway} serves no listener `{section}`; it has {}", Listed(&names)))
    } else if named.is_empty() {
        (at.clone(), format!("Gateway {gateway} serves no listener"))
    } else if admitting.is_empty() {
        (at.clone(), format!("no listener of Gateway {gateway} admits ApiRoutes of namespace {}", own.namespace))
    } else {
        (at.clone(), format!("no listener of Gateway {gateway} takes the hosts {}", Listed(hosts)))
    };
    report.error(&at, FaultCause::ListenerNotAllowed { reason: reason.into() });
}

/// Whether a route with these hosts has any host in common with a listener.
fn meets(hosts: &[HostPattern], listener: Option<&HostPattern>) -> bool {
    hosts.is_empty() || hosts.iter().any(|host| common(host, listener).is_some())
}

/// The hosts that a route's host and a listener's have in common.
pub(crate) fn common(host: &HostPattern, listener: Option<&HostPattern>) -> Option<HostPattern> {
    let Some(listener) = listener else { return Some(host.clone()) };
    match (host, listener) {
        (HostPattern::Exact(name), _) => listener.matches(name).then(|| host.clone()),
        (HostPattern::Wildcard(_), HostPattern::Exact(name)) => host.matches(name).then(|| listener.clone()),
        (HostPattern::Wildcard(one), HostPattern::Wildcard(other)) => {
            if one == other || listener.matches(one) {
                Some(host.clone())
            } else {
                host.matches(other).then(|| listener.clone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::common;
    use crate::parse;

    #[test]
    fn hosts_in_common() {
        for (route, listener, expected) in [
            ("a.example.com", None, Some("a.example.com")),
            ("a.example.com", Some("a.example.com"), Some("a.example.com")),
            ("a.example.com", Some("b.example.com"), None),
            ("a.example.com", Some("*.example.com"), Some("a.example.com")),
            ("example.com", Some("*.example.com"), None),
            ("*.example.com", Some("a.example.com"), Some("a.example.com")),
            ("*.example.com", Some("example.com"), None),
            ("*.a.example.com", Some("*.example.com"), Some("*.a.example.com")),
            ("*.example.com", Some("*.a.example.com"), Some("*.a.example.com")),
            ("*.example.com", Some("*.example.com"), Some("*.example.com")),
            ("*.example.com", Some("*.example.org"), None),
        ] {
            let host = parse::host(route).unwrap();
            let listener = listener.map(|text| parse::host(text).unwrap());
            let found = common(&host, listener.as_ref()).map(|host| host.to_string());
            assert_eq!(found.as_deref(), expected, "{route} {listener:?}");
        }
    }
}
