//! Whether data planes serve an object: only their own word counts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cause::ObjectName;
use delivery::{Replica, Replicas};
use ir::ResourceId;

use crate::kinds::Kind;
use crate::reconcile::{Held, Holding};
use crate::store::{Key, Pods};

/// How soon replicas usually say that they serve something new.
const SOON: Duration = Duration::from_millis(200);
/// How long a replica that is new, or an operator that has just begun, may take to hear of the other.
const MEETING: Duration = Duration::from_secs(10);

/// Until when a word may change without anybody's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    /// Of something that was just sent.
    pub soon: Instant,
    /// Of something that was served already.
    pub met: Instant,
}

/// What the data planes of one Gateway, or of several, say of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Programmed {
    /// Every one that is ready serves this generation.
    Yes,
    /// Some have not said so yet.
    Waiting {
        /// Of which Gateway.
        gateway: ObjectName,
        /// How many are ready.
        ready: usize,
        /// How many of them serve it.
        serving: usize,
        /// Until when this may be nothing but their way to tell.
        until: Until,
    },
    /// No data plane is ready.
    Nobody {
        /// Of which Gateway.
        gateway: ObjectName,
        /// Until when this may be nothing but one that comes back.
        until: Until,
    },
    /// No listener that takes it serves calls.
    Unlistened {
        /// Of which Gateway.
        gateway: ObjectName,
        /// The first one.
        listener: Arc<str>,
        /// Why it does not.
        message: Arc<str>,
    },
    /// One cannot take it.
    Refused {
        /// The pod.
        pod: Arc<str>,
        /// Its words.
        reason: Arc<str>,
    },
}

impl Programmed {
    /// The worse one of two.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if other.weight() > self.weight() { other } else { self }
    }

    const fn weight(&self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::Waiting { .. } => 1,
            Self::Nobody { .. } => 2,
            Self::Unlistened { .. } => 3,
            Self::Refused { .. } => 4,
        }
    }
}

/// What is known of the data planes of all Gateways.
#[derive(Clone, Copy, Debug)]
pub struct Witnesses<'a> {
    /// What they said.
    pub replicas: &'a Replicas,
    /// Which are ready.
    pub pods: &'a Pods,
}

impl Witnesses<'_> {
    /// What the data planes of a Gateway say of a generation of an object that was sent to them.
    ///
    /// `steady` is since when it is always the same replicas that are ready and connected.
    #[must_use]
    pub fn ask(
        &self,
        key: &Key,
        generation: i64,
        (gateway, holding): (&ObjectName, &Holding),
        steady: Instant,
    ) -> Option<Programmed> {
        let held = holding.objects.get(key)?;
        let mut ready = 0;
        let mut serving = 0;
        let replicas = self.replicas.get(gateway);
        for (pod, plane) in self.pods.ready(gateway) {
            ready += 1;
            let replica = replicas.and_then(|replicas| replicas.get(&pod.name)).filter(|replica| replica.uid == plane.uid);
            match one(replica, key, held) {
                Word::Serves if held.generation == generation => serving += 1,
                Word::Serves | Word::Silent => {}
                Word::Refuses(reason) => return Some(Programmed::Refused { pod: Arc::clone(&pod.name), reason }),
            }
        }
        let gateway = gateway.clone();
        let until = Until { soon: held.since + SOON, met: steady + MEETING };
        Some(match (ready, serving) {
            (0, _) => Programmed::Nobody { gateway, until },
            _ if serving == ready => Programmed::Yes,
            _ => Programmed::Waiting { gateway, ready, serving, until },
        })
    }
}

/// What one data plane says, if it has said anything.
fn one(replica: Option<&Replica>, key: &Key, held: &Held) -> Word {
    let Some(Replica { applied: Some(applied), refused, .. }) = replica else { return Word::Silent };
    if *applied < held.revision {
        return Word::Silent;
    }
    match refused.iter().find(|refusal| is_of(&refusal.resource, key)) {
        Some(refusal) => Word::Refuses(Arc::clone(&refusal.reason)),
        None => Word::Serves,
    }
}

/// What one data plane says.
enum Word {
    Serves,
    Silent,
    Refuses(Arc<str>),
}

/// Whether a resource is made of an object.
fn is_of(resource: &ResourceId, key: &Key) -> bool {
    match (key.kind, resource) {
        (_, ResourceId::Route(id)) => id.kind.name() == key.kind.name() && id.name == key.name,
        (Kind::ApiKey, ResourceId::Key(id)) => id.0 == key.name,
        (Kind::AiModel, ResourceId::Model(id)) => id.0 == key.name,
        (Kind::IdentityProvider, ResourceId::Provider(id)) => id.0 == key.name,
        // Who asked for a certificate or the settings is not in their names; a Gateway has its own.
        (Kind::Gateway, ResourceId::Listener(id)) => id.gateway == key.name,
        (Kind::Gateway, ResourceId::Certificate(_) | ResourceId::Settings) => true,
        (Kind::GatewayConfig, ResourceId::Settings) => true,
        (
            _,
            ResourceId::Key(_)
            | ResourceId::Model(_)
            | ResourceId::Provider(_)
            | ResourceId::Listener(_)
            | ResourceId::Certificate(_)
            | ResourceId::Settings
            | ResourceId::Service(_),
        ) => false,
    }
}
