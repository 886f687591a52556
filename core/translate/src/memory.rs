//! What was translated before: only what changed, or leans on what changed, is translated again.
//!
//! A route leans on its own text, on the Services, Secrets and ConfigMaps that it names, and on what
//! all routes share. Of that nothing is looked into: where any of it is another object than before,
//! all routes are translated again. So a change of one route costs what one route costs, and a
//! change of a Gateway what all do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cause::{Fault, FaultCause, ObjectName, ObjectRef};
use crds::standard::{ConfigMap, Gateway, GatewayClass, HttpRoute, Namespace, ReferenceGrant, Secret};
use crds::v1alpha1::{AiModel, ApiRoute, GatewayConfig, IdentityProvider};
use ir::{
    Difference, Listener, ListenerId, Model, ModelId, Part, Provider, ProviderId, Route, RouteId, ServiceId, SharedMap, Snapshot,
};
use jiff::Timestamp;

use crate::backends::Gathered;
use crate::conflicts::Claims;
use crate::gateways::Admission;
use crate::judging::{Attachments, Parents, Said};
use crate::manifests::{Assumption, Cluster, Kind, Objects, Written};
use crate::projection::Projections;
use crate::routes::Surroundings;
use crate::shadowed::Shadows;
use crate::translation::Timed;

/// What [`crate::translate_again`] remembers from one call to the next. Forgetting it changes no
/// translation.
#[derive(Debug, Default)]
pub struct Memory {
    shared: Option<Shared>,
    pub(crate) api_routes: Shelf<ApiRoute>,
    pub(crate) http_routes: Shelf<HttpRoute>,
    /// Which requests ApiRoutes claim.
    pub(crate) claims: Claims,
    /// Which requests HTTPRoutes claim, and ApiRoutes beside them.
    pub(crate) all_claims: Claims,
    /// What was said of ApiRoutes.
    pub(crate) said: Said,
    /// How many routes each listener takes.
    pub(crate) attachments: Attachments,
    /// The routes that change by time.
    pub(crate) timed: Timed,
    /// The regular expressions of routes, and the prefixes that go before them.
    pub(crate) shadows: Shadows,
    /// What each Gateway has of the routes.
    pub(crate) projections: Projections,
    snapshot: Snapshot,
    /// The routes of `snapshot` as they were made, in a map that shares with the next ones what is the same.
    made: SharedMap<RouteId, Arc<Route>>,
}

impl Memory {
    /// Forgets all routes where what they share is not what it was.
    pub(crate) fn enter(&mut self, around: &Surroundings<'_>) {
        if self.shared.as_ref().is_some_and(|shared| shared.is(around)) {
            return;
        }
        self.api_routes = Shelf::default();
        self.http_routes = Shelf::default();
        self.claims = Claims::default();
        self.all_claims = Claims::default();
        self.said = Said::default();
        self.shared = Some(Shared::of(around));
    }

    /// Puts what is as it was in the place of what is equal to it, so that whoever compares snapshots need not look into it.
    /// Routes of shelves are the same already; only those that were made since are looked into.
    pub(crate) fn share(&mut self, snapshot: &mut Snapshot) {
        keep(&self.snapshot.listeners, &mut snapshot.listeners);
        keep(&self.snapshot.keys, &mut snapshot.keys);
        keep(&self.snapshot.providers, &mut snapshot.providers);
        keep(&self.snapshot.services, &mut snapshot.services);
        keep(&self.snapshot.certificates, &mut snapshot.certificates);
        keep(&self.snapshot.models, &mut snapshot.models);
        let made = std::mem::replace(&mut snapshot.routes, self.snapshot.routes.clone());
        for difference in made.since(&self.made, Arc::ptr_eq) {
            let id = difference.key();
            let before = snapshot.routes.get(id);
            match difference {
                Difference::Added(_, route) | Difference::Changed(_, _, route) if before != Some(route) => {
                    snapshot.routes.insert(id.clone(), Arc::clone(route));
                }
                Difference::Added(..) | Difference::Changed(..) => {}
                Difference::Removed(..) => drop(snapshot.routes.remove(id)),
            }
        }
        self.made = made;
        self.snapshot = snapshot.clone();
    }
}

/// Makes `now` from `before`, by what differs.
fn keep<K: Ord + Clone, V: PartialEq + Clone>(before: &SharedMap<K, V>, now: &mut SharedMap<K, V>) {
    let mut kept = before.clone();
    for difference in now.since(before, PartialEq::eq) {
        match difference {
            Difference::Added(key, value) | Difference::Changed(key, _, value) => drop(kept.insert(key.clone(), value.clone())),
            Difference::Removed(key, _) => drop(kept.remove(key)),
        }
    }
    *now = kept;
}

/// What all routes share.
#[derive(Debug)]
struct Shared {
    cluster: Option<Cluster>,
    assume: Vec<Assumption>,
    gateways: Objects<Gateway>,
    gateway_classes: Objects<GatewayClass>,
    gateway_configs: Objects<GatewayConfig>,
    identity_providers: Objects<IdentityProvider>,
    ai_models: Objects<AiModel>,
    namespaces: Objects<Namespace>,
    reference_grants: Objects<ReferenceGrant>,
    named: Vec<Arc<str>>,
    listeners: BTreeMap<ListenerId, Listener>,
    admissions: BTreeMap<ListenerId, Admission>,
    providers: BTreeMap<ProviderId, Arc<Provider>>,
    methods: Vec<Arc<str>>,
}

impl Shared {
    fn of(around: &Surroundings<'_>) -> Self {
        let (world, manifests) = (around.world, around.world.manifests);
        Self {
            cluster: world.context.cluster.clone(),
            assume: world.context.assume.clone(),
            gateways: manifests.gateways.clone(),
            gateway_classes: manifests.gateway_classes.clone(),
            gateway_configs: manifests.gateway_configs.clone(),
            identity_providers: manifests.identity_providers.clone(),
            ai_models: manifests.ai_models.clone(),
            namespaces: manifests.namespaces.clone(),
            reference_grants: manifests.reference_grants.clone(),
            named: world.named().map(Arc::from).collect(),
            listeners: around.listeners.served.clone(),
            admissions: around.listeners.admissions.clone(),
            providers: around.providers.clone(),
            methods: around.methods.to_vec(),
        }
    }

    fn is(&self, around: &Surroundings<'_>) -> bool {
        let (world, manifests) = (around.world, around.world.manifests);
        self.cluster == world.context.cluster
            && self.assume == world.context.assume
            && are_same(&self.gateways, &manifests.gateways)
            && are_same(&self.gateway_classes, &manifests.gateway_classes)
            && are_same(&self.gateway_configs, &manifests.gateway_configs)
            && are_same(&self.identity_providers, &manifests.identity_providers)
            && are_same(&self.ai_models, &manifests.ai_models)
            && are_same(&self.namespaces, &manifests.namespaces)
            && are_same(&self.reference_grants, &manifests.reference_grants)
            && self.named.iter().map(|name| &**name).eq(world.named())
            && self.listeners == around.listeners.served
            && self.admissions == around.listeners.admissions
            && self.providers == *around.providers
            && self.methods == around.methods
    }
}

fn are_same<T>(before: &Objects<T>, now: &Objects<T>) -> bool {
    before.len() == now.len()
        && before.iter().zip(now).all(|((name, before), (other, now))| name == other && is_same(before, now))
}

/// Whether an object is the very same, without a look into it.
fn is_same<T>(before: &Written<T>, now: &Written<T>) -> bool {
    match (before, now) {
        (Written::Good(before), Written::Good(now)) => Arc::ptr_eq(before, now),
        (Written::LastGood(before, faults), Written::LastGood(now, found)) => Arc::ptr_eq(before, now) && faults == found,
        (Written::Broken(faults, before), Written::Broken(found, now)) => {
            faults == found && (Arc::ptr_eq(before, now) || before == now)
        }
        (Written::Good(_) | Written::LastGood(..) | Written::Broken(..), _) => false,
    }
}

/// What objects of one kind meant, and what of that all of them share.
#[derive(Debug)]
pub(crate) struct Shelf<T> {
    /// Sorted by name: walked in step with the objects, because a search for each would cost more than all else.
    items: Vec<(ObjectName, Box<Item<T>>)>,
    /// The routes of all.
    routes: SharedMap<RouteId, Arc<Route>>,
    /// What Gateways say of them.
    parents: Parents,
    /// What they look up, and how many do.
    asked: BTreeMap<ObjectRef, usize>,
    /// The Services that they name, how many do, and what came of each.
    services: BTreeMap<ServiceId, (usize, Result<(), FaultCause>)>,
    /// The objects that were made anew, or are gone, by the last call.
    renewed: BTreeSet<ObjectName>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            routes: SharedMap::new(),
            parents: Parents::new(),
            asked: BTreeMap::new(),
            services: BTreeMap::new(),
            renewed: BTreeSet::new(),
        }
    }
}

/// What one object meant.
#[derive(Debug)]
struct Item<T> {
    written: Written<T>,
    routes: Vec<Arc<Route>>,
    faults: Vec<Fault>,
    parents: Parents,
    missing: BTreeMap<ModelId, Part<Arc<Model>>>,
    leans: Leans,
}

/// What one object leans on beside what all share.
#[derive(Debug)]
struct Leans {
    asked: BTreeSet<ObjectRef>,
    services: Services,
    secrets: Vec<(ObjectName, Option<Written<Secret>>)>,
    config_maps: Vec<(ObjectName, Option<Written<ConfigMap>>)>,
    /// From this time on it means the same...
    since: Timestamp,
    /// ... until this one.
    until: Option<Timestamp>,
}

impl Leans {
    fn of(around: &Surroundings<'_>, asked: BTreeSet<ObjectRef>, services: Services, routes: &[Route]) -> Self {
        let (now, manifests) = (around.world.context.now, around.world.manifests);
        let of_kind = |kind: &'static str| asked.iter().filter(move |asked| &*asked.kind == kind).map(|asked| asked.name.clone());
        let secrets = of_kind(Secret::KIND).map(|name| (name.clone(), manifests.secrets.get(&name).cloned())).collect();
        let config_maps =
            of_kind(ConfigMap::KIND).map(|name| (name.clone(), manifests.config_maps.get(&name).cloned())).collect();
        let until = match routes.iter().map(|route| route.serve.as_result()).collect::<Result<Vec<_>, _>>() {
            Ok(served) => {
                let versions = served.into_iter().flat_map(|serve| &serve.versions);
                versions.filter_map(|version| version.sunset_at).filter(|end| *end > now).min()
            }
            // When the versions of a closed one end cannot be told.
            Err(_) => Some(now),
        };
        let mut services = services;
        services.sort_by(|a, b| a.0.cmp(&b.0));
        services.dedup_by(|a, b| a.0 == b.0);
        Self { asked, services, secrets, config_maps, since: now, until }
    }

    /// Whether all is as it was, but for the Services.
    fn hold(&self, around: &Surroundings<'_>) -> bool {
        let (now, manifests) = (around.world.context.now, around.world.manifests);
        let is_its_time = now == self.since || (now > self.since && self.until.is_none_or(|until| now < until));
        is_its_time
            && self.secrets.iter().all(|(name, before)| is_there_same(before.as_ref(), manifests.secrets.get(name)))
            && self.config_maps.iter().all(|(name, before)| is_there_same(before.as_ref(), manifests.config_maps.get(name)))
    }

    fn are_on(&self, services: &BTreeSet<ServiceId>) -> bool {
        self.services.iter().any(|(id, _)| services.contains(id))
    }
}

/// Whether an object is the same as before. One that is not there may be told with the name of
/// another that is.
fn is_there_same<T>(before: Option<&Written<T>>, now: Option<&Written<T>>) -> bool {
    matches!((before, now), (Some(before), Some(now)) if is_same(before, now))
}

/// The Services that an object names, and what came of each.
pub(crate) type Services = Vec<(ServiceId, Result<(), FaultCause>)>;

/// An object, and what is known of it.
type Place<T> = (ObjectName, Option<Box<Item<T>>>);

impl<T: Kind> Shelf<T> {
    /// The routes of every object; those that changed, or lean on what did, are made anew.
    pub(crate) fn routes(
        &mut self,
        around: &Surroundings<'_>,
        objects: &Objects<T>,
        gathered: &mut Gathered,
        make: impl Fn(&Surroundings<'_>, &ObjectName, &Written<T>, &mut Gathered) -> Vec<Route>,
    ) -> SharedMap<RouteId, Arc<Route>> {
        self.renewed.clear();
        let mut places = self.known(around, objects);
        let moved = self.moved(around, gathered);
        if !moved.is_empty() {
            for (name, place) in &mut places {
                if let Some(item) = place.take_if(|item| item.leans.are_on(&moved)) {
                    self.retire(name.clone(), &item);
                }
            }
        }
        self.items.reserve(places.len());
        for (name, known) in places {
            let item = match known {
                Some(item) => item,
                None => {
                    let Some(written) = objects.get(&name) else { continue };
                    let item = Box::new(Item::make(around, (&name, written), gathered, &make));
                    self.take_up(name.clone(), &item);
                    item
                }
            };
            if !item.faults.is_empty() {
                gathered.faults.extend(item.faults.iter().cloned());
            }
            if !item.missing.is_empty() {
                gathered.models.add(&item.missing);
            }
            self.items.push((name, item));
        }
        around.world.ask(self.asked.keys());
        gathered.parents.append(&self.parents);
        self.routes.clone()
    }

    /// All objects in their order, with what is known of those that did not change.
    fn known(&mut self, around: &Surroundings<'_>, objects: &Objects<T>) -> Vec<Place<T>> {
        let mut before = std::mem::take(&mut self.items).into_iter().peekable();
        let mut places = Vec::with_capacity(objects.len());
        for (name, written) in objects {
            while let Some((gone, item)) = before.next_if(|(earlier, _)| is_before(earlier, name)) {
                self.retire(gone, &item);
            }
            let known = before.next_if(|(earlier, _)| is_name(earlier, name));
            places.push(match known {
                Some((name, item)) if is_same(&item.written, written) && item.leans.hold(around) => (name, Some(item)),
                Some((_, item)) => {
                    self.retire(name.clone(), &item);
                    (name.clone(), None)
                }
                None => (name.clone(), None),
            });
        }
        for (gone, item) in before {
            self.retire(gone, &item);
        }
        places
    }

    /// The Services of which something else comes than before.
    fn moved(&self, around: &Surroundings<'_>, gathered: &mut Gathered) -> BTreeSet<ServiceId> {
        let Gathered { services, faults, .. } = gathered;
        let moved = self.services.iter().filter(|(id, (_, before))| !services.is(around.world, id, before, faults));
        moved.map(|(id, _)| id.clone()).collect()
    }

    fn retire(&mut self, name: ObjectName, item: &Item<T>) {
        for route in &item.routes {
            self.routes.remove(&route.id);
        }
        for key in item.parents.keys() {
            self.parents.remove(key);
        }
        for asked in &item.leans.asked {
            if let Some(count) = self.asked.get_mut(asked) {
                *count -= 1;
                if *count == 0 {
                    self.asked.remove(asked);
                }
            }
        }
        for (id, _) in &item.leans.services {
            if let Some((count, _)) = self.services.get_mut(id) {
                *count -= 1;
                if *count == 0 {
                    self.services.remove(id);
                }
            }
        }
        self.renewed.insert(name);
    }

    fn take_up(&mut self, name: ObjectName, item: &Item<T>) {
        for route in &item.routes {
            self.routes.insert(route.id.clone(), Arc::clone(route));
        }
        self.parents.extend(item.parents.iter().map(|(key, parents)| (key.clone(), Arc::clone(parents))));
        for asked in &item.leans.asked {
            *self.asked.entry(asked.clone()).or_default() += 1;
        }
        for (id, outcome) in &item.leans.services {
            let known = self.services.entry(id.clone()).or_insert_with(|| (0, outcome.clone()));
            *known = (known.0 + 1, outcome.clone());
        }
        self.renewed.insert(name);
    }

    /// The objects that were made anew, or are gone, by the last call.
    pub(crate) const fn renewed(&self) -> &BTreeSet<ObjectName> {
        &self.renewed
    }
}

/// Whether both are one name; most are the very same text.
fn is_name(one: &ObjectName, other: &ObjectName) -> bool {
    (Arc::ptr_eq(&one.name, &other.name) && Arc::ptr_eq(&one.namespace, &other.namespace)) || one == other
}

fn is_before(one: &ObjectName, other: &ObjectName) -> bool {
    !(Arc::ptr_eq(&one.name, &other.name) && Arc::ptr_eq(&one.namespace, &other.namespace)) && one < other
}

impl<T: Kind> Item<T> {
    fn make(
        around: &Surroundings<'_>,
        (name, written): (&ObjectName, &Written<T>),
        gathered: &mut Gathered,
        make: &impl Fn(&Surroundings<'_>, &ObjectName, &Written<T>, &mut Gathered) -> Vec<Route>,
    ) -> Self {
        let outer = around.world.swap_asked(BTreeSet::new());
        let mut apart = Gathered { services: std::mem::take(&mut gathered.services), ..Gathered::default() };
        apart.services.take_log();
        let routes = make(around, name, written, &mut apart);
        let services = apart.services.take_log();
        gathered.services = apart.services;
        let asked = around.world.swap_asked(outer);
        // Services are resolved anew each time, and say then what is wrong with them.
        let is_of_service =
            |fault: &Fault| fault.object.as_ref().is_some_and(|object| matches!(&*object.kind, "Service" | "EndpointSlice"));
        let (others, faults): (Vec<Fault>, Vec<Fault>) = apart.faults.into_iter().partition(is_of_service);
        gathered.faults.extend(others);
        Self {
            written: written.clone(),
            faults,
            parents: apart.parents,
            missing: apart.models.into_missing(),
            leans: Leans::of(around, asked, services, &routes),
            routes: routes.into_iter().map(Arc::new).collect(),
        }
    }
}
