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
use ir::{Listener, ListenerId, Model, ModelId, Part, Provider, ProviderId, Route, RouteId, ServiceId, Snapshot};
use jiff::Timestamp;

use crate::backends::Gathered;
use crate::gateways::Admission;
use crate::judging::{Conflicts, Parents};
use crate::manifests::{Assumption, Cluster, Kind, Objects, Written};
use crate::routes::Surroundings;
use crate::standings::ApiRouteStanding;

/// What [`crate::translate_again`] remembers from one call to the next. Forgetting it changes no
/// translation.
#[derive(Debug, Default)]
pub struct Memory {
    shared: Option<Shared>,
    pub(crate) api_routes: Shelf<ApiRoute>,
    pub(crate) http_routes: Shelf<HttpRoute>,
    snapshot: Snapshot,
}

impl Memory {
    /// Forgets all routes where what they share is not what it was.
    pub(crate) fn enter(&mut self, around: &Surroundings<'_>) {
        if self.shared.as_ref().is_some_and(|shared| shared.is(around)) {
            return;
        }
        self.api_routes = Shelf::default();
        self.http_routes = Shelf::default();
        self.shared = Some(Shared::of(around));
    }

    /// Puts values that are as they were in the place of equal new ones, so that whoever compares
    /// snapshots need not look into them. Routes of shelves are the same already.
    pub(crate) fn share(&mut self, snapshot: &mut Snapshot) {
        keep(&self.snapshot.keys, &mut snapshot.keys, Arc::ptr_eq);
        keep(&self.snapshot.providers, &mut snapshot.providers, Arc::ptr_eq);
        keep(&self.snapshot.services, &mut snapshot.services, Arc::ptr_eq);
        keep(&self.snapshot.certificates, &mut snapshot.certificates, Arc::ptr_eq);
        keep(&self.snapshot.models, &mut snapshot.models, |_, _| false);
        self.snapshot = Snapshot {
            keys: snapshot.keys.clone(),
            providers: snapshot.providers.clone(),
            services: snapshot.services.clone(),
            certificates: snapshot.certificates.clone(),
            models: snapshot.models.clone(),
            ..Snapshot::default()
        };
    }
}

/// Walks both in step: each is sorted, and most of both is the same.
fn keep<K: Ord, V: PartialEq + Clone>(before: &BTreeMap<K, V>, now: &mut BTreeMap<K, V>, are_one: fn(&V, &V) -> bool) {
    let mut before = before.iter().peekable();
    for (id, value) in now {
        while before.next_if(|(earlier, _)| *earlier < id).is_some() {}
        if let Some((_, earlier)) = before.next_if(|(earlier, _)| *earlier == id)
            && !are_one(earlier, value)
            && earlier == value
        {
            *value = earlier.clone();
        }
    }
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

/// What objects of one kind meant, sorted by name: walked in step with the objects, because a
/// search for each would cost more than all else.
#[derive(Debug)]
pub(crate) struct Shelf<T>(Vec<(ObjectName, Box<Item<T>>)>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Vec::new())
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
    /// What was said of it, with the conflicts that it had.
    said: Option<(Arc<ApiRouteStanding>, Conflicts)>,
}

/// What one object leans on beside what all share.
#[derive(Debug)]
struct Leans {
    asked: BTreeSet<ObjectRef>,
    services: Vec<(ServiceId, Result<(), FaultCause>)>,
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

    fn hold(&self, around: &Surroundings<'_>, gathered: &mut Gathered) -> bool {
        let (now, manifests) = (around.world.context.now, around.world.manifests);
        let is_its_time = now == self.since || (now > self.since && self.until.is_none_or(|until| now < until));
        is_its_time
            && self.secrets.iter().all(|(name, before)| is_there_same(before.as_ref(), manifests.secrets.get(name)))
            && self.config_maps.iter().all(|(name, before)| is_there_same(before.as_ref(), manifests.config_maps.get(name)))
            && self.services.iter().all(|(id, before)| gathered.services.is(around.world, id, before, &mut gathered.faults))
    }
}

/// Whether an object is the same as before. One that is not there may be told with the name of
/// another that is.
fn is_there_same<T>(before: Option<&Written<T>>, now: Option<&Written<T>>) -> bool {
    matches!((before, now), (Some(before), Some(now)) if is_same(before, now))
}

/// The Services that an object names, and what came of each.
pub(crate) type Services = Vec<(ServiceId, Result<(), FaultCause>)>;

impl<T: Kind> Shelf<T> {
    /// The routes of every object; those that changed, or lean on what did, are made anew.
    pub(crate) fn routes(
        &mut self,
        around: &Surroundings<'_>,
        objects: &Objects<T>,
        gathered: &mut Gathered,
        make: impl Fn(&Surroundings<'_>, &ObjectName, &Written<T>, &mut Gathered) -> Vec<Route>,
    ) -> BTreeMap<RouteId, Arc<Route>> {
        let mut before = std::mem::take(&mut self.0).into_iter().peekable();
        self.0.reserve(objects.len());
        let mut routes = Vec::with_capacity(objects.len());
        let mut parents = Vec::with_capacity(objects.len());
        for (name, written) in objects {
            while before.next_if(|(earlier, _)| earlier < name).is_some() {}
            let known = before.next_if(|(earlier, _)| earlier == name).map(|(_, item)| item);
            let known = known.filter(|item| is_same(&item.written, written) && item.leans.hold(around, gathered));
            let item = known.unwrap_or_else(|| Box::new(Item::make(around, (name, written), gathered, &make)));
            item.tell(around, gathered);
            parents.extend(item.parents.iter().map(|(route, parents)| (route.clone(), Arc::clone(parents))));
            routes.extend(item.routes.iter().map(|route| (route.id.clone(), Arc::clone(route))));
            self.0.push((name.clone(), item));
        }
        gathered.parents.append(&mut parents.into_iter().collect());
        routes.into_iter().collect()
    }

    /// What was said of each object, in the order of their names.
    pub(crate) fn said(&mut self) -> impl Iterator<Item = &mut Option<(Arc<ApiRouteStanding>, Conflicts)>> {
        self.0.iter_mut().map(|(_, item)| &mut item.said)
    }
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
            said: None,
        }
    }

    /// Adds what was found to what all objects gather.
    fn tell(&self, around: &Surroundings<'_>, gathered: &mut Gathered) {
        gathered.faults.extend(self.faults.iter().cloned());
        gathered.models.add(&self.missing);
        around.world.ask(&self.leans.asked);
    }
}
