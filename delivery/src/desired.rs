//! What one Gateway should serve, encoded once for all of its replicas.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use ir::{Delta, ResourceId, Snapshot};

use crate::encoding::{Digest, Encoded, Version, digest, encode};
use crate::publisher::Revision;

/// A published state.
pub(crate) struct Desired {
    pub(crate) revision: Revision,
    pub(crate) digest: Digest,
    snapshot: Arc<Snapshot>,
    resources: BTreeMap<ResourceId, Arc<Encoded>>,
    versions: HashMap<Bytes, Version>,
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
        let versions = resources.values().map(|encoded| (encoded.id.clone(), encoded.version)).collect();
        let digest = digest(resources.values().map(|encoded| encoded.version));
        Self { revision: Revision::default(), digest, snapshot, resources, versions }
    }

    pub(crate) fn numbered(self, revision: Revision) -> Self {
        Self { revision, ..self }
    }

    /// What a replica that has `sent` lacks, what is used before what uses it, and what it has too much.
    pub(crate) fn since(&self, sent: &Sent) -> (Vec<Arc<Encoded>>, Vec<Bytes>) {
        let lacks = |encoded: &&Arc<Encoded>| sent.version(&encoded.id) != Some(encoded.version);
        let upserts = self.resources.values().filter(lacks).map(Arc::clone).collect();
        let removals = match sent {
            Sent::Held(held) => held.keys().filter(|id| !self.versions.contains_key(*id)).cloned().collect(),
            Sent::All(all) => {
                let gone = all.resources.iter().rev().filter(|(id, _)| !self.resources.contains_key(*id));
                gone.map(|(_, encoded)| encoded.id.clone()).collect()
            }
        };
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

impl Sent {
    fn version(&self, id: &Bytes) -> Option<Version> {
        match self {
            Self::Held(held) => held.get(id).copied(),
            Self::All(all) => all.versions.get(id).copied(),
        }
    }
}
