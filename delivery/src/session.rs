//! One stream on the operator's side: what a replica holds, what it lacks, what it says of it.
//!
//! At most one delta is on its way. What is published meanwhile waits as one newest state, so a
//! replica that is slow is never behind by a queue.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use crate::desired::{Desired, Sent};
use crate::encoding::{Digest, Encoded, Version, decode_id};
use crate::publisher::{Connected, Refusal};
use crate::wire::{Delta, FromReplica, Held, Said, Settled, Upsert};

/// Bytes of a chunk, unless one resource alone is larger.
const CHUNK: usize = 256 << 10;

/// Resources that a replica may say it holds.
const HELD: usize = 1 << 20;

/// Refusals of one state that are taken; the rest would say the same.
const REFUSED: usize = 1000;

/// Bytes of a reason that are kept.
const REASON: usize = 1000;

/// Where deltas go.
pub(crate) type Outbound = mpsc::Sender<Result<Delta, Status>>;

/// Serves a replica until one of the two ends the stream.
pub(crate) async fn serve(connected: Connected, mut inbound: Streaming<FromReplica>, outbound: Outbound) {
    let mut session = Session { connected, stage: Stage::Unasked, held: BTreeMap::new(), unsent: VecDeque::new() };
    loop {
        let step = tokio::select! {
            message = inbound.message() => match message {
                Ok(Some(FromReplica { said: Some(said) })) => session.hear(said),
                Ok(Some(FromReplica { said: None })) => Ok(()),
                Ok(None) | Err(_) => return,
            },
            permit = outbound.reserve(), if !session.unsent.is_empty() => match permit {
                Ok(permit) => {
                    if let Some(delta) = session.unsent.pop_front() {
                        permit.send(Ok(delta));
                    }
                    Ok(())
                }
                Err(_) => return,
            },
            changed = session.connected.desired.changed(), if session.is_waiting() => match changed {
                Ok(()) => {
                    session.send_newest();
                    Ok(())
                }
                Err(_) => return,
            },
        };
        if let Err(status) = step {
            let _ = outbound.send(Err(status)).await;
            return;
        }
    }
}

struct Session {
    connected: Connected,
    stage: Stage,
    /// What the replica has said so far that it holds.
    held: BTreeMap<Bytes, Version>,
    /// Chunks of the delta that is on its way.
    unsent: VecDeque<Delta>,
}

enum Stage {
    /// The replica is served by another operator, or has not said all that it holds.
    Unasked,
    /// It has this, and waits for what comes.
    Waiting(Sent),
    /// It has not settled this yet.
    Sending(Arc<Desired>),
}

impl Session {
    fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting(_))
    }

    fn hear(&mut self, said: Said) -> Result<(), Status> {
        match said {
            Said::Hello(_) => Err(Status::invalid_argument("a stream says hello once")),
            Said::Held(held) => self.hold(held),
            Said::Settled(settled) => self.settle(settled),
        }
    }

    fn hold(&mut self, chunk: Held) -> Result<(), Status> {
        if !matches!(self.stage, Stage::Unasked) {
            return Err(Status::invalid_argument("a stream says once what the replica holds"));
        }
        for resource in chunk.resources {
            let version = Version::read(&resource.version).ok_or_else(|| Status::invalid_argument("a version has 16 bytes"))?;
            self.held.insert(resource.id, version);
        }
        if self.held.len() > HELD {
            return Err(Status::resource_exhausted(format!("a replica holds at most {HELD} resources")));
        }
        if chunk.last {
            self.stage = Stage::Waiting(Sent::Held(std::mem::take(&mut self.held)));
            self.send_newest();
        }
        Ok(())
    }

    fn settle(&mut self, settled: Settled) -> Result<(), Status> {
        let digest = Digest::read(&settled.digest).ok_or_else(|| Status::invalid_argument("a digest has 16 bytes"))?;
        let refused = settled.refused.into_iter().take(REFUSED).filter_map(|refused| {
            let resource = decode_id(&refused.id).ok()?;
            Some(Refusal { resource, reason: shortened(&refused.reason).into() })
        });
        self.connected.settled(digest, refused.collect());
        match &self.stage {
            Stage::Sending(desired) if desired.digest == digest && self.unsent.is_empty() => {
                self.stage = Stage::Waiting(Sent::All(Arc::clone(desired)));
                self.send_newest();
            }
            Stage::Sending(_) | Stage::Waiting(_) | Stage::Unasked => {}
        }
        Ok(())
    }

    /// Sends what the replica lacks of the newest state, if anybody has published one that it does not have.
    fn send_newest(&mut self) {
        let Stage::Waiting(sent) = &self.stage else { return };
        let Some(desired) = self.connected.desired.borrow_and_update().clone() else { return };
        if matches!(sent, Sent::All(all) if all.digest == desired.digest) {
            return;
        }
        let (upserts, removals) = desired.since(sent);
        self.unsent = chunks(&desired, upserts, removals);
        self.stage = Stage::Sending(desired);
    }
}

fn shortened(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON)]
}

/// A delta in parts; there is one even if nothing differs, which tells the replica that it has all.
fn chunks(desired: &Desired, upserts: Vec<Arc<Encoded>>, removals: Vec<Bytes>) -> VecDeque<Delta> {
    let digest = desired.digest.bytes();
    let part = || Delta { digest: digest.clone(), upserts: Vec::new(), removals: Vec::new(), last: false };
    let (mut parts, mut open, mut size) = (VecDeque::new(), part(), 0);
    let mut room = |bytes: usize, open: &mut Delta| {
        if size > 0 && size + bytes > CHUNK {
            parts.push_back(std::mem::replace(open, part()));
            size = 0;
        }
        size += bytes;
    };
    for encoded in upserts {
        room(encoded.id.len() + encoded.value.len(), &mut open);
        let Encoded { id, version, value } = &*encoded;
        open.upserts.push(Upsert { id: id.clone(), version: version.bytes(), value: value.clone() });
    }
    for id in removals {
        room(id.len(), &mut open);
        open.removals.push(id);
    }
    open.last = true;
    parts.push_back(open);
    parts
}
