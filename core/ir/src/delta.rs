//! What differs between two snapshots.

use std::sync::Arc;

use crate::{Difference, Part, Resource, ResourceId, SharedMap, Snapshot};

/// What turns one snapshot into another.
///
/// The law: `old.apply(Delta::between(&old, &new))` makes `old` equal to `new`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// New and changed resources, what is used before what uses it.
    pub upserts: Vec<Resource>,
    /// Resources that are gone, what uses before what it used. They go after the upserts came.
    pub removals: Vec<ResourceId>,
}

impl Delta {
    /// What turns `old` into `new`. Costs what differs, where one was made from the other; resources
    /// behind the same `Arc` are not looked into.
    #[must_use]
    pub fn between(old: &Snapshot, new: &Snapshot) -> Self {
        let mut delta = Self::default();
        if old.settings != new.settings {
            delta.upserts.push(Resource::Settings(Box::new(new.settings.clone())));
        }
        let mut difference = Collected(&mut delta);
        difference.of(
            (&old.certificates, &new.certificates),
            same,
            |_, value| Resource::Certificate(Arc::clone(value)),
            ResourceId::Certificate,
        );
        difference.of(
            (&old.listeners, &new.listeners),
            PartialEq::eq,
            |_, value| Resource::Listener(Box::new(value.clone())),
            ResourceId::Listener,
        );
        difference.of((&old.services, &new.services), same, |_, value| Resource::Service(Arc::clone(value)), ResourceId::Service);
        let model = |id: &crate::ModelId, value: &Part<Arc<crate::Model>>| Resource::Model(id.clone(), value.clone());
        difference.of((&old.models, &new.models), same_part, model, ResourceId::Model);
        difference.of(
            (&old.providers, &new.providers),
            same,
            |_, value| Resource::Provider(Arc::clone(value)),
            ResourceId::Provider,
        );
        difference.of((&old.routes, &new.routes), same, |_, value| Resource::Route(Arc::clone(value)), ResourceId::Route);
        difference.of((&old.keys, &new.keys), same, |_, value| Resource::Key(Arc::clone(value)), ResourceId::Key);
        delta.removals.reverse();
        delta
    }

    /// Whether nothing differs.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.upserts.is_empty() && self.removals.is_empty()
    }
}

struct Collected<'a>(&'a mut Delta);

impl Collected<'_> {
    fn of<K: Ord + Clone, V>(
        &mut self,
        (old, new): (&SharedMap<K, V>, &SharedMap<K, V>),
        same: impl Fn(&V, &V) -> bool,
        resource: impl Fn(&K, &V) -> Resource,
        id: impl Fn(K) -> ResourceId,
    ) {
        for difference in new.since(old, same) {
            match difference {
                Difference::Added(key, value) | Difference::Changed(key, _, value) => self.0.upserts.push(resource(key, value)),
                Difference::Removed(key, _) => self.0.removals.push(id(key.clone())),
            }
        }
    }
}

fn same<T: PartialEq>(old: &Arc<T>, new: &Arc<T>) -> bool {
    Arc::ptr_eq(old, new) || old == new
}

fn same_part<T: PartialEq>(old: &Part<Arc<T>>, new: &Part<Arc<T>>) -> bool {
    match (old, new) {
        (Part::Ready(old), Part::Ready(new)) => same(old, new),
        (Part::Broken(old), Part::Broken(new)) => same(old, new),
        (Part::Ready(_), Part::Broken(_)) | (Part::Broken(_), Part::Ready(_)) => false,
    }
}
