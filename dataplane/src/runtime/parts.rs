//! What a runtime was compiled from, part by part, so that the next one compiles only what changed or leans on what
//! did: a change of one route costs what one route costs, and a change of a Service what its routes do.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use ir::{Difference, Method, ModelEndpoint, ModelId, Part, ProviderId, RouteId, ServiceId, SharedMap, Snapshot};
use observe::evidence::RouteNames;
use upstream::{Guard, Protocol, Target};

use super::attached::Attached;
use super::compile::{Targets, provider, serve};
use super::{Backend, Placement, Ports, Provider, Route, Slots};
use crate::state::State;

/// What was compiled, by name, and what of.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// What it was compiled of.
    pub(crate) written: Snapshot,
    /// Where URLs may lead.
    pub(crate) guard: Guard,
    /// The routes, by the numbers that routers give.
    pub(crate) slots: Slots,
    /// Those that are good as they are written and cannot be compiled here, and why.
    pub(crate) closed: SharedMap<RouteId, String>,
    attached: Attached,
    providers: SharedMap<ProviderId, Arc<Provider>>,
    services: SharedMap<ServiceId, Arc<Target>>,
}

/// What changed of that on which routes lean.
#[derive(Debug, Default)]
pub(super) struct Stale {
    services: BTreeSet<ServiceId>,
    models: BTreeSet<ModelId>,
    providers: BTreeSet<ProviderId>,
    /// Whether calls could go somewhere before where none can go now.
    pub(super) forsakes: bool,
}

impl Parts {
    /// Nothing yet; targets to come are guarded so.
    pub(super) fn new(guard: Guard) -> Self {
        Self {
            written: Snapshot::default(),
            guard,
            slots: Slots::default(),
            closed: SharedMap::new(),
            attached: Attached::default(),
            providers: SharedMap::new(),
            services: SharedMap::new(),
        }
    }

    /// Compiles anew what is not as it was of Services and issuers.
    pub(super) fn follow(&mut self, snapshot: &Snapshot, state: &State) -> Stale {
        let mut stale = Stale::default();
        for difference in snapshot.services.since(&self.written.services, PartialEq::eq) {
            let (id, service) = now(&difference);
            match service {
                Some(service) => drop(self.services.insert(id.clone(), Arc::new(target(id, service, &self.guard)))),
                None => drop(self.services.remove(id)),
            }
            stale.forsakes |= !matches!(difference, Difference::Added(..));
            stale.services.insert(id.clone());
        }
        for difference in snapshot.providers.since(&self.written.providers, PartialEq::eq) {
            let (id, written) = now(&difference);
            match written {
                Some(written) => drop(self.providers.insert(id.clone(), Arc::new(provider(written, &self.guard, state)))),
                None => drop(self.providers.remove(id)),
            }
            stale.providers.insert(id.clone());
        }
        let changed = snapshot.models.since(&self.written.models, PartialEq::eq);
        stale.models = changed.map(|difference| now(&difference).0.clone()).collect();
        if !stale.services.is_empty() {
            let leaning = snapshot.models.iter().filter(|(_, model)| stale.has_service_of(model)).map(|(id, _)| id.clone());
            let leaning: Vec<ModelId> = leaning.collect();
            stale.models.extend(leaning);
        }
        stale.forsakes |= !stale.models.is_empty();
        stale
    }

    /// Compiles anew the routes that are not as they were. Whether one that is replaced had targets of its own.
    pub(super) fn routes(&mut self, snapshot: &Snapshot, stale: &Stale, state: &State) -> bool {
        let targets = Targets { snapshot, guard: &self.guard, services: &self.services, urls: RefCell::default() };
        let mut owned = false;
        let mut put = |id: &RouteId, written: Option<_>| {
            let replaced = self.slots.number(id).and_then(|number| self.slots.get(number));
            owned |= replaced.is_some_and(|route| has_own_targets(route));
            let Some(written) = written else {
                self.slots.remove(id);
                self.closed.remove(id);
                return;
            };
            let route = compiled(written, &targets, &self.providers, state);
            match closed(written, &route) {
                Some(why) => drop(self.closed.insert(id.clone(), why)),
                None => drop(self.closed.remove(id)),
            }
            self.slots.put(Arc::new(route));
        };
        for difference in snapshot.routes.since(&self.written.routes, Arc::ptr_eq) {
            let (id, written) = now(&difference);
            put(id, written.map(|written| &**written));
        }
        if !stale.is_empty() {
            for (id, written) in snapshot.routes.iter().filter(|(_, written)| stale.concerns(written)) {
                put(id, Some(&**written));
            }
        }
        owned
    }

    /// Where requests come in, and which routes take them.
    pub(super) fn place(&mut self, before: Option<&Arc<Ports>>, snapshot: &Snapshot, placement: &Placement) -> Arc<Ports> {
        let is_new = snapshot.listeners.since(&self.written.listeners, PartialEq::eq).next().is_some()
            || snapshot.certificates.since(&self.written.certificates, PartialEq::eq).next().is_some();
        let made = (snapshot, &self.slots);
        let Some(before) = before.filter(|_| !is_new) else { return self.attached.ports(made, placement) };
        let differences = snapshot.routes.since(&self.written.routes, Arc::ptr_eq);
        let moved = differences.filter(|difference| match difference {
            Difference::Changed(_, before, now) => !is_where(before, now),
            Difference::Added(..) | Difference::Removed(..) => true,
        });
        let sides = moved.map(Difference::sides);
        self.attached.moved(before, made, sides.map(|(before, now)| (before.map(|route| &**route), now.map(|route| &**route))))
    }
}

impl Stale {
    fn is_empty(&self) -> bool {
        self.services.is_empty() && self.models.is_empty() && self.providers.is_empty()
    }

    fn has_service_of(&self, model: &Part<Arc<ir::Model>>) -> bool {
        model.as_result().is_ok_and(|model| match &model.endpoint {
            ModelEndpoint::Service { service, .. } => self.services.contains(service),
            ModelEndpoint::Url(_) => false,
        })
    }

    /// Whether a route leans on any of it.
    fn concerns(&self, route: &ir::Route) -> bool {
        let Ok(serve) = route.serve.as_result() else { return false };
        let by_method = |method: &Method| match method {
            Method::ApiKey(_) => false,
            Method::Jwt(id) | Method::Introspection(id) => self.providers.contains(id),
        };
        let by_backend = |backend: &ir::Backend| match backend {
            ir::Backend::Services(shares) => {
                shares.iter().filter_map(|share| share.service.as_result().ok()).any(|id| self.services.contains(id))
            }
            ir::Backend::Models(models) => models.iter().any(|id| self.models.contains(id)),
            ir::Backend::Url(_) | ir::Backend::Response(_) | ir::Backend::Redirect(_) => false,
        };
        serve.checks.authentication.methods.iter().any(by_method)
            || serve.versions.iter().filter_map(|version| version.backend.as_result().ok()).any(by_backend)
    }
}

/// What there is now of what differs.
const fn now<'a, K, V>(difference: &Difference<'a, K, V>) -> (&'a K, Option<&'a V>) {
    match difference {
        Difference::Added(id, value) | Difference::Changed(id, _, value) => (id, Some(value)),
        Difference::Removed(id, _) => (id, None),
    }
}

fn target(id: &ServiceId, service: &ir::Service, guard: &Guard) -> Target {
    let protocol = if service.http2 { Protocol::Http2 } else { Protocol::Http1 };
    let name = format!("Service {id}").into();
    Target::new(name, service.endpoints.clone(), protocol).guarded(guard.clone())
}

fn compiled<'a>(
    written: &'a ir::Route,
    targets: &Targets<'a>,
    providers: &SharedMap<ProviderId, Arc<Provider>>,
    state: &State,
) -> Route {
    let serve = serve(written, targets, providers, state);
    let versions = serve.iter().flat_map(|serve| &serve.versions).map(|version| Arc::clone(&version.text)).collect();
    let rule = (written.id.kind == ir::RouteKind::HttpRoute).then_some(written.id.rule);
    let names = RouteNames { kind: written.id.kind.name(), rule, route: written.id.name.clone(), versions };
    Route { id: written.id.clone(), names: Arc::new(names), serve }
}

/// Why a route that is good as it is written cannot be served here.
fn closed(written: &ir::Route, compiled: &Route) -> Option<String> {
    let written = written.serve.as_result().ok()?;
    let fault = match &compiled.serve {
        Err(fault) => fault,
        Ok(serve) => {
            let mut versions = written.versions.iter().zip(&serve.versions);
            versions
                .find_map(|(written, compiled)| compiled.backend.as_ref().err().filter(|_| written.backend.as_result().is_ok()))?
        }
    };
    Some(fault.message())
}

/// Whether both take the same requests on the same listeners, with the same precedence.
fn is_where(one: &ir::Route, other: &ir::Route) -> bool {
    one.created_at == other.created_at
        && one.gives_way() == other.gives_way()
        && one.listeners == other.listeners
        && one.hostnames == other.hostnames
        && one.matches == other.matches
}

/// Whether calls of a route go where those of no other need go.
fn has_own_targets(route: &Route) -> bool {
    let versions = route.serve.as_ref().into_iter().flat_map(|serve| &serve.versions);
    versions.filter_map(|version| version.backend.as_ref().ok()).any(|backend| match backend {
        Backend::Url(_) | Backend::Models(_) => true,
        Backend::Services(_) | Backend::Response(_) | Backend::Redirect(_) => false,
    })
}

#[cfg(test)]
mod tests;
