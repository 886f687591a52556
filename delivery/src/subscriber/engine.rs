//! Which operators there are, which one is the source, and what its deltas add up to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::encoding::{Digest, encode_id};
use crate::held::{Held, Incoming};
use crate::subscriber::link::{self, Event, Orders};
use crate::subscriber::{Options, Settlement, Surroundings};
use crate::wire::{Delta, RefusedResource, Settled};

/// Events of links that wait: few, so that a stream that is faster than this replica feels it.
const EVENTS: usize = 4;

/// Between two questions for the addresses of operators, without any stream and with one.
const LOST: Duration = Duration::from_secs(1);
const FOUND: Duration = Duration::from_secs(5);

/// How long the source may take to send the first delta before another operator is asked.
const SILENT: Duration = Duration::from_secs(2);

/// Operators that are connected to at once.
const OPERATORS: usize = 16;

pub(crate) struct Engine {
    options: Arc<Options>,
    surroundings: Surroundings,
    states: watch::Sender<Held>,
    /// The newest complete state.
    held: Held,
    /// What of it cannot be read, by encoded id.
    unread: BTreeMap<Bytes, String>,
    links: BTreeMap<SocketAddr, Link>,
    source: Option<Source>,
    /// What all operators are told.
    settled: Option<Arc<Settled>>,
    events: mpsc::Sender<Event>,
    heard: Option<mpsc::Receiver<Event>>,
    /// Counts links, so that an event of a link that was replaced is not taken for its successor's.
    last_link: u64,
}

struct Link {
    id: u64,
    up: bool,
    orders: watch::Sender<Orders>,
    task: tokio::task::AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Source {
    address: SocketAddr,
    since: Instant,
    answered: bool,
    incoming: Incoming,
}

impl Engine {
    pub(crate) fn new(options: Arc<Options>, held: Held, surroundings: Surroundings, states: watch::Sender<Held>) -> Self {
        let (events, heard) = mpsc::channel(EVENTS);
        Self {
            options,
            surroundings,
            states,
            held,
            unread: BTreeMap::new(),
            links: BTreeMap::new(),
            source: None,
            settled: None,
            events,
            heard: Some(heard),
            last_link: 0,
        }
    }

    pub(crate) async fn run(mut self, mut settlements: mpsc::Receiver<Settlement>) {
        let Some(mut heard) = self.heard.take() else { return };
        let mut lookups = JoinSet::new();
        let mut look_up_at = Instant::now();
        loop {
            let silent_at = self.source.as_ref().filter(|source| !source.answered).map(|source| source.since + SILENT);
            tokio::select! {
                Some(event) = heard.recv() => self.hear(event),
                settlement = settlements.recv() => match settlement {
                    Some(settlement) => self.settle(settlement),
                    None => return,
                },
                () = sleep_until(look_up_at), if lookups.is_empty() => {
                    lookups.spawn((self.surroundings.resolve)());
                }
                Some(found) = lookups.join_next() => {
                    match found {
                        Ok(Ok(addresses)) => self.place(&addresses),
                        Ok(Err(error)) => tracing::debug!(%error, "the operators' addresses are not to be had"),
                        Err(error) => tracing::warn!(%error, "a look-up failed"),
                    }
                    look_up_at = Instant::now() + if self.source.is_some() { FOUND } else { LOST };
                }
                () = sleep_until(silent_at.unwrap_or_else(Instant::now)), if silent_at.is_some() => self.ask_another(),
            }
        }
    }

    /// A link for each operator that is there, none for those that are gone.
    fn place(&mut self, addresses: &[SocketAddr]) {
        let present: BTreeSet<_> = addresses.iter().copied().take(OPERATORS).collect();
        // An operator that is not listed and still streams is only leaving.
        self.links.retain(|address, link| link.up || present.contains(address));
        for address in present {
            if !self.links.contains_key(&address) {
                self.link(address);
            }
        }
    }

    fn link(&mut self, address: SocketAddr) {
        self.last_link += 1;
        let (orders, ordered) = watch::channel(Orders { lead: None, settled: self.settled.clone() });
        let link = link::Link {
            id: self.last_link,
            address,
            options: Arc::clone(&self.options),
            dice: Arc::clone(&self.surroundings.dice),
            events: self.events.clone(),
        };
        let task = tokio::spawn(link.keep(ordered)).abort_handle();
        self.links.insert(address, Link { id: self.last_link, up: false, orders, task });
    }

    fn hear(&mut self, event: Event) {
        let (address, id) = event.origin();
        let Some(link) = self.links.get_mut(&address).filter(|link| link.id == id) else { return };
        match event {
            Event::Up(..) => {
                link.up = true;
                self.choose(None);
            }
            Event::Down(..) => {
                link.up = false;
                if self.source.as_ref().is_some_and(|source| source.address == address) {
                    link.orders.send_modify(|orders| orders.lead = None);
                    self.source = None;
                    self.choose(Some(address));
                }
            }
            Event::Delta(_, delta) => self.take(address, delta),
        }
    }

    /// Makes an operator the source if there is none; rather not `but`.
    fn choose(&mut self, but: Option<SocketAddr>) {
        if self.source.is_some() {
            return;
        }
        let up: Vec<_> = self.links.iter().filter(|(_, link)| link.up).map(|(address, _)| *address).collect();
        let others: Vec<_> = up.iter().copied().filter(|address| Some(*address) != but).collect();
        let among = if others.is_empty() { up } else { others };
        let Some(place) = usize::try_from((self.surroundings.dice)()).unwrap_or_default().checked_rem(among.len()) else {
            return;
        };
        let address = among[place];
        if let Some(link) = self.links.get(&address) {
            link.orders.send_modify(|orders| orders.lead = Some(self.held.clone()));
            self.source = Some(Source { address, since: Instant::now(), answered: false, incoming: Incoming::default() });
        }
    }

    /// The source has nothing to say: it may have just begun, while another has all.
    fn ask_another(&mut self) {
        let Some(source) = &mut self.source else { return };
        let address = source.address;
        if self.links.iter().any(|(other, link)| link.up && *other != address) {
            self.source = None;
            // A stream leads once, so the silent operator gets a new one.
            self.links.remove(&address);
            self.link(address);
            self.choose(Some(address));
        } else {
            source.since = Instant::now();
        }
    }

    fn take(&mut self, address: SocketAddr, delta: Delta) {
        let Some(source) = self.source.as_mut().filter(|source| source.address == address) else { return };
        if !source.answered {
            source.answered = true;
            // Whatever is not held is sent anew, to be refused anew.
            self.unread.clear();
        }
        let (digest, last) = (Digest::read(&delta.digest), delta.last);
        let taken = source.incoming.add(delta).map_err(|error| error.to_string());
        let (Ok(()), Some(digest)) = (&taken, digest) else {
            tracing::warn!(%address, reason = taken.err().unwrap_or_else(|| "no digest".to_owned()), "an operator is not understood");
            self.source = None;
            self.links.remove(&address);
            self.link(address);
            return self.choose(Some(address));
        };
        if last {
            self.held = std::mem::take(&mut source.incoming).complete(&self.held, digest, &mut self.unread);
            self.states.send_replace(self.held.clone());
        }
    }

    fn settle(&mut self, settlement: Settlement) {
        let Some(digest) = settlement.held.digest() else { return };
        let current = self.held.digest() == Some(digest);
        let by_data_plane = settlement.refused.into_iter().filter_map(|(id, reason)| Some((encode_id(&id).ok()?, reason)));
        let unread = self.unread.iter().filter(|_| current).map(|(id, reason)| (id.clone(), reason.clone()));
        let refused = unread.chain(by_data_plane).map(|(id, reason)| RefusedResource { id, reason }).collect();
        let settled = Arc::new(Settled { digest: digest.bytes(), refused });
        for link in self.links.values() {
            link.orders.send_modify(|orders| orders.settled = Some(Arc::clone(&settled)));
        }
        self.settled = Some(settled);
    }
}
