//! Which routes take requests of which hosts on a listener, so that a change makes the router anew for these hosts alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ir::{HostPattern, ListenerId, Part, RouteId, RouteKind, SharedMap, Snapshot};
use rustls::sign::CertifiedKey;

use super::router::{Entry, shared_hosts};
use super::{Listener, Placement, Ports, Router, Slots};

/// A host of routes; `None` is any.
type Host = Option<HostPattern>;

/// The routes of each host of each listener.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attached(BTreeMap<ListenerId, SharedMap<(Host, RouteId), ()>>);

/// A route that takes other requests than before: as it was and as it is.
pub(super) type Moved<'a> = (Option<&'a ir::Route>, Option<&'a ir::Route>);

/// The hosts of a listener whose routes are not as they were.
type Touched = BTreeMap<ListenerId, BTreeSet<Host>>;

impl Attached {
    /// Follows routes that moved; of which hosts.
    fn follow<'a>(&mut self, snapshot: &Snapshot, moved: impl IntoIterator<Item = Moved<'a>>) -> Touched {
        let mut touched = Touched::new();
        for (before, now) in moved {
            for (listener, host, route) in before.into_iter().flat_map(|route| places(snapshot, route)) {
                if let Some(attached) = self.0.get_mut(&listener) {
                    attached.remove(&(host.clone(), route));
                }
                touched.entry(listener).or_default().insert(host);
            }
            for (listener, host, route) in now.into_iter().flat_map(|route| places(snapshot, route)) {
                self.0.entry(listener.clone()).or_default().insert((host.clone(), route), ());
                touched.entry(listener).or_default().insert(host);
            }
        }
        touched
    }

    /// Has a router take the requests of hosts as the routes of the snapshot do now.
    fn route(&self, router: &mut Router, listener: &ListenerId, hosts: BTreeSet<Host>, (snapshot, slots): (&Snapshot, &Slots)) {
        let Some(attached) = self.0.get(listener) else { return };
        for host in hosts {
            let first = RouteId { kind: RouteKind::ApiRoute, name: cause::ObjectName::new("", ""), rule: 0 };
            let named = (host, first);
            let ids = attached.range_from(&named).map(|(key, ())| key).take_while(|(other, _)| *other == named.0);
            let routes = ids.filter_map(|(_, id)| Some((snapshot.routes.get(id)?, slots.number(id)?)));
            let mut routes: Vec<_> = routes.collect();
            routes.sort_by_key(|(route, _)| in_order(route));
            let entries = routes
                .iter()
                .flat_map(|(route, number)| route.matches.iter().map(|conditions| Entry { conditions, route: *number }));
            router.set(named.0.as_ref(), entries);
        }
    }

    /// The ports of a snapshot whose listeners and certificates are those of `before`.
    pub(super) fn moved<'a>(
        &mut self,
        before: &Arc<Ports>,
        (snapshot, slots): (&Snapshot, &Slots),
        moved: impl IntoIterator<Item = Moved<'a>>,
    ) -> Arc<Ports> {
        let mut touched = self.follow(snapshot, moved);
        if touched.is_empty() {
            return Arc::clone(before);
        }
        let mut ports = (**before).clone();
        for listener in ports.listeners_mut() {
            if let Some(hosts) = touched.remove(&listener.id) {
                self.route(&mut listener.router, &listener.id, hosts, (snapshot, slots));
            }
        }
        Arc::new(ports)
    }

    /// The ports of a snapshot, made from nothing.
    pub(super) fn ports(&mut self, (snapshot, slots): (&Snapshot, &Slots), placement: &Placement) -> Arc<Ports> {
        self.0.clear();
        let mut touched = self.follow(snapshot, snapshot.routes.values().map(|route| (None, Some(&**route))));
        let certificates: BTreeMap<_, _> =
            snapshot.certificates.iter().filter_map(|(id, written)| Some((id, Arc::new(certified(written)?)))).collect();
        let mut ports = Ports::default();
        for written in snapshot.listeners.values() {
            let certificates = match &written.certificates {
                Part::Ready(ids) => ids.iter().filter_map(|id| certificates.get(id).cloned()).collect(),
                Part::Broken(_) => Vec::new(),
            };
            let mut router = Router::default();
            self.route(&mut router, &written.id, touched.remove(&written.id).unwrap_or_default(), (snapshot, slots));
            let listener = Listener { id: written.id.clone(), hostname: written.hostname.clone(), router, certificates };
            ports.insert(placement, written, listener);
        }
        Arc::new(ports)
    }
}

/// Where a route takes requests.
fn places(snapshot: &Snapshot, route: &ir::Route) -> Vec<(ListenerId, Host, RouteId)> {
    let listeners = route.listeners.iter().filter_map(|id| snapshot.listeners.get(id));
    let places = listeners.filter_map(|listener| {
        let hosts = shared_hosts(&route.hostnames, listener.hostname.as_ref())?;
        let hosts = if hosts.is_empty() { vec![None] } else { hosts.into_iter().map(Some).collect() };
        Some(hosts.into_iter().map(|host| (listener.id.clone(), host, route.id.clone())))
    });
    places.flatten().collect()
}

/// The order in which routes take requests that several would take alike: those that check callers before kinds that
/// do not, so that no object of such a kind opens what is closed; then those that give way to none; then the oldest,
/// then by name and rule (Gateway API, HTTPRouteRule).
fn in_order(route: &ir::Route) -> impl Ord + use<> {
    (route.id.kind, route.gives_way(), route.created_at, route.id.name.clone(), route.id.rule)
}

fn certified(written: &ir::Certificate) -> Option<CertifiedKey> {
    policy::certificate::certified(&written.chain, written.key.expose()).ok()
}
