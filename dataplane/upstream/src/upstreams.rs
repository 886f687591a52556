//! What one worker holds: the peers of all targets, and the task that tidies them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use ir::Endpoint;
use tokio::task::spawn_local;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::choose::Dice;
use crate::peer::{Peer, PeerKey, SWEEP};
use crate::resolve::{self, Lookup, Resolver};
use crate::target::{Speech, Target};

/// The connections of one worker, and what it has learned about endpoints. Used within a
/// `LocalSet` alone.
pub struct Upstreams {
    peers: Rc<RefCell<BTreeMap<PeerKey, Rc<Peer>>>>,
    /// The peers of each target, by its id.
    placed: RefCell<HashMap<u64, Placed, BuildHasherDefault<IdHasher>>>,
    resolver: Rc<Resolver>,
    pub(crate) dice: Rc<Dice>,
    sweeping: Cell<bool>,
}

/// The peers of one target.
pub(crate) type Peers = Rc<[Rc<Peer>]>;

struct Placed {
    peers: Peers,
    /// When its names are looked up again; `None` without names.
    until: Option<Instant>,
}

impl Upstreams {
    /// No connections yet. `seed` makes the choice of endpoints differ between workers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_lookup(seed, resolve::system())
    }

    pub(crate) fn with_lookup(seed: u64, lookup: Lookup) -> Self {
        let dice = Rc::new(Dice::new(seed));
        Self {
            peers: Rc::default(),
            placed: RefCell::default(),
            resolver: Resolver::new(lookup, Rc::clone(&dice)),
            dice,
            sweeping: Cell::new(false),
        }
    }

    /// Forgets all but the `live` targets, and closes unused connections that none of them can
    /// use. Called after a new configuration has taken over; calls in flight are not touched.
    pub fn retain<'a>(&self, live: impl Iterator<Item = &'a Target>) {
        let (mut ids, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for target in live {
            ids.insert(target.id());
            for endpoint in target.endpoints() {
                match endpoint {
                    Endpoint::Address(address) => {
                        keys.insert((*address, target.speech()));
                    }
                    Endpoint::Name(name, port) => {
                        for address in self.resolver.remembered(name).iter().flat_map(|addresses| addresses.iter()) {
                            keys.insert((SocketAddr::new(*address, *port), target.speech()));
                        }
                    }
                }
            }
        }
        self.placed.borrow_mut().retain(|id, _| ids.contains(id));
        self.peers.borrow_mut().retain(|key, _| keys.contains(key));
    }

    /// The peers of `target`, at least one; looks names up where that is due.
    pub(crate) async fn peers_of(&self, target: &Target, connect_ms: u64) -> Result<Peers, cause::Upstream> {
        if let Some(placed) = self.placed.borrow().get(&target.id())
            && placed.until.is_none_or(|until| until > Instant::now())
        {
            return Ok(Rc::clone(&placed.peers));
        }
        Box::pin(self.place(target, connect_ms)).await
    }

    async fn place(&self, target: &Target, connect_ms: u64) -> Result<Peers, cause::Upstream> {
        self.start_sweeping();
        let speech = target.speech();
        let (mut addresses, mut until, mut unresolved) = (Vec::new(), None, None);
        let (mut named, guard, mut refused) = (Vec::new(), target.guard(), None);
        for endpoint in target.endpoints() {
            match endpoint {
                Endpoint::Address(address) => addresses.push(*address),
                Endpoint::Name(name, port) => {
                    // What is an address already stays what it is.
                    if name.parse::<IpAddr>().is_err() {
                        until = Some(Instant::now() + resolve::FRESH);
                    }
                    match timeout(Duration::from_millis(connect_ms), self.resolver.addresses(name)).await {
                        Ok(Ok(found)) => named.extend(found.iter().map(|address| SocketAddr::new(*address, *port))),
                        Ok(Err(reason)) => unresolved = Some(reason),
                        Err(_) => match self.resolver.remembered(name) {
                            Some(old) => named.extend(old.iter().map(|address| SocketAddr::new(*address, *port))),
                            None => unresolved = Some(format!("the name {name} was not resolved within {connect_ms} ms").into()),
                        },
                    }
                }
            }
        }
        for address in named {
            match guard.refuses(address.ip()) {
                None => addresses.push(address),
                Some(why) => refused = Some((address.ip(), why)),
            }
        }
        let backend = || Arc::clone(target.name());
        if addresses.is_empty() {
            return Err(match (refused, unresolved) {
                (Some((address, why)), _) => cause::Upstream::AddressRefused { backend: backend(), address, why: why.into() },
                (None, Some(reason)) => cause::Upstream::NameNotResolved { backend: backend(), reason },
                (None, None) => cause::Upstream::NoEndpoints { backend: backend() },
            });
        }
        let peers: Peers = addresses.into_iter().map(|address| self.peer(address, &speech)).collect();
        self.placed.borrow_mut().insert(target.id(), Placed { peers: Rc::clone(&peers), until });
        Ok(peers)
    }

    fn peer(&self, address: SocketAddr, speech: &Speech) -> Rc<Peer> {
        let mut peers = self.peers.borrow_mut();
        let peer = peers.entry((address, speech.clone())).or_insert_with(|| Rc::new(Peer::new(address, speech)));
        Rc::clone(peer)
    }

    fn start_sweeping(&self) {
        if !self.sweeping.replace(true) {
            spawn_local(sweep(Rc::downgrade(&self.peers)));
        }
    }
}

/// Closes what is old or ended, and forgets peers that no target names any more, until the worker
/// is gone.
async fn sweep(peers: Weak<RefCell<BTreeMap<PeerKey, Rc<Peer>>>>) {
    let mut ticks = interval(SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(peers) = peers.upgrade() else { return };
        let now = Instant::now();
        peers.borrow_mut().retain(|_, peer| peer.sweep(now) || Rc::strong_count(peer) > 1);
    }
}

/// Target ids are small distinct numbers of our own: they are their own hash, spread over the
/// upper bits that the table looks at first.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(26);
    }
}
