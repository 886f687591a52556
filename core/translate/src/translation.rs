//! All kinds together.

use std::collections::BTreeSet;

use cause::{Fault, FaultCause, FieldPath, ObjectName, ObjectRef, Severity};
use ir::Snapshot;

use crate::backends::Gathered;
use crate::manifests::{Context, Kind, Manifests, Objects, Visit, Written};
use crate::report::sorted;
use crate::routes::Surroundings;
use crate::world::World;
use crate::{gateways, keys, models, providers, routes, settings};

/// What manifests mean, and what is wrong with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Translation {
    /// What a gateway serves.
    pub snapshot: Snapshot,
    /// Every finding, sorted by object and field; those of readers are among them.
    pub faults: Vec<Fault>,
    /// The Services, Secrets and ConfigMaps that objects refer to, whether they are there or not:
    /// only these can change what this translation says.
    pub asked: BTreeSet<ObjectRef>,
}

/// What manifests mean. Reads nothing but its arguments.
#[must_use]
pub fn translate(manifests: &Manifests, context: &Context) -> Translation {
    let mut gathered = Gathered::default();
    manifests.each(&mut Carried(&mut gathered.faults));
    let world = World::new(manifests, context);
    let settings = settings::translate(manifests, &mut gathered.faults);
    let listeners = gateways::translate(&world, &mut gathered.faults);
    let providers = providers::translate(&world, &mut gathered.faults);
    let keys = keys::translate(&world, &mut gathered.faults);
    let mut models = models::translate(&world, &mut gathered.faults);
    let around = Surroundings { world: &world, listeners: &listeners, providers: &providers, settings: &settings };
    let routes = routes::translate(&around, &mut gathered);
    gathered.models.finish(&mut models);
    let snapshot = Snapshot {
        listeners: listeners.served,
        certificates: listeners.certificates,
        routes,
        keys,
        providers,
        models,
        services: gathered.services.finish(),
        settings,
    };
    Translation { snapshot, faults: sorted(gathered.faults), asked: world.into_asked() }
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
        let errors = self.faults.iter().filter(|fault| fault.severity == Severity::Error && is_of_own_text(&fault.cause));
        errors.filter_map(|fault| fault.object.clone()).collect()
    }
}

/// Whether a fault lies in the object's own text, whatever other objects say.
const fn is_of_own_text(cause: &FaultCause) -> bool {
    match cause {
        FaultCause::ReferenceNotFound(_)
        | FaultCause::ReferenceNotPermitted { .. }
        | FaultCause::ReferenceBroken { .. }
        | FaultCause::BackendNotFound(_)
        | FaultCause::PortNotFound { .. }
        | FaultCause::SecretNotFound(_)
        | FaultCause::SecretKeyMissing { .. }
        | FaultCause::SecretInvalid { .. }
        | FaultCause::SecretNotOwned { .. }
        | FaultCause::CertificateInvalid { .. }
        | FaultCause::Conflict { .. }
        | FaultCause::KeyDuplicate
        | FaultCause::ListenerNotAllowed { .. }
        | FaultCause::ObjectDuplicate { .. }
        | FaultCause::ServingLastGood => false,
        FaultCause::Yaml { .. }
        | FaultCause::PathUnusable { .. }
        | FaultCause::KindMissing
        | FaultCause::KindUnknown { .. }
        | FaultCause::KindForeign { .. }
        | FaultCause::FieldUnknown { .. }
        | FaultCause::FieldMissing { .. }
        | FaultCause::FieldDuplicate { .. }
        | FaultCause::FieldIgnored { .. }
        | FaultCause::TypeWrong { .. }
        | FaultCause::BooleanAmbiguous { .. }
        | FaultCause::ValueUnknown { .. }
        | FaultCause::OutOfBounds { .. }
        | FaultCause::Malformed { .. }
        | FaultCause::RuleViolated { .. }
        | FaultCause::ItemDuplicate { .. }
        | FaultCause::KeySetInvalid { .. }
        | FaultCause::ExpressionInvalid { .. }
        | FaultCause::RuleNeverMatches { .. }
        | FaultCause::VersionDuplicate { .. }
        | FaultCause::NoEffect { .. }
        | FaultCause::NotHere { .. }
        | FaultCause::RouteBroken => true,
    }
}
