//! What one Gateway should serve, encoded once for all of its replicas.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use ir::{Delta, Difference, ResourceId, SharedMap, Snapshot};

use crate::encoding::{Digest, Encoded, Version, digest, encode};
use crate::publisher::Revision;

/// A published state.
pub(crate) struct Desired {
    pub(crate) revision: Revision,
    pub(crate) digest: Digest,
    snapshot: Arc<Snapshot>,
    resources: SharedMap<ResourceId, Arc<Encoded>>,
    /// By encoded id; made when a replica comes that holds something.
    ids: OnceLock<HashSet<Bytes>>,
}

impl Desired {
    /// The state of `snapshot`, where all that did not change since `before` is shared with it.
    pub(crate) fn after(before: Option<&Self>, snapshot: Arc<Snapshot>) -> Self {
        let mut resources = before.map(|before| before.resources.clone()).unwrap_or_default();
        let mut take = |resource: &ir::Resource| match encode(resource) {
            Ok(encoded) => drop(resources.insert(resource.id(), Arc::new(encoded))),
            // Every type of a snapshot can be written; what is not leaves the last version that was.
            Err(error) => tracing::error!(resource = %resource.id(), %error, "a resource is not delivered"),
        };
        match before {
            Some(before) => {
                let delta = Delta::between(&before.snapshot, &snapshot);
                delta.upserts.iter().for_each(&mut take);
                for id in &delta.removals {
                    resources.remove(id);
                }
            }
            None => snapshot.resources().for_each(|resource| take(&resource)),
        }
        let digest = digest(resources.values().map(|encoded| encoded.version));
        Self { revision: Revision::default(), digest, snapshot, resources, ids: OnceLock::new() }
    }

    pub(crate) fn numbered(self, revision: Revision) -> Self {
        Self { revision, ..self }
    }

    /// What a replica that has `sent` lacks, what is used before what uses it, and what it has too much.
    pub(crate) fn since(&self, sent: &Sent) -> (Vec<Arc<Encoded>>, Vec<Bytes>) {
        match sent {
            Sent::Held(held) => self.since_held(held),
            Sent::All(all) => self.since_all(all),
        }
    }

    fn since_held(&self, held: &BTreeMap<Bytes, Version>) -> (Vec<Arc<Encoded>>, Vec<Bytes>) {
        let lacks = |encoded: &&Arc<Encoded>| held.get(&encoded.id) != Some(&encoded.version);
        let ids = self.ids.get_or_init(|| self.resources.values().map(|encoded| encoded.id.clone()).collect());
        let removals = held.keys().filter(|id| !ids.contains(*id)).cloned().collect();
        (self.resources.values().filter(lacks).map(Arc::clone).collect(), removals)
    }

    fn since_all(&self, all: &Self) -> (Vec<Arc<Encoded>>, Vec<Bytes>) {
        let (mut upserts, mut removals) = (Vec::new(), Vec::new());
        let same = |one: &Arc<Encoded>, other: &Arc<Encoded>| Arc::ptr_eq(one, other) || one.version == other.version;
        for difference in self.resources.since(&all.resources, same) {
            match difference {
                Difference::Added(_, encoded) | Difference::Changed(_, _, encoded) => upserts.push(Arc::clone(encoded)),
                Difference::Removed(_, gone) => removals.push(gone.id.clone()),
            }
        }
        // What uses goes before what it used.
        removals.reverse();
        (upserts, removals)
    }
}

/// What a replica has been sent.
pub(crate) enum Sent {
    /// It came with this, by encoded id.
    Held(BTreeMap<Bytes, Version>),
    /// All of this.
    All(Arc<Desired>),
}
