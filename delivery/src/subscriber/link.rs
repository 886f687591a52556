//! One operator: a stream to it, and another one when it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tonic::Streaming;

use crate::held::Held;
use crate::subscriber::connect::{self, Failure};
use crate::subscriber::{Dice, Options};
use crate::wire::{self, Delta, FORMAT, FromReplica, Hello, Said, Settled};

/// The first pause after a failed connect, and the longest; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// Messages to the operator that wait for the connection.
const QUEUE: usize = 4;

/// What a link is to tell its operator.
#[derive(Clone, Default)]
pub(crate) struct Orders {
    /// Be the source of a replica that holds this.
    pub(crate) lead: Option<Held>,
    /// What serves.
    pub(crate) settled: Option<Arc<Settled>>,
}

/// What happens at a link: where, and at which of the links that have been there.
pub(crate) enum Event {
    /// The operator answers.
    Up(Origin),
    /// The operator, as the source, sent this.
    Delta(Origin, Delta),
    /// The stream has ended.
    Down(Origin),
}

/// A link's address and number.
pub(crate) type Origin = (SocketAddr, u64);

impl Event {
    pub(crate) const fn origin(&self) -> Origin {
        match self {
            Self::Up(origin) | Self::Delta(origin, _) | Self::Down(origin) => *origin,
        }
    }
}

pub(crate) struct Link {
    pub(crate) id: u64,
    pub(crate) address: SocketAddr,
    pub(crate) options: Arc<Options>,
    pub(crate) dice: Dice,
    pub(crate) events: mpsc::Sender<Event>,
}

impl Link {
    /// Connects again and again, until it is aborted.
    pub(crate) async fn keep(self, mut orders: watch::Receiver<Orders>) {
        let (mut pause, mut told) = (FIRST_PAUSE, None);
        loop {
            let (said, messages) = mpsc::channel(QUEUE);
            let ended = match connect::stream(&self.options, self.address, messages).await {
                Ok(deltas) => {
                    (pause, told) = (FIRST_PAUSE, None);
                    if self.events.send(Event::Up((self.address, self.id))).await.is_err() {
                        return;
                    }
                    let ended = self.converse(said, deltas, &mut orders).await;
                    if self.events.send(Event::Down((self.address, self.id))).await.is_err() {
                        return;
                    }
                    ended
                }
                Err(failure) => failure,
            };
            let reason = ended.to_string();
            if told.as_ref() != Some(&reason) {
                tracing::warn!(operator = %self.address, %reason, "no stream to an operator; what is held goes on");
                told = Some(reason);
            }
            sleep(jittered(pause, (self.dice)())).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Speaks until the stream ends, and says why it did.
    async fn converse(
        &self,
        said: mpsc::Sender<FromReplica>,
        mut deltas: Streaming<Delta>,
        orders: &mut watch::Receiver<Orders>,
    ) -> Failure {
        let listen = async {
            loop {
                match deltas.message().await {
                    Ok(Some(delta)) => {
                        if self.events.send(Event::Delta((self.address, self.id), delta)).await.is_err() {
                            return Failure::Ended;
                        }
                    }
                    Ok(None) => return Failure::Ended,
                    Err(status) => return Failure::Refused(status),
                }
            }
        };
        tokio::select! {
            ended = listen => ended,
            () = self.speak(said, orders) => Failure::Ended,
        }
    }

    /// Says what is ordered, as it is ordered. The newest counts: what was ordered and withdrawn meanwhile is not said.
    async fn speak(&self, said: mpsc::Sender<FromReplica>, orders: &mut watch::Receiver<Orders>) {
        let gateway = &self.options.gateway;
        let hello = Hello { namespace: gateway.namespace.to_string(), name: gateway.name.to_string(), format: FORMAT };
        let mut queue = vec![Said::Hello(hello)];
        let (mut leads, mut settled) = (false, None);
        loop {
            for message in queue.drain(..) {
                if said.send(FromReplica { said: Some(message) }).await.is_err() {
                    return;
                }
            }
            let ordered = orders.borrow_and_update().clone();
            if let Some(held) = ordered.lead.filter(|_| !leads) {
                leads = true;
                queue.extend(held.told().into_iter().map(Said::Held));
            }
            // Equal words are said again: a new source waits to hear that what it sent, even nothing, is settled.
            let is_said = |newest: &Arc<Settled>| settled.as_ref().is_some_and(|settled| Arc::ptr_eq(settled, newest));
            if let Some(newest) = ordered.settled.filter(|newest| !is_said(newest)) {
                queue.push(Said::Settled(wire::Settled::clone(&newest)));
                settled = Some(newest);
            }
            if queue.is_empty() && orders.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Between half of `pause` and all of it.
fn jittered(pause: Duration, random: u64) -> Duration {
    let half = pause / 2;
    let span = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_millis(random % span)
}
