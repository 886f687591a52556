//! What each Gateway should serve, and which replica serves what: the operator's side, without sockets.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cause::ObjectName;
use ir::{ResourceId, Snapshot};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::desired::Desired;
use crate::encoding::Digest;
use crate::identity::Identity;

/// A state of one Gateway, in the order of publishing within one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// What replicas say, by Gateway and pod name.
pub type Replicas = BTreeMap<ObjectName, BTreeMap<Arc<str>, Replica>>;

/// One data plane pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// The pod's uid.
    pub uid: Arc<str>,
    /// Whether it has a stream to this operator.
    pub connected: bool,
    /// The newest revision that it serves, except for what it refused; `None` until it said so.
    pub applied: Option<Revision>,
    /// What it refused of that revision; the last good version of these serves, where there is one.
    pub refused: Vec<Refusal>,
}

/// A resource that a replica cannot take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which.
    pub resource: ResourceId,
    /// Why, in the replica's words.
    pub reason: Arc<str>,
}

/// Takes snapshots and hands them to the streams. Clones share one state.
#[derive(Clone)]
pub struct Publisher(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    replicas: watch::Sender<Arc<Replicas>>,
}

#[derive(Default)]
struct State {
    last: u64,
    gateways: BTreeMap<ObjectName, Gateway>,
}

struct Gateway {
    desired: watch::Sender<Option<Arc<Desired>>>,
    /// The newest revision of each recent digest, newest last.
    digests: VecDeque<(Digest, Revision)>,
    pods: BTreeMap<Arc<str>, Pod>,
}

/// What a pod said last.
struct Pod {
    uid: Arc<str>,
    /// Streams that it has now: more than one for a moment, when an old one is not known to be dead.
    streams: u32,
    digest: Option<Digest>,
    applied: Option<Revision>,
    refused: Vec<Refusal>,
    left: Instant,
}

/// Recent digests that are known by revision.
const DIGESTS: usize = 256;

/// How long a pod without a stream is remembered, so that a reconnect takes nothing back.
const REMEMBERED: Duration = Duration::from_secs(600);

impl Default for Publisher {
    fn default() -> Self {
        Self::new()
    }
}

impl Publisher {
    /// One without Gateways.
    #[must_use]
    pub fn new() -> Self {
        let (replicas, _) = watch::channel(Arc::default());
        Self(Arc::new(Shared { state: Mutex::default(), replicas }))
    }

    /// What `gateway` should serve from now on. The same state again is the same revision. Encodes what changed only:
    /// resources behind the same `Arc` as before cost nothing.
    pub fn publish(&self, gateway: &ObjectName, snapshot: Arc<Snapshot>) -> Revision {
        let before = self.state().gateway(gateway).desired.borrow().clone();
        // Without the lock: this is the long part, and one caller publishes.
        let revision = |state: &mut State| {
            state.last += 1;
            Revision(state.last)
        };
        let built = Desired::after(before.as_deref(), snapshot);
        let mut state = self.state();
        if let Some(before) = before.filter(|before| before.digest == built.digest) {
            return before.revision;
        }
        let revision = revision(&mut state);
        let desired = Arc::new(built.numbered(revision));
        let known = state.gateway(gateway);
        known.digests.push_back((desired.digest, revision));
        if known.digests.len() > DIGESTS {
            known.digests.pop_front();
        }
        known.pods.retain(|_, pod| pod.streams > 0 || pod.left.elapsed() < REMEMBERED);
        for pod in known.pods.values_mut().filter(|pod| pod.digest == Some(desired.digest)) {
            pod.applied = Some(revision);
        }
        known.desired.send_replace(Some(desired));
        self.tell(&state);
        revision
    }

    /// The Gateway is gone. Its pods keep what they have until they go too.
    pub fn withdraw(&self, gateway: &ObjectName) {
        let mut state = self.state();
        if let Some(known) = state.gateways.get_mut(gateway) {
            known.desired.send_replace(None);
            known.digests.clear();
            if known.pods.values().all(|pod| pod.streams == 0) {
                state.gateways.remove(gateway);
            }
        }
        self.tell(&state);
    }

    /// What the replicas of all Gateways say; every change wakes.
    #[must_use]
    pub fn replicas(&self) -> watch::Receiver<Arc<Replicas>> {
        self.0.replicas.subscribe()
    }

    /// A stream of a pod begins; it ends when the guard is dropped.
    pub(crate) fn connect(&self, gateway: &ObjectName, identity: &Identity) -> Connected {
        let pod_name = Arc::clone(&identity.pod_name);
        let mut state = self.state();
        let known = state.gateway(gateway);
        let desired = known.desired.subscribe();
        let fresh = || Pod {
            uid: Arc::clone(&identity.pod_uid),
            streams: 0,
            digest: None,
            applied: None,
            refused: Vec::new(),
            left: Instant::now(),
        };
        let pod = known.pods.entry(Arc::clone(&pod_name)).or_insert_with(fresh);
        if pod.uid != identity.pod_uid {
            // Another pod of the same name knows nothing of what the old one said.
            *pod = fresh();
        }
        pod.streams += 1;
        self.tell(&state);
        Connected { publisher: self.clone(), gateway: gateway.clone(), pod_name, pod_uid: Arc::clone(&identity.pod_uid), desired }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, state: &State) {
        let replicas: Replicas = state
            .gateways
            .iter()
            .filter(|(_, known)| !known.pods.is_empty())
            .map(|(gateway, known)| {
                (gateway.clone(), known.pods.iter().map(|(name, pod)| (Arc::clone(name), pod.seen())).collect())
            })
            .collect();
        self.0.replicas.send_if_modified(|told| {
            let changed = **told != replicas;
            if changed {
                *told = Arc::new(replicas);
            }
            changed
        });
    }
}

impl State {
    fn gateway(&mut self, gateway: &ObjectName) -> &mut Gateway {
        self.gateways.entry(gateway.clone()).or_insert_with(|| {
            let (desired, _) = watch::channel(None);
            Gateway { desired, digests: VecDeque::new(), pods: BTreeMap::new() }
        })
    }
}

impl Pod {
    fn seen(&self) -> Replica {
        Replica { uid: Arc::clone(&self.uid), connected: self.streams > 0, applied: self.applied, refused: self.refused.clone() }
    }
}

/// A pod that has a stream.
pub(crate) struct Connected {
    publisher: Publisher,
    gateway: ObjectName,
    pod_name: Arc<str>,
    pod_uid: Arc<str>,
    /// What its Gateway should serve; `None` while nobody has said.
    pub(crate) desired: watch::Receiver<Option<Arc<Desired>>>,
}

impl Connected {
    /// The pod serves the state of this digest, except for what it refused.
    pub(crate) fn settled(&self, digest: Digest, refused: Vec<Refusal>) {
        let mut state = self.publisher.state();
        let Some(known) = state.gateways.get_mut(&self.gateway) else { return };
        // Another operator may be ahead of this one: then the revision is known when it is published here too.
        let revision = known.digests.iter().rev().find(|(known, _)| *known == digest).map(|(_, revision)| *revision);
        let Some(pod) = known.pods.get_mut(&self.pod_name).filter(|pod| pod.uid == self.pod_uid) else { return };
        pod.digest = Some(digest);
        pod.refused = refused;
        if revision.is_some() {
            pod.applied = revision;
        }
        self.publisher.tell(&state);
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let mut state = self.publisher.state();
        let Some(known) = state.gateways.get_mut(&self.gateway) else { return };
        if let Some(pod) = known.pods.get_mut(&self.pod_name).filter(|pod| pod.uid == self.pod_uid) {
            pod.streams = pod.streams.saturating_sub(1);
            pod.left = Instant::now();
        }
        let idle = known.pods.values().all(|pod| pod.streams == 0);
        if idle && known.desired.borrow().is_none() {
            state.gateways.remove(&self.gateway);
        }
        self.publisher.tell(&state);
    }
}
