//! All kinds together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cause::{Fault, FaultCause, FaultOrigin, FieldPath, ObjectName, ObjectRef, Severity};
use ir::{Difference, Route, RouteId, Settings, SharedMap, Snapshot};
use jiff::Timestamp;

use crate::backends::Gathered;
use crate::judging::{self, Found};
use crate::manifests::{Context, Kind, Manifests, Objects, Visit, Written};
use crate::memory::Memory;
use crate::projection::{self, Door, OnGateway};
use crate::report::sorted;
use crate::routes::Surroundings;
use crate::settings::Governed;
use crate::standings::Standings;
use crate::world::World;
use crate::{gateways, http_routes, ingresses, keys, models, outdone, providers, routes, settings};

/// What manifests mean, and what is wrong with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Translation {
    /// What all Gateways together serve; [`Translation::for_gateway`] is what one of them does.
    pub snapshot: Snapshot,
    /// Every finding, sorted by object and field; those of readers are among them.
    pub faults: Vec<Fault>,
    /// The Services, Secrets and ConfigMaps that objects refer to, whether they are there or not:
    /// only these can change what this translation says.
    pub asked: BTreeSet<ObjectRef>,
    /// What the status of every object says.
    pub standings: Standings,
    /// How each Gateway of ours behaves.
    pub settings: BTreeMap<ObjectName, Settings>,
    /// When something changes by time alone; `None` where nothing does.
    pub next_change: Option<Timestamp>,
    /// Whose keys each Gateway admits.
    pub(crate) doors: BTreeMap<ObjectName, Door>,
    /// What each Gateway has of the routes.
    pub(crate) gateways: BTreeMap<ObjectName, OnGateway>,
}

/// What manifests mean. Reads nothing but its arguments.
#[must_use]
pub fn translate(manifests: &Manifests, context: &Context) -> Translation {
    translate_again(manifests, context, &mut Memory::default())
}

/// The same as [`translate`], at the cost of what changed since the last call with this memory.
/// Objects are compared by their `Arc` alone: whoever changes one must put another in its place.
#[must_use]
pub fn translate_again(manifests: &Manifests, context: &Context, memory: &mut Memory) -> Translation {
    let mut gathered = Gathered::default();
    manifests.each(&mut Carried(&mut gathered.faults));
    let world = World::new(manifests, context);
    let governed = settings::translate(&world, &mut gathered.faults);
    let mut listeners = gateways::translate(&world, &governed, &mut gathered.faults);
    ingresses::listen(&world, &mut listeners, &mut gathered.faults);
    let providers = providers::translate(&world, &mut gathered.faults);
    let keys = keys::translate(&world, &mut gathered.faults);
    let mut models = models::translate(&world, &mut gathered);
    let methods = methods(&governed);
    let around = Surroundings { world: &world, listeners: &listeners, providers: &providers, methods: &methods };
    memory.enter(&around);
    let mut routes = routes::translate(&around, &mut gathered, memory);
    let of_http = http_routes::translate(&around, &mut gathered, &mut memory.http_routes);
    routes.append(&of_http);
    let compared = if of_http.is_empty() { &of_http } else { &routes };
    outdone::tell(context, &listeners, (compared, &mut memory.all_claims), &mut gathered.faults);
    routes.extend(ingresses::translate(&around, &mut gathered));
    gathered.models.finish(&mut models);
    let mut snapshot = Snapshot {
        listeners: listeners.served.into_iter().collect(),
        certificates: listeners.certificates.into_iter().collect(),
        routes,
        keys: keys.into_iter().collect(),
        providers: providers.into_iter().collect(),
        models: models.into_iter().collect(),
        services: gathered.services.finish(),
        settings: governed.whole.settings.clone(),
    };
    memory.share(&mut snapshot);
    memory.shadows.follow(&snapshot.routes);
    memory.shadows.tell(context, &mut gathered.faults);
    let faults = sorted(gathered.faults);
    let (parents, conflicts) = (gathered.parents, gathered.conflicts);
    let found = Found { world: &world, governed: &governed, snapshot: &snapshot, faults: &faults, conflicts: &conflicts };
    let standings = judging::standings(&found, listeners.standings, &parents, memory);
    memory.timed.follow(&snapshot.routes);
    memory.projections.follow(&snapshot.routes);
    let next_change = next_change(&snapshot, &memory.timed, context.now);
    let settings = governed.gateways.into_iter().map(|(name, governing)| (name, governing.config.settings.clone())).collect();
    let doors = projection::doors(&snapshot);
    let gateways = memory.projections.gateways().clone();
    Translation { snapshot, faults, asked: world.into_asked(), standings, settings, next_change, doors, gateways }
}

/// The methods that some Gateway serves beside the usual ones.
fn methods(governed: &Governed) -> Vec<Arc<str>> {
    let all = governed.gateways.values().map(|governing| &governing.config).chain([&governed.whole]);
    let methods: BTreeSet<&Arc<str>> = all.flat_map(|config| &config.settings.methods).collect();
    methods.into_iter().map(Arc::clone).collect()
}

/// When the first key begins, ends or loses a text that a rotation replaced, or a version ends.
fn next_change(snapshot: &Snapshot, timed: &Timed, now: Timestamp) -> Option<Timestamp> {
    let of_keys = snapshot.keys.values().flat_map(|key| {
        let own = [key.not_before, key.expires_at].into_iter().flatten();
        own.chain(key.earlier.iter().map(|earlier| earlier.until))
    });
    let of_versions = timed.ids.iter().filter_map(|id| snapshot.routes.get(id)).flat_map(|route| ends(route));
    of_keys.chain(of_versions).filter(|instant| *instant > now).min()
}

/// The routes of which a version ends some time.
#[derive(Debug, Default)]
pub(crate) struct Timed {
    routes: SharedMap<RouteId, Arc<Route>>,
    ids: BTreeSet<RouteId>,
}

impl Timed {
    fn follow(&mut self, routes: &SharedMap<RouteId, Arc<Route>>) {
        let before = std::mem::replace(&mut self.routes, routes.clone());
        for difference in routes.since(&before, Arc::ptr_eq) {
            match difference {
                Difference::Added(id, route) | Difference::Changed(id, _, route) if ends(route).next().is_some() => {
                    self.ids.insert(id.clone());
                }
                Difference::Added(id, _) | Difference::Changed(id, ..) | Difference::Removed(id, _) => drop(self.ids.remove(id)),
            }
        }
    }
}

/// When versions of a route end.
fn ends(route: &Route) -> impl Iterator<Item = Timestamp> {
    route.serve.as_result().into_iter().flat_map(|serve| &serve.versions).filter_map(|version| version.sunset_at)
}

/// What readers found, and which objects serve their last good version.
struct Carried<'a>(&'a mut Vec<Fault>);

impl Visit for Carried<'_> {
    fn visit<T: Kind>(&mut self, objects: &Objects<T>) {
        let object = |name: &ObjectName| ObjectRef::new(T::KIND, name.clone());
        for (name, written) in objects {
            self.0.extend(written.faults().iter().cloned());
            match written {
                Written::Good(_) => {}
                Written::LastGood(..) => {
                    self.0.push(Fault::warning(object(name), FieldPath::root(), FaultCause::ServingLastGood));
                }
                // Whoever is closed by an object must find out why.
                Written::Broken(found, _) if found.iter().all(|fault| fault.severity != Severity::Error) => {
                    self.0.push(Fault::error(object(name), FieldPath::root(), FaultCause::RouteBroken));
                }
                Written::Broken(..) => {}
            }
        }
    }
}

impl Translation {
    /// The objects that are closed, in whole or in part, by their own text: whoever keeps earlier
    /// versions of objects serves those instead. Objects that are closed for what they refer to
    /// are not among them, because an earlier version would refer to the same.
    #[must_use]
    pub fn refused(&self) -> BTreeSet<ObjectRef> {
        let errors =
            self.faults.iter().filter(|fault| fault.severity == Severity::Error && fault.cause.origin() == FaultOrigin::Text);
        // A listener that is refused takes none of the others down, so a Gateway needs no earlier version.
        errors.filter_map(|fault| fault.object.clone()).filter(|object| &*object.kind != gateways::KIND).collect()
    }
}
