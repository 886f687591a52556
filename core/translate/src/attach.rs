//! Which listeners take a route, of whatever kind it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use cause::{BrokenReference, Fault, FaultCause, FieldPath, Listed, ObjectName, ObjectRef, Unattached};
use crds::v1alpha1::ParentRef;
use ir::{HostPattern, Listener, ListenerId, RouteKind};

use crate::gateways::{self, Listeners};
use crate::report::Report;
use crate::standings::{ParentStanding, Verdict};
use crate::world::{Found, Missing, World, target};

/// A route that asks Gateways to take it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking<'a> {
    pub(crate) kind: RouteKind,
    pub(crate) own: &'a ObjectName,
    /// Its hosts; empty is every host of its listeners.
    pub(crate) hosts: &'a [HostPattern],
}

/// One Gateway that a route asks.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    /// Where the route says so.
    pub(crate) at: FieldPath,
    /// Which of `spec.parentRefs` it is; `None` for the default Gateway.
    pub(crate) index: Option<usize>,
    pub(crate) gateway: ObjectName,
    /// One listener by name; `None` is every one.
    pub(crate) section: Option<Arc<str>>,
    /// Listeners of this port; `None` is every one.
    pub(crate) port: Option<u16>,
}

/// What came of asking.
#[derive(Debug, Default)]
pub(crate) struct Attached {
    /// The listeners that take the route.
    pub(crate) listeners: BTreeSet<ListenerId>,
    /// What each Gateway of ours says; `resolved_refs` is not judged yet.
    pub(crate) parents: Vec<ParentStanding>,
}

/// The Gateways that an ApiRoute asks. A fault where it names none and there is no default one.
pub(crate) fn parents_of_api_route(
    world: &World<'_>,
    own: &ObjectName,
    written: Option<&[ParentRef]>,
) -> Result<Vec<Parent>, FaultCause> {
    let Some(written) = written else {
        let gateway = default_gateway(world)?;
        return Ok(vec![Parent { at: FieldPath::of("spec"), index: None, gateway, section: None, port: None }]);
    };
    let parent = |(index, parent): (usize, &ParentRef)| Parent {
        at: FieldPath::of("spec.parentRefs").index(index),
        index: Some(index),
        gateway: target(&parent.name, parent.namespace.as_ref(), own),
        section: parent.section_name.as_deref().map(Arc::from),
        port: None,
    };
    Ok(written.iter().enumerate().map(parent).collect())
}

/// The listeners that take a route, and what each Gateway says of it. Gateways of other classes say
/// nothing here; a route of ours that names one is told.
pub(crate) fn attach(
    world: &World<'_>,
    listeners: &Listeners,
    asking: Asking<'_>,
    parents: &[Parent],
    report: &mut Report,
) -> Attached {
    let mut attached = Attached::default();
    for parent in parents {
        let found = match known(world, &parent.gateway) {
            Known::Ours => Ok(take(listeners, asking, parent)),
            Known::Assumed => continue,
            Known::Not(_) if asking.kind != RouteKind::ApiRoute && !world.context.is_standalone() => continue,
            Known::Not(cause) => Err(cause),
        };
        let (taking, accepted) = match found {
            Ok(Ok(taking)) => (taking, Verdict::holds("Accepted")),
            Ok(Err((at, cause))) => (Vec::new(), refusal(&report.error(&at, cause))),
            Err(cause) => (Vec::new(), refusal(&report.error(&parent.at, cause))),
        };
        attached.parents.push(ParentStanding {
            index: parent.index,
            gateway: parent.gateway.clone(),
            section: parent.section.clone(),
            port: parent.port,
            listeners: taking.iter().map(|listener| Arc::clone(&listener.name)).collect(),
            accepted,
            resolved_refs: Verdict::holds("ResolvedRefs"),
            partially_invalid: None,
        });
        attached.listeners.extend(taking);
    }
    attached
}

fn refusal(fault: &Fault) -> Verdict {
    Verdict::fails_for(fault.reason(), fault)
}

/// What is known of a Gateway that a route names.
enum Known {
    /// It is ours.
    Ours,
    /// It is said to exist elsewhere.
    Assumed,
    /// It is not there, not ours, or broken.
    Not(FaultCause),
}

fn known(world: &World<'_>, name: &ObjectName) -> Known {
    let implicit = gateways::implicit();
    let is_implicit = world.gateways.is_empty() && world.context.is_standalone();
    if is_implicit && *name == implicit {
        return Known::Ours;
    }
    if let Some(written) = world.gateways.get(name) {
        let target = || ObjectRef::new(gateways::KIND, name.clone());
        return if written.value().is_some() {
            Known::Ours
        } else {
            Known::Not(FaultCause::ReferenceBroken { target: target() })
        };
    }
    let target = ObjectRef::new(gateways::KIND, name.clone());
    match world.find(&world.manifests.gateways, gateways::KIND, name) {
        Ok(Found::Assumed) => Known::Assumed,
        Ok(Found::Here(_)) | Err(Missing::Broken) => {
            let reason = format!("{target} is of a class that Doorward does not serve").into();
            Known::Not(FaultCause::ListenerNotAllowed { why: Unattached::NoMatchingParent, reason })
        }
        Err(Missing::Absent(None)) if is_implicit => {
            let nearest = Some(implicit.to_string().into());
            Known::Not(FaultCause::ReferenceNotFound(BrokenReference { target, nearest }))
        }
        Err(missing @ Missing::Absent(_)) => Known::Not(missing.into_cause(target)),
    }
}

/// The Gateway of routes that name none. In a cluster that is the one of the installation; of files
/// the implicit one, the one named `doorward`, or the only one.
pub(crate) fn default_gateway(world: &World<'_>) -> Result<ObjectName, FaultCause> {
    if let Some(cluster) = &world.context.cluster {
        return Ok(cluster.default_gateway.clone());
    }
    let gateways = &world.gateways;
    let implicit = gateways::implicit();
    if gateways.is_empty() {
        return Ok(implicit);
    }
    let named: Vec<&ObjectName> = gateways.keys().copied().filter(|name| name.name == implicit.name).collect();
    let found = match (named.as_slice(), gateways.len()) {
        ([one], _) => Some((*one).clone()),
        ([], 1) => gateways.keys().next().map(|name| (*name).clone()),
        _ => gateways.contains_key(&implicit).then_some(implicit),
    };
    found.ok_or_else(|| {
        let reason = "there are several Gateways and none of them is the default one; name one in `parentRefs`".into();
        FaultCause::ListenerNotAllowed { why: Unattached::NoMatchingParent, reason }
    })
}

/// The listeners of a Gateway that take the route, or why none does.
fn take(listeners: &Listeners, asking: Asking<'_>, parent: &Parent) -> Result<Vec<ListenerId>, (FieldPath, FaultCause)> {
    let Parent { at, gateway, section, port, .. } = parent;
    let all: Vec<&Listener> = listeners.of(gateway).collect();
    let is_named = |listener: &&&Listener| {
        section.as_ref().is_none_or(|name| *name == listener.id.name) && port.is_none_or(|port| port == listener.port)
    };
    let named: Vec<&Listener> = all.iter().filter(is_named).copied().collect();
    let admits = |listener: &&Listener| listeners.admits(&listener.id, asking.kind, &asking.own.namespace);
    let admitting: Vec<&Listener> = named.iter().copied().filter(admits).collect();
    let fitting = admitting.iter().filter(|listener| meets(asking.hosts, listener.hostname.as_ref()));
    let fitting: Vec<ListenerId> = fitting.map(|listener| listener.id.clone()).collect();
    if !fitting.is_empty() {
        return Ok(fitting);
    }
    let kind = asking.kind.name();
    let (at, why, reason) = if named.is_empty() {
        let names: Vec<String> = all.iter().map(|listener| format!("{} (port {})", listener.id.name, listener.port)).collect();
        let (at, reason) = match (section, port) {
            (None, None) => (at.clone(), format!("Gateway {gateway} serves no listener")),
            (Some(section), _) if all.iter().all(|listener| *section != listener.id.name) => {
                (at.field("sectionName"), format!("Gateway {gateway} serves no listener `{section}`; it has {}", Listed(&names)))
            }
            (_, Some(port)) => {
                (at.field("port"), format!("Gateway {gateway} serves no such listener at port {port}; it has {}", Listed(&names)))
            }
            (Some(_), None) => (at.field("sectionName"), format!("Gateway {gateway} serves no such listener")),
        };
        (at, Unattached::NoMatchingParent, reason)
    } else if admitting.is_empty() {
        let reason = format!("no listener of Gateway {gateway} admits {kind}s of namespace {}", asking.own.namespace);
        (at.clone(), Unattached::NotAllowed, reason)
    } else {
        let reason = format!("no listener of Gateway {gateway} takes the hosts {}", Listed(asking.hosts));
        (at.clone(), Unattached::NoMatchingHostname, reason)
    };
    Err((at, FaultCause::ListenerNotAllowed { why, reason: reason.into() }))
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
