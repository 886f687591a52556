//! What a replica holds of its Gateway, and how a delta changes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ir::{Delta, Resource, ResourceId, SharedMap, Snapshot};

use crate::encoding::{Digest, EncodingError, Version, decode, decode_id, encode_id};
use crate::wire;

/// A complete state of a Gateway as a replica has it. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Held {
    snapshot: Arc<Snapshot>,
    versions: SharedMap<ResourceId, Version>,
    digest: Option<Digest>,
}

impl Held {
    /// A state that was complete when it was sealed.
    pub(crate) fn restored(resources: Vec<(Version, Resource)>, digest: Digest) -> Self {
        let versions = resources.iter().map(|(version, resource)| (resource.id(), *version)).collect();
        let mut snapshot = Snapshot::default();
        let upserts = resources.into_iter().map(|(_, resource)| resource).collect();
        snapshot.apply(Delta { upserts, removals: Vec::new() });
        Self { snapshot: Arc::new(snapshot), versions, digest: Some(digest) }
    }

    /// What to serve.
    #[must_use]
    pub const fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Whether it is a whole state: false only before the first one has come.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.digest.is_some()
    }

    pub(crate) const fn digest(&self) -> Option<Digest> {
        self.digest
    }

    pub(crate) const fn versions(&self) -> &SharedMap<ResourceId, Version> {
        &self.versions
    }

    /// What this operator is told that the replica holds, in messages of bounded size.
    pub(crate) fn told(&self) -> Vec<wire::Held> {
        let resources: Vec<_> = self
            .versions
            .iter()
            .filter_map(|(id, version)| Some(wire::HeldResource { id: encode_id(id).ok()?, version: version.bytes() }))
            .collect();
        let mut chunks: Vec<_> =
            resources.chunks(HELD_CHUNK).map(|chunk| wire::Held { resources: chunk.to_vec(), last: false }).collect();
        chunks.push(wire::Held { resources: Vec::new(), last: true });
        chunks
    }
}

/// Resources in one message of what is held.
const HELD_CHUNK: usize = 2_000;

/// Bytes of one delta that are taken in.
const DELTA: usize = 512 << 20;

/// A delta of which not all parts are there.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    bytes: usize,
    good: Vec<(Version, Resource)>,
    refused: BTreeMap<Bytes, String>,
    removals: Vec<Bytes>,
}

/// A delta that is larger than any Gateway.
#[derive(Debug, thiserror::Error)]
#[error("a delta has more than {DELTA} bytes")]
pub(crate) struct TooLarge;

impl Incoming {
    /// Takes a part in.
    pub(crate) fn add(&mut self, part: wire::Delta) -> Result<(), TooLarge> {
        for upsert in part.upserts {
            self.bytes += upsert.id.len() + upsert.value.len();
            match understood(&upsert) {
                Ok(good) => self.good.push(good),
                Err(error) => drop(self.refused.insert(upsert.id, error.to_string())),
            }
        }
        self.bytes += part.removals.iter().map(Bytes::len).sum::<usize>();
        self.removals.extend(part.removals);
        if self.bytes > DELTA { Err(TooLarge) } else { Ok(()) }
    }

    /// The state with all of it, and what of it cannot be taken: of that, what was there before stays. `refused` holds what
    /// was refused earlier and did not change since.
    pub(crate) fn complete(self, held: &Held, digest: Digest, refused: &mut BTreeMap<Bytes, String>) -> Held {
        let mut versions = held.versions.clone();
        let mut snapshot = (*held.snapshot).clone();
        let mut delta = Delta::default();
        for (version, resource) in self.good {
            let id = resource.id();
            if let Ok(encoded) = encode_id(&id) {
                refused.remove(&encoded);
            }
            versions.insert(id, version);
            delta.upserts.push(resource);
        }
        for encoded in self.removals {
            refused.remove(&encoded);
            // What cannot be named here was never taken here.
            if let Ok(id) = decode_id(&encoded) {
                versions.remove(&id);
                delta.removals.push(id);
            }
        }
        refused.extend(self.refused);
        snapshot.apply(delta);
        Held { snapshot: Arc::new(snapshot), versions, digest: Some(digest) }
    }
}

fn understood(upsert: &wire::Upsert) -> Result<(Version, Resource), EncodingError> {
    let version = Version::read(&upsert.version).ok_or_else(|| EncodingError::Unreadable("its version".to_owned()))?;
    let resource = decode(&decode_id(&upsert.id)?, &upsert.value)?;
    Ok((version, resource))
}

#[cfg(test)]
mod tests {
    use cause::ObjectName;
    use ir::{Endpoint, Service, ServiceId};

    use super::*;
    use crate::encoding::{digest, encode};

    fn service(port: u16) -> Resource {
        let id = ServiceId { name: ObjectName::new("shop", "orders"), port: 80 };
        Resource::Service(Arc::new(Service { id, endpoints: vec![Endpoint::Name("orders".into(), port)], http2: false }))
    }

    fn upsert(resource: &Resource) -> wire::Upsert {
        let encoded = encode(resource).unwrap();
        wire::Upsert { id: encoded.id, version: encoded.version.bytes(), value: encoded.value }
    }

    /// `held` after a delta, and what is refused then.
    fn after(held: &Held, refused: &mut BTreeMap<Bytes, String>, upserts: Vec<wire::Upsert>, removals: Vec<Bytes>) -> Held {
        let digest = digest(std::iter::empty());
        let mut incoming = Incoming::default();
        incoming.add(wire::Delta { digest: digest.bytes(), upserts, removals, last: true }).unwrap();
        incoming.complete(held, digest, refused)
    }

    #[test]
    fn what_cannot_be_taken_leaves_the_last_good_one_serving() {
        let mut refused = BTreeMap::new();
        let good = after(&Held::default(), &mut refused, vec![upsert(&service(1))], Vec::new());
        let mut garbled = upsert(&service(2));
        garbled.value = Bytes::from_static(b"\xffgarbage");
        let id = garbled.id.clone();
        let kept = after(&good, &mut refused, vec![garbled], Vec::new());
        assert_eq!(
            (kept.snapshot(), kept.versions()),
            (good.snapshot(), good.versions()),
            "the version that is told is the one that serves"
        );
        assert!(refused[&id].starts_with("this version of the data plane cannot read it"), "{refused:?}");

        let unnameable = wire::Upsert { id: Bytes::from_static(b"\xff"), ..upsert(&service(3)) };
        let kept = after(&kept, &mut refused, vec![unnameable.clone()], Vec::new());
        assert_eq!((kept.snapshot(), refused.len()), (good.snapshot(), 2), "an earlier refusal stands");

        let mended = after(&kept, &mut refused, vec![upsert(&service(4))], vec![unnameable.id]);
        assert_eq!(
            mended.snapshot().services.values().map(|found| Resource::Service(found.clone())).collect::<Vec<_>>(),
            [service(4)]
        );
        assert!(refused.is_empty(), "{refused:?}");
        let gone = after(&mended, &mut refused, Vec::new(), vec![id]);
        assert!(gone.snapshot().services.is_empty() && gone.versions().is_empty());
    }
}
