//! Names to addresses, remembered for a short while and used stale when the name service fails.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{FutureExt, Shared};
use tokio::net::lookup_host;
use tokio::task::spawn_local;
use tokio::time::Instant;

use crate::choose::Dice;

/// The names that one worker has looked up.
pub(crate) struct Resolver {
    names: RefCell<BTreeMap<Arc<str>, Known>>,
    lookup: Lookup,
    dice: Rc<Dice>,
}

/// Asks the name service; the answer may be empty.
pub(crate) type Lookup = Rc<dyn Fn(Arc<str>) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>>>>>;

struct Known {
    addresses: Addresses,
    /// When the name service last said so.
    learned_at: Instant,
    /// When it is asked again.
    fresh_until: Instant,
    asking: Option<Asking>,
}

type Addresses = Rc<[IpAddr]>;

/// One question that all who wait for it share.
type Asking = Shared<Pin<Box<dyn Future<Output = Result<Addresses, Arc<str>>>>>>;

impl Resolver {
    pub(crate) fn new(lookup: Lookup, dice: Rc<Dice>) -> Rc<Self> {
        Rc::new(Self { names: RefCell::default(), lookup, dice })
    }

    /// The addresses of `name`, at least one. Old ones are given at once while new ones are asked
    /// for, unless they are very old.
    ///
    /// Fails with what went wrong, for the owner.
    pub(crate) async fn addresses(self: &Rc<Self>, name: &Arc<str>) -> Result<Addresses, Arc<str>> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(Rc::from([address]));
        }
        let now = Instant::now();
        if let Some((addresses, learned_at, fresh_until)) = self.known(name) {
            if now < fresh_until {
                return Ok(addresses);
            }
            if now.saturating_duration_since(learned_at) < STALE {
                let asking = self.ask(name);
                spawn_local(asking);
                return Ok(addresses);
            }
        }
        self.ask(name).await
    }

    /// What is known of `name`, however old.
    pub(crate) fn remembered(&self, name: &str) -> Option<Addresses> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Some(Rc::from([address]));
        }
        self.names.borrow().get(name).map(|known| Rc::clone(&known.addresses)).filter(|addresses| !addresses.is_empty())
    }

    fn known(&self, name: &str) -> Option<(Addresses, Instant, Instant)> {
        let names = self.names.borrow();
        let known = names.get(name).filter(|known| !known.addresses.is_empty())?;
        Some((Rc::clone(&known.addresses), known.learned_at, known.fresh_until))
    }

    /// The question that is under way, or a new one.
    fn ask(self: &Rc<Self>, name: &Arc<str>) -> Asking {
        let mut names = self.names.borrow_mut();
        if let Some(asking) = names.get(name).and_then(|known| known.asking.clone()) {
            return asking;
        }
        let (resolver, asked) = (Rc::clone(self), Arc::clone(name));
        let question: Pin<Box<dyn Future<Output = _>>> = Box::pin(async move {
            let answer = (resolver.lookup)(Arc::clone(&asked)).await;
            resolver.learn(&asked, answer)
        });
        let asking = question.shared();
        let now = Instant::now();
        if names.len() >= NAMES && !names.contains_key(name) {
            let oldest = names.iter().min_by_key(|(_, known)| known.learned_at).map(|(name, _)| Arc::clone(name));
            oldest.and_then(|oldest| names.remove(&oldest));
        }
        let nothing = || Known { addresses: Rc::from([]), learned_at: now, fresh_until: now, asking: None };
        names.entry(Arc::clone(name)).or_insert_with(nothing).asking = Some(asking.clone());
        asking
    }

    /// Takes in an answer. A failed one leaves the old addresses standing, to be asked for again
    /// soon, not by all workers at once.
    fn learn(&self, name: &str, answer: io::Result<Vec<IpAddr>>) -> Result<Addresses, Arc<str>> {
        let now = Instant::now();
        let mut names = self.names.borrow_mut();
        let jitter = Duration::from_millis(self.dice.below(1000) as u64);
        let addresses = answer.map(|mut addresses| {
            addresses.sort_unstable();
            addresses.dedup();
            addresses.truncate(ADDRESSES);
            Addresses::from(addresses)
        });
        let known = names.get_mut(name);
        match (addresses, known) {
            (Ok(addresses), known) if !addresses.is_empty() => {
                if let Some(known) = known {
                    *known = Known { addresses: Rc::clone(&addresses), learned_at: now, fresh_until: now + FRESH, asking: None };
                }
                Ok(addresses)
            }
            (Ok(_) | Err(_), Some(known)) if !known.addresses.is_empty() => {
                known.asking = None;
                known.fresh_until = now + RETRY + jitter;
                Ok(Rc::clone(&known.addresses))
            }
            (answer, _) => {
                names.remove(name);
                Err(match answer {
                    Ok(_) => format!("the name {name} has no address"),
                    Err(_) => format!("the name {name} cannot be resolved"),
                }
                .into())
            }
        }
    }
}

/// Asks the system.
pub(crate) fn system() -> Lookup {
    Rc::new(|name| Box::pin(async move { Ok(lookup_host((&*name, 0)).await?.map(|address: SocketAddr| address.ip()).collect()) }))
}

/// How long an answer is taken as it is.
pub(crate) const FRESH: Duration = Duration::from_secs(5);

/// How long an old answer is used while a new one is on its way.
const STALE: Duration = Duration::from_secs(60);

/// The pause after a failed question.
const RETRY: Duration = Duration::from_secs(1);

/// Names remembered.
const NAMES: usize = 1024;

/// Addresses of one name that are used.
const ADDRESSES: usize = 64;
